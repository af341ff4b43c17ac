/** All words of a buffer. It needs `COPY_SRC`. */
export async function readBuffer(device: GPUDevice, buffer: GPUBuffer): Promise<Uint32Array<ArrayBuffer>> {
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const staging = device.createBuffer({ label: 'proof readback', size: buffer.size, usage });
  const encoder = device.createCommandEncoder({ label: 'proof readback' });
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const words = new Uint32Array(staging.getMappedRange()).slice();
  staging.destroy();
  return words;
}
