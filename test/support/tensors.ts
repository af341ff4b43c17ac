import type { Parameter } from '../../src/index.js';
import { readBuffer } from '../../proof/read-buffer.js';
import type { Track } from '../../proof/track.js';

/** A buffer with the given float32 contents, freed after the test. */
export function makeBuffer(
  device: GPUDevice,
  track: Track,
  values: ArrayLike<number>,
  usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  label = 'test',
): GPUBuffer {
  const buffer = track(
    device.createBuffer({ label, size: 4 * values.length, usage, mappedAtCreation: true }),
  );
  new Float32Array(buffer.getMappedRange()).set(values);
  buffer.unmap();
  return buffer;
}

/** What a whole buffer holds, as float32. */
export async function readFloats(device: GPUDevice, buffer: GPUBuffer): Promise<Float32Array<ArrayBuffer>> {
  return new Float32Array((await readBuffer(device, buffer)).buffer);
}

/** A parameter with buffers of its own. */
export function makeParameter(
  device: GPUDevice,
  track: Track,
  name: string,
  weights: ArrayLike<number>,
  gradients: ArrayLike<number>,
): Parameter & { data: GPUBuffer; grad: GPUBuffer } {
  return {
    name,
    data: makeBuffer(device, track, weights),
    grad: makeBuffer(device, track, gradients),
  };
}

/**
 * How many small tensors with buffers of their own one step kernel binds.
 *
 * @param sharedCount storage buffers that they share: state slots, and what the control pass decided.
 */
export function tensorsPerDispatch({ limits }: GPUDevice, sharedCount: number): number {
  return Math.min(Math.floor((limits.maxStorageBuffersPerShaderStage - sharedCount) / 2), 8);
}
