import type { Track } from '../../proof/track.js';
import { getTestAdapter } from './device.js';

/** A device that says it is a GPU's, whatever it is. */
export async function requestClaimedGpu(track: Track): Promise<GPUDevice> {
  const device = track(await (await getTestAdapter()).requestDevice({ label: 'claims to be a GPU' }));
  const value = {
    vendor: 'nobody',
    architecture: 'gpu',
    device: '',
    description: '',
    isFallbackAdapter: false,
  };
  Object.defineProperty(device, 'adapterInfo', { value });
  return device;
}
