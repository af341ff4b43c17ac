import wgsl from '../../../shaders/rules/parts/caution.wgsl?raw';
import { measuring } from '../../stages/measure/measuring.js';
import type { Arithmetic } from '../declaring/arithmetic.js';
import { boolean } from '../options/options.js';
import { declarePart } from '../declaring/part.js';

/** Twin of `agreeing`. */
function agreeing<N>({ load, neg, where }: Arithmetic<N>, m: N, g: N): N {
  const zero = load(0);
  const ifFalling = where(neg(m), where(neg(g), m, zero), zero);
  return where(m, where(g, m, zero), ifFalling);
}

/** Options of rules with a mask. */
export interface CautionOptions {
  /** Leave out the components of the step whose sign disagrees with the gradient's (Liang et al. 2024). Default false. */
  cautious?: boolean;
  /**
   * Divide what `cautious` leaves by its share of the tensor's elements, or 0.001 if that is more, as timm and the
   * authors' code; it takes a pass over the tensor first. No effect without `cautious`. Default false.
   */
  cautionRescaled?: boolean;
}

type Resolved = Readonly<Required<CautionOptions>>;

/** Twin of `cautious`. */
export function cautious<N>(
  f: Arithmetic<N>,
  m: N,
  g: N,
  tensor: Readonly<Record<'caution_scale', N>>,
  on: Readonly<Record<'CAUTIOUS' | 'CAUTION_RESCALED', boolean>>,
): N {
  if (!on.CAUTIOUS) return m;
  const left = agreeing(f, m, g);
  return on.CAUTION_RESCALED ? f.mul(tensor.caution_scale, left) : left;
}

/** What is measured of an element: its moment is the one after this step. */
interface MeasuredMoment<N> {
  readonly g: N;
  readonly s: Readonly<Record<'exp_avg', N>>;
  readonly h: Readonly<Record<'one_minus_beta1', N>>;
}

/** The mask of cautious steps, for a rule with a slot `exp_avg` that calls `cautious`. */
export const caution = declarePart({
  wgsl,
  options: { cautious: boolean(false), cautionRescaled: boolean(false) },
  switches: (o: Resolved) => ({ CAUTIOUS: o.cautious, CAUTION_RESCALED: o.cautious && o.cautionRescaled }),
  tensor: {
    stage: measuring,
    usedBy: (o: Resolved) => o.cautious && o.cautionRescaled,
    quantityCount: 2,
    reads: ['exp_avg'],
    values: ['caution_scale'],
    measure: <N>(f: Arithmetic<N>, { g, s, h }: MeasuredMoment<N>): N[] => [
      f.sign(agreeing(f, f.lerp(s.exp_avg, g, h.one_minus_beta1), g)),
      f.scalar(1),
    ],
    summarize: <N>(f: Arithmetic<N>, { norms }: { readonly norms: readonly N[] }) => {
      const [left, all] = norms as [N, N];
      const root = f.div(left, all);
      return { caution_scale: f.div(f.scalar(1), f.larger(f.scalar(0.001), f.mul(root, root))) };
    },
  },
});
