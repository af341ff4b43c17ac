/**
 * Optimizers that step parameters in GPU buffers: rules, schedules, averages, checkpoints, and the same on the CPU.
 *
 * @module webgpu-optim
 */

/** `GPUBufferUsage` as numbers, for where no such object is known: TypeScript's own types of WebGPU, and Node. */
export * as bufferUsage from './gpu/buffer-usage.js';
export { OptimizerError, type OptimizerErrorCode } from './errors.js';

export type { AverageOptions } from './averages/registry.js';
export type { MasterWeights } from './codecs/masters.js';
export type { StateDtype } from './codecs/state-dtype.js';
export type { StateOptions } from './engine/input/options/state-options.js';
export type { EmaOptions } from './averages/ema.js';
export type { LookaheadOptions } from './averages/lookahead.js';
export type { SwaOptions } from './averages/swa.js';
export { ParameterArena } from './arena/parameter-arena.js';
export type { ArenaOptions, ArenaSpec, ArenaTensor } from './arena/spec.js';
export type { FanOptions, Initializer, InitializerKind } from './arena/initializer.js';
export { loadCheckpoint, type LoadCheckpointOptions } from './checkpoint/load-checkpoint.js';
export {
  saveCheckpoint,
  type CheckpointSink,
  type SaveOptions,
  type SavedCheckpoint,
} from './checkpoint/save.js';
export { Optimizer } from './engine/optimizer.js';
export type { ParameterNorms } from './engine/calls/norms.js';
export type { ResetOptions } from './engine/calls/state/state-input.js';
export type { AddedGroupConfig, MovedParameter } from './engine/input/added-group.js';
export type { BufferChange } from './engine/input/rebind-input.js';
export type { RowMapping } from './engine/input/map-input.js';
export type { KernelOptions } from './engine/input/options/kernel-options.js';
export type {
  LooseGroupConfig,
  OptimizerConfig,
  OptimizerSettings,
  ParameterGroupConfig,
  ParamsOrGroups,
  StateName,
} from './engine/input/config.js';
export type { OptionsInForce, ParameterGroup } from './engine/parameter-group.js';
export type { GivenOptions, MovingOptions, Schedule } from './rules/options/moving.js';
export type { DynamicLossScale, GradientOptions } from './engine/input/options/gradient-options.js';
export type { MemoryUse } from './engine/calls/state/reading.js';
export type { StepStats } from './engine/stats.js';
export type { DType, GradDType } from './codecs/weight-dtype.js';
export type { Parameter } from './engine/input/parameter/parameter.js';
export type { MasterOptions } from './engine/input/options/master-options.js';
export type { RoundingOptions } from './engine/input/options/rounding-options.js';
export type { RowOptions } from './engine/input/parameter/row-options.js';
export type { BufferRange, RowRange } from './engine/input/parameter/span.js';
export type { SparseGradient } from './engine/input/parameter/sparse-table.js';
export type { GroupState, LoadOptions, LoadedNames, StateDict } from './engine/saved/state-dict.js';

export { adadelta, type AdadeltaOptions } from './rules/adadelta.js';
export { adabelief, type AdabeliefOptions } from './rules/adabelief.js';
export { adafactor, type AdafactorOptions } from './rules/adafactor.js';
export { adagrad, type AdagradOptions } from './rules/adagrad.js';
export { adam, type AdamOptions } from './rules/adam.js';
export { adamax, type AdamaxOptions } from './rules/adamax.js';
export { adamw, type AdamwOptions } from './rules/adamw.js';
export { adan, type AdanOptions } from './rules/adan.js';
export { ftrl, type FtrlOptions } from './rules/ftrl.js';
export { lamb, type LambOptions } from './rules/lamb.js';
export { lars, type LarsOptions } from './rules/lars.js';
export { lion, type LionOptions } from './rules/lion.js';
export { momentum, type MomentumOptions } from './rules/momentum.js';
export { muon, type MuonOptions } from './rules/muon.js';
export { nadam, type NadamOptions } from './rules/nadam.js';
export { novograd, type NovogradOptions } from './rules/novograd.js';
export { radam, type RadamOptions } from './rules/radam.js';
export { rmsprop, type RmspropOptions } from './rules/rmsprop.js';
export { scheduleFreeAdamw, type ScheduleFreeAdamwOptions } from './rules/schedule-free-adamw.js';
export { scheduleFreeSgd, type ScheduleFreeSgdOptions } from './rules/schedule-free-sgd.js';
export { sgd, type SgdOptions } from './rules/sgd.js';
export { signum, type SignumOptions } from './rules/signum.js';
export { yogi, type YogiOptions } from './rules/yogi.js';
export type { CautionOptions } from './rules/parts/caution.js';
export type { ScheduleFreeOptions } from './rules/parts/schedule-free.js';
export type { VelocityOptions } from './rules/parts/dampening.js';
export { definePart, defineRule } from './rules/declaring/define-rule.js';
export type { RuleSource } from './rules/declaring/declare-rule.js';
export type { Part } from './rules/declaring/part.js';
export { option } from './rules/options/option.js';
export { correctionOf } from './rules/declaring/declaration.js';
export { rules, type RuleName } from './rules/registry.js';
export { matrixRules, type MatrixRuleName } from './rules/matrix-registry.js';
export type { MatrixScale, NewtonSchulzTriple, NormEps } from './rules/declaring/matrix.js';
export type { CommonOptions, UpdateDecayOptions } from './rules/options/common-options.js';
export type { RuleOptions } from './rules/options/common-options.js';
export type { Rule, RuleFactory, RuleOverrides, SlotOf } from './rules/rule.js';
export type {
  EpsPlacement,
  Fixed,
  LearningRate,
  TrustOptions,
  UpdateDecayMode,
  WeightDecayMode,
} from './rules/options/options.js';

export { conventions, type LibraryName } from './conventions.js';
export type { Convention, OptionsOf } from './conventions/convention.js';

export { ReferenceOptimizer } from './reference/reference-optimizer.js';
export type {
  ReferenceConfig,
  ReferenceGradient,
  ReferenceGradients,
  ReferenceParameter,
} from './reference/reference-config.js';
export type { SkipOptions, StepOptions } from './engine/input/names.js';
export type { ReferenceStateDict } from './reference/saved-run.js';
export type { ReferenceSparseGradient } from './reference/tensor/sum-rows.js';

export { schedules } from './schedules.js';
export type * from './schedules.js';
