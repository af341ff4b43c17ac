import wgsl from '../../../shaders/rules/parts/caution.wgsl?raw';
import type { Arithmetic } from '../arithmetic.js';
import { type OptionSpec, boolean } from '../options.js';

/** WGSL to compose behind a rule that calls `cautious`, and has `measure` for its mean. */
export const cautionWgsl = wgsl;

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

/** The options' specs. */
export const cautionOptions: { readonly [K in keyof Resolved]: OptionSpec<Resolved[K]> } = {
  cautious: boolean(false),
  cautionRescaled: boolean(false),
};

/** The switches of the WGSL, and the rule's own. */
export type CautionSwitch = 'CAUTIOUS' | 'CAUTION_RESCALED';

/** Values of the switches. */
export function cautionSwitches({
  cautious: isOn,
  cautionRescaled,
}: Resolved): Record<CautionSwitch, boolean> {
  return { CAUTIOUS: isOn, CAUTION_RESCALED: isOn && cautionRescaled };
}

/** Twin of `cautious`. */
export function cautious<N>(
  f: Arithmetic<N>,
  m: N,
  g: N,
  tensor: Readonly<Record<'caution_scale', N>>,
  on: Readonly<Record<CautionSwitch, boolean>>,
): N {
  const left = agreeing(f, m, g);
  return on.CAUTION_RESCALED ? f.mul(tensor.caution_scale, left) : left;
}

/** What is measured of a tensor for the mask's mean; the twins of `measure` and `summarize`. */
export const measuredCaution = {
  usedBy: (o: Resolved): boolean => cautionSwitches(o).CAUTION_RESCALED,
  quantityCount: 2,
  reads: ['exp_avg'] as const,
  values: ['caution_scale'] as const,
  measure: <N>(
    f: Arithmetic<N>,
    {
      g,
      s,
      h,
    }: {
      readonly g: N;
      readonly s: Readonly<Record<'exp_avg', N>>;
      readonly h: Readonly<Record<'one_minus_beta1', N>>;
    },
  ): N[] => [f.sign(agreeing(f, f.lerp(s.exp_avg, g, h.one_minus_beta1), g)), f.scalar(1)],
  summarize: <N>(
    f: Arithmetic<N>,
    { norms }: { readonly norms: readonly N[] },
  ): Record<'caution_scale', N> => {
    const [left, all] = norms as [N, N];
    const root = f.div(left, all);
    return { caution_scale: f.div(f.scalar(1), f.larger(f.scalar(0.001), f.mul(root, root))) };
  },
};
