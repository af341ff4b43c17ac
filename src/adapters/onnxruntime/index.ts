/**
 * Training of ONNX models whose graphs give gradients, by ONNX Runtime Web.
 *
 * @module webgpu-optim/onnxruntime
 */
export { OnnxTrainer } from './trainer.js';
export { putWeights } from './put-weights.js';
export type { OnnxModel, OnnxRuntime } from './session.js';
export type { OnnxGroupConfig, OnnxTrainerConfig } from './config.js';
export type { InitialWeights } from './parameters.js';
