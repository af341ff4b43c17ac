import wgsl from '../../shaders/rules/adafactor.wgsl?raw';
import { factoring, measuringFactored } from '../stages/factor/factoring.js';
import { measuring } from '../stages/measure/measuring.js';
import type { Arithmetic } from './declaring/arithmetic.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import type { SlotDeclaration } from './declaring/declaration.js';
import { declareRule } from './declaring/declare-rule.js';
import { isFactored } from './declaring/matrix-size.js';
import type { MatrixCandidate, MatrixDeclaration } from './declaring/matrix.js';
import type { MovingOptions } from './options/moving.js';
import {
  type Fixed,
  type OptionSpec,
  boolean,
  choice,
  integer,
  number,
  numberBetween,
} from './options/options.js';
import { countPower } from './parts/count-power.js';
import { type Rule, type RuleFactory } from './rule.js';

/** Options of {@link adafactor}. */
export interface AdafactorOptions extends CommonOptions<'decoupled' | 'raw' | 'update'> {
  /** c in [−1, 0]: β₂ of step t is 1 − tᶜ. Default −0.8. */
  beta2Decay?: number;
  /** [ε₁, ε₂]: ε₁ > 0 keeps what a gradient is divided by from 0, ε₂ ≥ 0 is the least rms(w) of a step. Default [2⁻²³, 1e-3]. */
  eps?: Fixed<readonly [number, number]>;
  /** `'max'` (default): √v is at least ε₁, as PyTorch; `'sum'`: ε₁ is added to g², as the paper and all others. */
  epsPlacement?: 'max' | 'sum';
  /** d ≥ 0: the largest rms(u), beyond which u is scaled; 0 means no limit. Default 1. */
  d?: number;
  /** Whether η is only the largest step: ρ = min(η, 1/√t). Default true. */
  relativeStep?: boolean;
  /** Whether steps are relative to the weights: α = ρ·max(ε₂, rms(w)). Default true. */
  scaleParameter?: boolean;
  /** β₁ in [0, 1) of a first moment of the steps, which takes as much memory as the weights; 0 (default) for none. */
  beta1?: number;
  /** Matrices with a side shorter than this keep V as vectors do. Default 1: none does. */
  minDimSizeToFactor?: Fixed;
}

type Resolved = Readonly<Required<AdafactorOptions>>;

/** ε₁ and ε₂. */
const epsilons: OptionSpec<Fixed<readonly [number, number]>> = {
  default: Object.freeze([2 ** -23, 1e-3] as const),
  range: 'a pair of finite numbers [ε₁, ε₂], ε₁ > 0 and ε₂ ≥ 0',
  accepts: (value) => {
    if (!Array.isArray(value) || value.length !== 2) return false;
    const [first, second] = Array.from(value as unknown[]);
    return (
      Number.isFinite(first) && Number.isFinite(second) && (first as number) > 0 && (second as number) >= 0
    );
  },
  samples: [Object.freeze([0.1, 0.5] as const), Object.freeze([1e-30, 0] as const)],
};

const options = {
  ...commonOptions(1e-2, 0, 'decoupled'),
  weightDecayMode: choice<'decoupled' | 'raw' | 'update'>('decoupled', ['decoupled', 'raw', 'update']),
  beta2Decay: numberBetween(-0.8, -1, 0, [-1, -0.3, 0]),
  eps: epsilons,
  epsPlacement: choice<'max' | 'sum'>('max', ['max', 'sum']),
  d: { ...number(1, 0), samples: [0.1, 0] },
  relativeStep: boolean(true),
  scaleParameter: boolean(true),
  beta1: number(0, 0, 1),
  minDimSizeToFactor: { ...integer(1, 1, 2 ** 32 - 1, [4]), isInitial: true },
};

type Slot = 'exp_avg' | 'row_var' | 'col_var' | 'variance';
type ScalarName =
  | 'lr'
  | 'beta2_decay'
  | 'decay_of_two'
  | 'eps1'
  | 'eps2'
  | 'd'
  | 'one_minus_beta1'
  | 'weight_decay';
type SwitchName =
  | 'DIRECTING'
  | 'FACTORED'
  | 'SUM'
  | 'RELATIVE_STEP'
  | 'SCALE_PARAMETER'
  | 'CLIP_UPDATE'
  | 'MOMENTUM'
  | 'DECAY'
  | 'DECAY_UPDATE';

interface Direction<N> {
  readonly g: N;
  readonly s: { variance: N };
  readonly h: Readonly<Record<'eps1' | 'one_minus_beta2', N>>;
  readonly on: Readonly<Record<'FACTORED' | 'SUM', boolean>>;
}

