/**
 * WebGPU's `GPUBufferUsage` as numbers: the specification fixes them, and where a device was made without globals (another
 * realm, Node) there is no such object. Each is an export of its own, so that bundlers put in the number.
 */
export const MAP_READ = 0x1;
export const COPY_SRC = 0x4;
export const COPY_DST = 0x8;
export const UNIFORM = 0x40;
export const STORAGE = 0x80;
