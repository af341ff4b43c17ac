import { muonWithAdamw } from '../../lab/tasks/muon-with-adamw.js';
import { type LearningRate, type OptimizerSettings, type Rule, adamw } from '../../src/index.js';

/** How weights and state are kept in a run, and how they are stepped. */
export interface Variant {
  readonly name: string;
  /** Of weights; float32 without it. */
  readonly dtype?: 'f16' | 'bf16';
  /** Adam without it. */
  readonly makeRule?: (lr: LearningRate) => Rule;
  readonly settings: Pick<OptimizerSettings, 'stateDtype' | 'stochasticRounding' | 'masterWeights'>;
}

/** Ways of keeping numbers; the first one is what the others are held against. */
export const VARIANTS: readonly [Variant, ...Variant[]] = [
  { name: 'f32', settings: {} },
  { name: 'bf16 weights', dtype: 'bf16', settings: {} },
  { name: 'bf16 weights, stochastic', dtype: 'bf16', settings: { stochasticRounding: true } },
  { name: 'bf16 weights, split', dtype: 'bf16', settings: { masterWeights: 'split' } },
  { name: 'f16 weights', dtype: 'f16', settings: {} },
  { name: 'bf16 state', settings: { stateDtype: 'bf16' } },
  { name: 'int8 state', settings: { stateDtype: 'int8' } },
  { name: 'int4 state', settings: { stateDtype: 'int4' } },
];

/** Other rules, each at rates of its own, with the same decay; only who names them runs them. */
export const RULE_VARIANTS: readonly Variant[] = [
  { name: 'adamw', makeRule: (lr) => adamw({ lr }), settings: {} },
  { name: 'muon and adamw', makeRule: muonWithAdamw, settings: {} },
];