/** Twin of the WGSL's `square_of`. */
function squareOf<N>({ add, mul }: Arithmetic<N>, g: N, eps: N, isSum: boolean): N {
  const square = mul(g, g);
  return isSum ? add(square, eps) : square;
}

/** Twin of the WGSL's `direction`. */
function direction<N>(f: Arithmetic<N>, { g, s, h, on }: Direction<N>): N {
  if (on.FACTORED) return g;
  s.variance = f.lerp(s.variance, squareOf(f, g, h.eps1, on.SUM), h.one_minus_beta2);
  const divisor = f.sqrt(s.variance);
  return f.div(g, on.SUM ? divisor : f.larger(h.eps1, divisor));
}

const matrix: MatrixDeclaration = {
  stage: factoring,
  takes: ({ minDimSizeToFactor }, shape) => isFactored(shape, minDimSizeToFactor as number),
  sharesOptions: true,
  appliedSlots: ['exp_avg'],
  factors: {
    squareOf: (f, g, h, on) => squareOf(f, g, h['eps1']!, on['SUM']!),
    followed: (f, before, mean, h) => f.lerp(before, mean, h['one_minus_beta2']!),
    divisorOf: ({ mul, div, sqrt, larger }, row, column, meanRow, h, on) => {
      if (on['SUM']) return mul(sqrt(div(row, meanRow)), sqrt(column));
      const eps = h['eps1']!;
      return larger(eps, mul(sqrt(div(row, larger(eps, meanRow))), sqrt(column)));
    },
  },
};

const MOMENTUM_SLOT: SlotDeclaration<'exp_avg', Resolved> = {
  name: 'exp_avg',
  usedBy: ({ beta1 }) => beta1 > 0,
};

const FACTOR_SLOTS: readonly SlotDeclaration<Slot, Resolved>[] = [
  { name: 'row_var', along: 'rows', isNonNegative: true },
  { name: 'col_var', along: 'columns', isNonNegative: true },
  // The WGSL speaks of it.
  { name: 'variance', usedBy: () => false },
];

/** What of a parameter it cannot step. */
const complaintOf =
  (isFactoredRule: boolean) =>
  (rule: string, { sparse, mask, columns, isMapped }: MatrixCandidate): string | undefined => {
    if (isMapped && isFactoredRule)
      return `is a matrix of which ${rule} keeps a number per row and column; map it in a group with others: true, which keeps one per element.`;
    if (sparse) return `has a sparse gradient, and ${rule} takes means of whole tensors; give a dense one.`;
    if (mask) return `has a rowMask, and ${rule} takes means of whole tensors; leave it out.`;
    if (columns)
      return `has lrPerColumn, and steps of ${rule} are not proportional to the learning rate; leave it out.`;
    return undefined;
  };

/** The rule of matrices, or that of all others. */
function declare(isFactoredRule: boolean): RuleFactory<AdafactorOptions, Slot> {
  return declareRule({
    name: 'adafactor',
    wgsl,
    parts: [countPower],
    options,
    slots: [
      MOMENTUM_SLOT,
      ...(isFactoredRule ? FACTOR_SLOTS : [{ name: 'variance' as const, isNonNegative: true }]),
    ],
    decaysWeight: () => true,
    parameterComplaint: complaintOf(isFactoredRule),
    switches: (o): Record<SwitchName, boolean> => ({
      DIRECTING: false,
      FACTORED: isFactoredRule,
      SUM: o.epsPlacement === 'sum',
      RELATIVE_STEP: o.relativeStep,
      SCALE_PARAMETER: o.scaleParameter,
      CLIP_UPDATE: o.d > 0,
      MOMENTUM: o.beta1 > 0,
      DECAY: o.weightDecay > 0 && o.weightDecayMode !== 'update',
      DECAY_UPDATE: o.weightDecay > 0 && o.weightDecayMode === 'update',
    }),
    scalars: (o, lr): Record<ScalarName, number> => ({
      lr,
      beta2_decay: o.beta2Decay,
      decay_of_two: 2 ** o.beta2Decay,
      eps1: o.eps[0],
      eps2: o.eps[1],
      d: o.d,
      one_minus_beta1: 1 - o.beta1,
      weight_decay: o.weightDecay,
    }),
    prepare: ({ scalar, load, div, sub, sqrt, where, powerOfCount }, h, on, t) => {
      const most = div(load(1), sqrt(h.t));
      return {
        one_minus_beta2: powerOfCount(t, h.beta2_decay, h.decay_of_two),
        relative_step: on.RELATIVE_STEP ? where(sub(h.lr, most), most, h.lr) : h.lr,
        grad_multiplier: on.FACTORED && !on.DIRECTING ? scalar(1) : h.grad_multiplier,
      };
    },
    tensor: {
      stage: isFactoredRule ? measuringFactored : measuring,
      quantityCount: 2,
      reads: ['variance'],
      values: ['step_size', 'scale'],
      hasRootCount: true,
      measure: (f, element) => [element.w, direction(f, element)],
      summarize: ({ scalar, mul, div, larger }, { norms, h, on, rootCount }) => {
        const [w, u] = norms as [typeof rootCount, typeof rootCount];
        const stepSize = on.SCALE_PARAMETER
          ? mul(h.relative_step, larger(h.eps2, div(w, rootCount)))
          : h.relative_step;
        const scale = on.CLIP_UPDATE
          ? div(stepSize, larger(scalar(1), div(div(u, rootCount), h.d)))
          : stepSize;
        return { step_size: stepSize, scale };
      },
    },
    reference: (f, { w, g, s, h, on, tensor }) => {
      if (on.DIRECTING) return g;
      const { sub, mul, lerp } = f;
      let u = mul(tensor.scale, direction(f, { g, s, h, on }));
      if (on.MOMENTUM) u = s.exp_avg = lerp(s.exp_avg, u, h.one_minus_beta1);
      let before = w;
      if (on.DECAY) before = sub(w, mul(h.decay, w));
      if (on.DECAY_UPDATE) before = sub(w, mul(mul(tensor.step_size, h.weight_decay), w));
      return sub(before, u);
    },
    ...(isFactoredRule && { matrix }),
  });
}

