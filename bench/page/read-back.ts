/** The first `elementCount` f32s of a buffer, or of several buffers in order. */
export async function readBack(
  device: GPUDevice,
  source: GPUBuffer | readonly GPUBuffer[],
  elementCount: number,
): Promise<Float32Array> {
  const values = new Float32Array(elementCount);
  let start = 0;
  for (const buffer of 'size' in source ? [source] : source) {
    const end = Math.min(start + buffer.size / 4, elementCount);
    await readInto(values.subarray(start, end), device, buffer);
    start = end;
  }
  return values;
}

async function readInto(target: Float32Array, device: GPUDevice, buffer: GPUBuffer): Promise<void> {
  const staging = device.createBuffer({
    label: 'bench read-back',
    size: target.byteLength,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const encoder = device.createCommandEncoder({ label: 'bench read-back' });
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, target.byteLength);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  target.set(new Float32Array(staging.getMappedRange()));
  staging.destroy();
}
