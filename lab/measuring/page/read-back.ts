import { sampleBlocks } from './sample.js';

/** Of the first `elementCount` f32s of a buffer, or of several in order, the sample that is checked: see {@link sampleBlocks}. */
export async function readSample(
  device: GPUDevice,
  source: GPUBuffer | readonly GPUBuffer[],
  elementCount: number,
): Promise<Float32Array> {
  const blocks = sampleBlocks(elementCount);
  const label = 'bench read-back';
  const size = 4 * blocks.reduce((sum, { count }) => sum + count, 0);
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const staging = device.createBuffer({ label, size, usage });
  const encoder = device.createCommandEncoder({ label });
  let bufferStart = 0;
  for (const buffer of 'size' in source ? [source] : source) {
    const bufferEnd = bufferStart + buffer.size / 4;
    let target = 0;
    for (const { start, count } of blocks) {
      const [from, to] = [Math.max(start, bufferStart), Math.min(start + count, bufferEnd)];
      if (from < to) {
        const [at, into] = [4 * (from - bufferStart), 4 * (target + from - start)];
        encoder.copyBufferToBuffer(buffer, at, staging, into, 4 * (to - from));
      }
      target += count;
    }
    bufferStart = bufferEnd;
  }
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(staging.getMappedRange()).slice();
  staging.destroy();
  return values;
}