const ofMatrices = /* @__PURE__ */ declare(true);

/** The rule of what is no matrix: it keeps V of each element. */
export const unfactoredAdafactor: RuleFactory<AdafactorOptions, Slot> = /* @__PURE__ */ declare(false);

/** What makes {@link adafactor}: a rule of matrices, and one of the same options for all others. */
export interface AdafactorFactory extends RuleFactory<AdafactorOptions, Slot> {
  (options?: MovingOptions<AdafactorOptions>): Rule<AdafactorOptions, Slot> & {
    readonly others: Rule<AdafactorOptions, Slot>;
  };
}

/** A function has the name that it is written under. */
const named = {
  adafactor(this: void, given: object = {}): Rule {
    return Object.freeze({ ...ofMatrices(given), others: unfactoredAdafactor(given) });
  },
};

/**
 * Adafactor (Shazeer & Stern 2018): Adam's second moment, of which matrices keep a number per row and per column in place of one per
 * element, and steps that are relative to the weights.
 *
 *     β₂ = 1 − tᶜ;   ρ = min(η, 1/√t);   α = ρ·max(ε₂, rms(w))
 *     R ← β₂R + (1−β₂)·mean of g² along each row;   C likewise along each column      epsPlacement 'sum': of g²+ε₁
 *     u = g/max(√(RCᵀ/max(mean R, ε₁)), ε₁)                                           'sum': g/√(RCᵀ/mean R)
 *     V ← β₂V + (1−β₂)g²;   u = g/max(√V, ε₁)                                         of what is no matrix
 *     u ← u/max(1, rms(u)/d);   w ← w − ηd_w·w − αu
 *
 * With `beta1`, w ← w − m in place of αu, where m ← β₁m + (1−β₁)αu. `weightDecayMode` `'update'` is α in place of η in the decay, as
 * transformers. `relativeStep` false: ρ = η; `scaleParameter` false: α = ρ.
 *
 * Matrices are parameters with a `shape` of two or more axes: the last two are rows and columns, the others count matrices, each with a
 * mean of its own. Other parameters, and groups that say `others: true`, keep V. They are groups of their own behind those of matrices;
 * options of a group are for both.
 *
 * A matrix is measured as a whole, so that a binding must hold it. Beside the state there is memory for one batch of matrices of one shape,
 * 64 MiB or what the largest matrix takes, and for sums along columns: as much as a row takes for each 64 rows, or for each matrix of fewer.
 *
 * State: `row_var` (R), `col_var` (C) of matrices, `variance` (V) of others, `exp_avg` (m) with `beta1`. Defaults: those of
 * `torch.optim.Adafactor`: `lr` 0.01, `beta2Decay` −0.8, `eps` [2⁻²³, 1e-3], `epsPlacement` 'max', `d` 1, `weightDecay` 0, `weightDecayMode`
 * 'decoupled', `relativeStep` true, `scaleParameter` true, `beta1` 0, `minDimSizeToFactor` 1.
 *
 * @param options see {@link AdafactorOptions}.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example adafactor({ lr: 1e-3, relativeStep: false, scaleParameter: false })
 */
export const adafactor: AdafactorFactory = /* @__PURE__ */ Object.assign(named.adafactor, {
  declaration: ofMatrices.declaration,
}) as never;
