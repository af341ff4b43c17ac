import type { OptimizerSettings } from '../../src/index.js';

/** How weights and state are kept in a run. */
export interface Variant {
  readonly name: string;
  /** Of weights; float32 without it. */
  readonly dtype?: 'f16' | 'bf16';
  readonly settings: Pick<OptimizerSettings, 'stateDtype' | 'stochasticRounding' | 'masterWeights'>;
}

/** The first one is what the others are held against. */
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
