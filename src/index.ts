export { OptimizerError, type OptimizerErrorCode } from './errors.js';

export type { AverageOptions } from './averages/registry.js';
export type { EmaOptions } from './averages/ema.js';
export type { LookaheadOptions } from './averages/lookahead.js';
export type { SwaOptions } from './averages/swa.js';
export { ParameterArena } from './arena/parameter-arena.js';
export type { ArenaOptions, ArenaSpec, ArenaTensor } from './arena/spec.js';
export type { FanOptions, Initializer, InitializerKind } from './arena/initializer.js';
export { Optimizer } from './engine/optimizer.js';
export type { KernelOptions } from './engine/kernel-options.js';
export type { OptimizerConfig, ParameterGroupConfig } from './engine/config.js';
export type { ParameterGroup } from './engine/group.js';
export type { DynamicLossScale, GradientOptions } from './engine/control/settings.js';
export type { StepStats } from './engine/step-stats.js';
export type { BufferRange, DType, Parameter } from './engine/parameter.js';
export type { GroupState, StateDict } from './engine/state-dict.js';

export { adagrad, type AdagradOptions } from './rules/adagrad.js';
export { adam, type AdamOptions } from './rules/adam.js';
export { lamb, type LambOptions } from './rules/lamb.js';
export { lars, type LarsOptions } from './rules/lars.js';
export { momentum, type MomentumOptions } from './rules/momentum.js';
export { novograd, type NovogradOptions } from './rules/novograd.js';
export { rmsprop, type RmspropOptions } from './rules/rmsprop.js';
export { sgd, type SgdOptions } from './rules/sgd.js';
export type { VelocityOptions } from './rules/velocity.js';
export { rules, type RuleName } from './rules/registry.js';
export type { CommonOptions, Rule, RuleFactory, UpdateDecayOptions } from './rules/rule.js';
export type {
  EpsPlacement,
  LearningRate,
  TrustOptions,
  UpdateDecayMode,
  WeightDecayMode,
} from './rules/options.js';

export { ReferenceOptimizer } from './reference/reference-optimizer.js';
export type {
  ReferenceConfig,
  ReferenceGradients,
  ReferenceParameter,
} from './reference/reference-optimizer.js';

export { schedules } from './schedules.js';
export type * from './schedules.js';
