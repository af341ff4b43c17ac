import { OptimizerError, quote } from '../errors.js';
import type { Span } from './span.js';

/**
 * Reads spans of buffers, one behind the other, as they are at this point of the queue: the copies are
 * submitted before this function returns its promise, so later steps do not show.
 *
 * @throws OptimizerError `invalid-parameter` (thrown at once) if a buffer cannot be copied from.
 */
export function readSpans(
  device: GPUDevice,
  spans: readonly Span[],
  what: string,
): Promise<Float32Array<ArrayBuffer>> {
  for (const { buffer } of spans) {
    if ((buffer.usage & GPUBufferUsage.COPY_SRC) === 0) {
      throw new OptimizerError(
        'invalid-parameter',
        `${what}: buffer ${quote(buffer.label)} has usage 0x${buffer.usage.toString(16)}, without COPY_SRC; ` +
          'create it with GPUBufferUsage.COPY_SRC to read it.',
      );
    }
  }
  const label = `webgpu-optim read of ${what}`;
  const encoder = device.createCommandEncoder({ label });
  const stagings = spans.map(({ buffer, byteOffset, byteLength }) => {
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const staging = device.createBuffer({ label, size: byteLength, usage });
    encoder.copyBufferToBuffer(buffer, byteOffset, staging, 0, byteLength);
    return staging;
  });
  device.queue.submit([encoder.finish()]);
  return collect(stagings);
}

async function collect(stagings: readonly GPUBuffer[]): Promise<Float32Array<ArrayBuffer>> {
  try {
    await Promise.all(stagings.map((staging) => staging.mapAsync(GPUMapMode.READ)));
    const elementCount = stagings.reduce((sum, staging) => sum + staging.size, 0) / 4;
    const values = new Float32Array(elementCount);
    let position = 0;
    for (const staging of stagings) {
      values.set(new Float32Array(staging.getMappedRange()), position);
      position += staging.size / 4;
    }
    return values;
  } finally {
    for (const staging of stagings) staging.destroy();
  }
}
