export { OnnxTrainer } from './trainer.js';
export { putWeights } from './put-weights.js';
export type { OnnxModel, OnnxRuntime } from './session.js';
export type { OnnxGroupConfig, OnnxTrainerConfig } from './config.js';
export type { InitialWeights } from './parameters.js';
