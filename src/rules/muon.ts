import wgsl from '../../shaders/rules/muon.wgsl?raw';
import { orthogonalizing } from '../stages/matrix/orthogonalizing.js';
import { OptimizerError, isRecord, quote } from '../errors.js';
import { copyGiven } from '../given.js';
import { type CommonOptions, commonOptions } from './options/common-options.js';
import { correctionOf } from './declaring/declaration.js';
import { declareRule } from './declaring/declare-rule.js';
import { matrixComplaint } from './declaring/matrix-complaint.js';
import type { MatrixScale, NewtonSchulzTriple, NormEps } from './declaring/matrix.js';
import {
  type Fixed,
  type OptionSpec,
  boolean,
  choice,
  fixedNumber,
  integer,
  number,
} from './options/options.js';
import type { MovingOptions } from './options/moving.js';
import { type Rule, type RuleFactory, type SlotOf, checkRule } from './rule.js';

/** Options of {@link muon}. */
export interface MuonOptions extends CommonOptions<'decoupled' | 'raw'> {
  /** μ in [0, 1). Default 0.95. */
  momentum?: number;
  /** Look ahead: the direction is g + μ(B − g) in place of B. Default true. */
  nesterov?: boolean;
  /** Divide B by 1−μᵗ⁺¹ and g by 1−μᵗ, as optax; it only shows with `nesterov`. Default false. */
  biasCorrection?: boolean;
  /**
   * a, b, c of the Newton–Schulz iteration X ← aX + (bA + cA²)X, A = XXᵀ: one triple for all iterations, or one for each; of fewer
   * than `nsSteps`, the last one goes on. Default [3.4445, −4.775, 2.0315].
   */
  nsCoefficients?: Fixed<NewtonSchulzTriple> | readonly NewtonSchulzTriple[];
  /** Iterations, an integer from 1 to 99. Default 5. */
  nsSteps?: Fixed;
  /** ε > 0, which keeps the norm that a direction is divided by from 0. Default 1e-7. */
  eps?: Fixed;
  /** `'max'` (default) max(‖X‖, ε), as PyTorch; `'sum'` ‖X‖ + ε, as Keller Jordan, Keras and optax. */
  epsPlacement?: NormEps;
  /**
   * What the orthogonal matrix of r rows and c columns is multiplied with: `'original'` (default) √max(1, r/c); `'match_rms_adamw'`
   * s√max(r, c), with s of `rmsScale`; `'transposed'` √max(1, c/r), optax', whose matrices are [in, out]; `'none'` 1.
   */
  adjustLrFn?: MatrixScale;
  /** s > 0 of `'match_rms_adamw'`: the root mean square of an update of full rank. Default 0.2; no effect with the others. */
  rmsScale?: Fixed;
}

const isTriple = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length === 3 &&
  Array.from(value as unknown[]).every((one) => typeof one === 'number' && Number.isFinite(one));

/** A triple of numbers, or a list of such. */
const coefficients: OptionSpec<Fixed<NewtonSchulzTriple> | readonly NewtonSchulzTriple[]> = {
  default: Object.freeze([3.4445, -4.775, 2.0315] as const),
  range: 'three finite numbers [a, b, c], or a list of 1 to 99 such triples',
  accepts: (value) =>
    isTriple(value) ||
    (Array.isArray(value) &&
      value.length > 0 &&
      value.length < 100 &&
      Array.from(value as unknown[]).every(isTriple)),
  samples: [
    Object.freeze([2, -1.5, 0.5] as const),
    // Polar Express (Amsel et al. 2025), without its factor of safety.
    Object.freeze([
      [8.28721201814563, -23.595886519098837, 17.300387312530933],
      [4.107059111542203, -2.9478499167379106, 0.5448431082926601],
      [3.9486908534822946, -2.908902115962949, 0.5518191394370137],
      [3.3184196573706015, -2.488488024314874, 0.51004894012372],
      [2.300652019954817, -1.6689039845747493, 0.4188073119525673],
    ] as const),
  ],
};

const triplesOf = (
  given: NewtonSchulzTriple | readonly NewtonSchulzTriple[],
): readonly NewtonSchulzTriple[] =>
  isTriple(given) ? [given as NewtonSchulzTriple] : (given as readonly NewtonSchulzTriple[]);

