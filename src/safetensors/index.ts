/**
 * Files of safetensors: read and written in the browser and in Node, without a GPU.
 *
 * @module webgpu-optim/safetensors
 */
export { OptimizerError, type OptimizerErrorCode } from '../errors.js';

export { readSafetensors, type SafetensorsFile } from './read.js';
export type { SafetensorsTensor } from './tensor.js';
export { writeSafetensors } from './write.js';
export type { SafetensorsDType } from './format/dtypes.js';
export type { WritableTensor } from './layout.js';
export type { SafetensorsOptions } from './signal.js';
export type { SafetensorsPieces } from './pieces.js';
export type { SafetensorsSink, WritableAccessHandle, WritableNodeFile } from './sink.js';
export type { ReadableAccessHandle, ReadableNodeFile, SafetensorsSource } from './source.js';
