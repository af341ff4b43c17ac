import * as BufferUsage from './buffer-usage.js';

let asked = 0;

/** Bytes of all buffers that were ever asked for; the difference of two is what was asked for between them. */
export function askedByteLength(): number {
  return asked;
}

/** Creates a buffer of zeros; run it in error scopes. */
export function makeBuffer(
  device: GPUDevice,
  label: string,
  byteLength: number,
  usage: GPUBufferUsageFlags,
): GPUBuffer {
  asked += byteLength;
  return device.createBuffer({ label, size: byteLength, usage });
}

/** Creates a buffer that holds these bytes; run it in error scopes. */
export function makeFilled(
  device: GPUDevice,
  label: string,
  usage: GPUBufferUsageFlags,
  bytes: ArrayBuffer | ArrayBufferView<ArrayBuffer>,
): GPUBuffer {
  const buffer = makeBuffer(device, label, bytes.byteLength, usage | BufferUsage.COPY_DST);
  device.queue.writeBuffer(buffer, 0, bytes);
  return buffer;
}