const matricesOnly: RuleFactory<MuonOptions, 'momentum_buffer'> = declareRule({
  name: 'muon',
  wgsl,
  options: {
    ...commonOptions(1e-3, 0.1, 'decoupled'),
    weightDecayMode: choice<'decoupled' | 'raw'>('decoupled', ['decoupled', 'raw']),
    momentum: number(0.95, 0, 1),
    nesterov: boolean(true),
    biasCorrection: boolean(false),
    nsCoefficients: coefficients,
    nsSteps: integer(5, 1, 99, [1]),
    eps: fixedNumber(1e-7, 0),
    epsPlacement: choice<NormEps>('max', ['max', 'sum']),
    adjustLrFn: choice<MatrixScale>('original', ['original', 'match_rms_adamw', 'transposed', 'none']),
    rmsScale: fixedNumber(0.2, 0),
  },
  complaint: (o) => {
    const { length } = triplesOf(o.nsCoefficients);
    if (length > o.nsSteps)
      return `nsCoefficients has ${length} triples and nsSteps is ${o.nsSteps}; give no more triples than steps.`;
    if (o.eps === 0)
      return 'eps is 0, which leaves a direction of zeros without a norm to divide by; give a number > 0.';
    return undefined;
  },
  slots: [{ name: 'momentum_buffer' }],
  switches: (o) => ({
    DIRECTING: false,
    NESTEROV: o.nesterov,
    BIAS_CORRECTION: o.biasCorrection && o.nesterov,
  }),
  scalars: (o, lr) => ({
    lr,
    momentum: o.momentum,
    one_minus_momentum: 1 - o.momentum,
    bias_correction: correctionOf(o.biasCorrection ? o.momentum : 0),
  }),
  prepare: ({ add, mul, scalar }, h, on) => ({
    next_correction: add(h.one_minus_momentum, mul(h.momentum, h.bias_correction)),
    grad_multiplier: on.DIRECTING ? h.grad_multiplier : scalar(1),
  }),
  reference: ({ add, sub, mul, div, lerp }, { w, g, s, h, on }) => {
    if (!on.DIRECTING) return sub(w, mul(h.lr, g));
    s.momentum_buffer = lerp(s.momentum_buffer, g, h.one_minus_momentum);
    if (!on.NESTEROV) return s.momentum_buffer;
    if (!on.BIAS_CORRECTION) return lerp(g, s.momentum_buffer, h.momentum);
    return add(
      div(mul(h.momentum, s.momentum_buffer), h.next_correction),
      div(mul(h.one_minus_momentum, g), h.bias_correction),
    );
  },
  parameterComplaint: matrixComplaint,
  matrix: {
    stage: orthogonalizing,
    iteration: ({ nsCoefficients, nsSteps, eps, epsPlacement, adjustLrFn, rmsScale }) => {
      const given = triplesOf(nsCoefficients);
      const triples = Array.from({ length: nsSteps }, (_, k) => given[Math.min(k, given.length - 1)]!);
      return { triples, eps, epsPlacement, scale: adjustLrFn, rmsScale };
    },
  },
});

/** A function has the name that it is written under. */
const named = {
  muon(this: void, options: object = {}): Rule {
    if (!isRecord(options) || !('others' in options)) return matricesOnly(options);
    const { others, ...own } = copyGiven(options, [
      'others',
      ...Object.keys(matricesOnly.declaration.options),
    ]);
    const rule: Rule = matricesOnly(own);
    return others === undefined ? rule : Object.freeze({ ...rule, others: checkOthers(others) });
  },
};

/** What makes {@link muon}, alone or with a rule for what is no matrix. */
export interface MuonFactory extends RuleFactory<MuonOptions, 'momentum_buffer'> {
  <R extends Rule>(
    options: MovingOptions<MuonOptions> & { others: R },
  ): Rule<MuonOptions, 'momentum_buffer' | SlotOf<R>> & { readonly others: R };
  (options?: MovingOptions<MuonOptions>): Rule<MuonOptions, 'momentum_buffer'>;
}

/**
 * Muon (Jordan et al. 2024): momentum whose singular values are all made about 1, for the matrices of a network's hidden layers.
 *
 *     B ← B + (1−μ)(g−B);   u = B             nesterov (default): u = g + μ(B−g)
 *     X = u/max(‖u‖, ε)                       epsPlacement 'sum': u/(‖u‖+ε)
 *     A = XXᵀ;   X ← aX + (bA + cA²)X         nsSteps times; of more rows than columns, on the transposed matrix
 *     w ← w − ηdw − ηsX                       s: adjustLrFn
 *
 * For parameters with a `shape` of two or more axes; the first one is the rows, and the others are the columns. PyTorch iterates in
 * bfloat16, this in float32: directions differ by about 1 %, and singular values are between about 0.7 and 1.2 in both.
 *
 * An iteration takes about 1.5m²n + 0.5m³ multiplications and additions of a matrix of sides m ≤ n: of XXᵀ and A² half is made, and
 * mirrored. Beside the state there is memory for one batch of matrices of one shape, twice its bytes, 128 MiB or what the largest matrix
 * takes, and as much of m × m again.
 *
 * State: `momentum_buffer` (B). Defaults: those of `torch.optim.Muon`: `lr` 0.001, `weightDecay` 0.1, `weightDecayMode` 'decoupled',
 * `momentum` 0.95, `nesterov` true, `nsCoefficients` [3.4445, −4.775, 2.0315], `nsSteps` 5, `eps` 1e-7, `epsPlacement` 'max',
 * `adjustLrFn` 'original', `rmsScale` 0.2, `biasCorrection` false.
 *
 * Others keep the sum μB + g, B/(1−μ) in place of B: Keras, and Moonlight. The direction is the same; a buffer of theirs times 1−μ is one
 * of ours.
 *
 * @param options see {@link MuonOptions}; and `others`, a rule for what is no matrix: parameters of fewer than two axes, and groups that
 *   say `others: true`, which take that rule's options. They are stepped, saved and loaded with the others.
 * @returns a rule for `Optimizer.create` or `ReferenceOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example muon({ lr: 2e-3, weightDecay: 0.1, adjustLrFn: 'match_rms_adamw', others: adamw({ lr: 3e-4 }) })
 */
export const muon: MuonFactory = Object.assign(named.muon, {
  declaration: matricesOnly.declaration,
}) as never;

/** @throws OptimizerError `invalid-option` unless it is a rule that steps tensors of any shape, and evaluates with what it trains. */
function checkOthers(others: unknown): Rule {
  try {
    checkRule(others);
  } catch (cause) {
    throw new OptimizerError(
      'invalid-option',
      `muon: others is ${quote(others)}; give a rule, e.g. adamw().`,
      {
        cause,
      },
    );
  }
  const { name, declaration } = others;
  if (!declaration.matrix && !declaration.evaluation) return others;
  throw new OptimizerError(
    'invalid-option',
    `muon: others is ${name}, which ${declaration.matrix ? 'steps matrices, too' : 'evaluates with other weights than it trains'}; give a rule as adamw().`,
  );
}
