/** The first `elementCount` f32s of a buffer. */
export async function readBack(
  device: GPUDevice,
  buffer: GPUBuffer,
  elementCount: number,
): Promise<Float32Array> {
  const staging = device.createBuffer({
    label: 'bench read-back',
    size: elementCount * 4,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const encoder = device.createCommandEncoder({ label: 'bench read-back' });
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, elementCount * 4);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(staging.getMappedRange()).slice();
  staging.destroy();
  return values;
}
