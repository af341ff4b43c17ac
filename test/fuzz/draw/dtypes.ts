import fc from 'fast-check';
import { MASTER_WEIGHTS } from '../../../src/codecs/masters.js';
import type { OptimizerSettings } from '../../../src/index.js';
import type { DtypePlan } from '../case/plans.js';
import { chance, perhaps, record } from './basics.js';

/** How weights and gradients lie in memory, and how weights of 2 bytes are kept and rounded. */
export const dtypes = record({
  // Tensors of two kinds, in groups and dispatches with each other.
  kinds: fc.array(
    record({
      dtype: perhaps(70, fc.constantFrom('f16' as const, 'bf16' as const)),
      gradDtype: perhaps(60, fc.constantFrom('f16' as const, 'bf16' as const, 'i32' as const)),
      gradScale: fc.constantFrom(16, 1024, 65_536),
    }),
    { minLength: 1, maxLength: 2 },
  ),
  masters: perhaps(60, fc.constantFrom(...MASTER_WEIGHTS)),
  isDrawn: chance(40),
  seed: fc.constantFrom(0, 1, 2 ** 52 + 5),
});
type Drawn = typeof dtypes extends fc.Arbitrary<infer D> ? D : never;

const AVERAGES = ['ema', 'swa', 'lookahead'] as const;
type Averages = Pick<OptimizerSettings, (typeof AVERAGES)[number]>;

/**
 * What of it goes with a rule, and with the settings of some optimizers.
 *
 * @param isServed whether the rule evaluates with other weights than it trains, which takes exact ones.
 */
export function applyDtypes(
  { kinds, masters, isDrawn, seed }: Drawn,
  isServed: boolean,
  settings: readonly OptimizerSettings[],
): { dtypes: readonly DtypePlan[]; settings: OptimizerSettings[] } {
  const plans = kinds.map(({ dtype, gradDtype, gradScale }): DtypePlan => ({
    ...(dtype && { dtype }),
    ...(gradDtype && { gradDtype }),
    ...(gradDtype === 'i32' && { gradScale }),
  }));
  const first = plans.find(({ dtype }) => dtype)?.dtype;
  if (!first) return { dtypes: plans, settings: [...settings] };
  const wanted = isServed ? (masters ?? 'f32') : masters;
  const isMixed = plans.some(({ dtype }) => dtype !== 'bf16');
  const masterWeights = wanted === 'split' && isMixed ? 'f32' : wanted;
  // Groups of weights that are kept or rounded in another way have no float32 among them.
  const isUniform = masterWeights !== undefined || isDrawn;
  return {
    dtypes: isUniform ? plans.map((plan) => ({ ...plan, dtype: plan.dtype ?? first })) : plans,
    settings: settings.map((each, k): OptimizerSettings => {
      // Optimizers of the other settings load what these have saved, and the other way round.
      if (masterWeights && (k === 0 || isServed)) return { ...each, masterWeights };
      const plain: OptimizerSettings & Averages = { ...each };
      // They cannot change places with weights of 2 bytes.
      for (const average of AVERAGES) delete plain[average];
      return isDrawn ? { ...plain, stochasticRounding: true, seed } : plain;
    }),
  };
}
