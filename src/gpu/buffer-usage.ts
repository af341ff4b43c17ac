/**
 * WebGPU's `GPUBufferUsage` as numbers: the specification fixes them, and where a device was made without globals (another
 * realm, Node) there is no such object. Each is an export of its own, so that bundlers put in the number.
 */
/** The buffer may be mapped for reading. */
export const MAP_READ = 0x1;
/** The buffer may be mapped for writing. */
export const MAP_WRITE = 0x2;
/** The buffer may be copied from; `readParam` needs it of weights. */
export const COPY_SRC = 0x4;
/** The buffer may be copied and written to; `zeroGrad` needs it of gradients. */
export const COPY_DST = 0x8;
/** The buffer may hold indices of vertices. */
export const INDEX = 0x10;
/** The buffer may hold vertices. */
export const VERTEX = 0x20;
/** The buffer may be bound as a uniform. */
export const UNIFORM = 0x40;
/** The buffer may be bound as storage; weights and gradients need it. */
export const STORAGE = 0x80;
/** The buffer may hold arguments of indirect calls. */
export const INDIRECT = 0x100;
/** The buffer may take the results of queries. */
export const QUERY_RESOLVE = 0x200;
