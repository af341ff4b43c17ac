/** Of `GPUShaderStage`, as a number: see buffer-usage.ts. */
export const COMPUTE_STAGE = 0x4;

/** Of `GPUMapMode`. */
export const MAP_MODE_READ = 0x1;
