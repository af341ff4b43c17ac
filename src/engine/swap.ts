import { OptimizerError, quote } from '../errors.js';
import type { Span } from './span.js';

/** Bytes exchanged at a time: bounds the memory that an exchange needs. */
const MAX_CHUNK_BYTE_LENGTH = 1 << 24;

/**
 * Exchanges the contents of two lists of spans of the same total length, on the GPU.
 *
 * @throws OptimizerError `invalid-parameter` if a buffer cannot be copied from and to; nothing changes then.
 */
export function swapSpans(device: GPUDevice, a: readonly Span[], b: readonly Span[], what: string): void {
  const needed = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  for (const { buffer } of [...a, ...b]) {
    if ((buffer.usage & needed) === needed) continue;
    throw new OptimizerError(
      'invalid-parameter',
      `${what}: buffer ${quote(buffer.label)} has usage 0x${buffer.usage.toString(16)}, which lacks COPY_SRC or COPY_DST; ` +
        'create it with both to exchange it.',
    );
  }
  const label = `webgpu-optim exchange of ${what}`;
  const longest = Math.max(...a.map(({ byteLength }) => byteLength));
  const size = Math.min(longest, MAX_CHUNK_BYTE_LENGTH);
  const { COPY_SRC, COPY_DST } = GPUBufferUsage;
  const spare = device.createBuffer({ label, size, usage: COPY_SRC | COPY_DST });
  const encoder = device.createCommandEncoder({ label });
  let [i, j, doneA, doneB] = [0, 0, 0, 0];
  while (i < a.length && j < b.length) {
    const [spanA, spanB] = [a[i]!, b[j]!];
    const byteLength = Math.min(spanA.byteLength - doneA, spanB.byteLength - doneB, size);
    const [offsetA, offsetB] = [spanA.byteOffset + doneA, spanB.byteOffset + doneB];
    encoder.copyBufferToBuffer(spanA.buffer, offsetA, spare, 0, byteLength);
    encoder.copyBufferToBuffer(spanB.buffer, offsetB, spanA.buffer, offsetA, byteLength);
    encoder.copyBufferToBuffer(spare, 0, spanB.buffer, offsetB, byteLength);
    doneA += byteLength;
    doneB += byteLength;
    if (doneA === spanA.byteLength) [i, doneA] = [i + 1, 0];
    if (doneB === spanB.byteLength) [j, doneB] = [j + 1, 0];
  }
  device.queue.submit([encoder.finish()]);
  // Freed once the submitted copies are done.
  spare.destroy();
}
