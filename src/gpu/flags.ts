/**
 * WebGPU's flags as numbers: the specification fixes them, and where a device was made without globals (another realm,
 * Node) there is no `GPUBufferUsage`.
 */
export const BufferUsage = {
  MAP_READ: 0x1,
  COPY_SRC: 0x4,
  COPY_DST: 0x8,
  UNIFORM: 0x40,
  STORAGE: 0x80,
} as const;

/** Of `GPUShaderStage`. */
export const COMPUTE_STAGE = 0x4;

/** Of `GPUMapMode`. */
export const MAP_MODE_READ = 0x1;
