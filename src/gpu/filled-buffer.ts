import * as BufferUsage from './buffer-usage.js';

/** Creates a buffer that holds these bytes; run it in error scopes. */
export function createFilled(
  device: GPUDevice,
  label: string,
  usage: GPUBufferUsageFlags,
  bytes: ArrayBuffer | ArrayBufferView<ArrayBuffer>,
): GPUBuffer {
  const buffer = device.createBuffer({ label, size: bytes.byteLength, usage: usage | BufferUsage.COPY_DST });
  device.queue.writeBuffer(buffer, 0, bytes);
  return buffer;
}
