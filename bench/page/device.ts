import type { Surroundings } from '../protocol.js';

/**
 * The page's device, with the adapter's own storage limits so that `--sizes 1e8` fits where it can.
 *
 * @param raised further limits to raise to the adapter's.
 */
export async function requestBenchDevice(
  raised: readonly 'maxStorageBuffersPerShaderStage'[] = [],
): Promise<GPUDevice> {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new Error('This browser has no WebGPU adapter.');
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await adapter.requestDevice({
    label: 'bench',
    requiredLimits: {
      maxBufferSize,
      maxStorageBufferBindingSize,
      ...Object.fromEntries(raised.map((limit) => [limit, adapter.limits[limit]])),
    },
  });
  watchErrors(device, 'the benchmark');
  return device;
}

const watched = new WeakSet<GPUDevice>();

/** Ends the run when a device reports an error or is lost: commands that it drops take no time. */
export function watchErrors(device: GPUDevice, owner: string): void {
  if (watched.has(device)) return;
  watched.add(device);
  // Thrown outside any promise that somebody awaits, so that it reaches the run as a page error.
  device.addEventListener('uncapturederror', ({ error }) => {
    throw new Error(`WebGPU, on the device of ${owner}: ${error.message}`);
  });
  void device.lost.then(({ reason, message }) => {
    throw new Error(`The device of ${owner} was lost (${reason}): ${message}`);
  });
}

/** What results are to be labelled with. */
export function describeSurroundings(device: GPUDevice): Surroundings {
  const { vendor, architecture, device: name, description } = device.adapterInfo;
  const adapter = [vendor, architecture, name, description].filter(Boolean).join(' ');
  const version = /(?:Chrome|Firefox)\/[\d.]+/.exec(navigator.userAgent)?.[0] ?? navigator.userAgent;
  return { adapter: adapter || 'unnamed', browser: version.replace('/', ' ') };
}
