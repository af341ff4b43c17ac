import {
  type GradientOptions,
  isClamping,
  resolveGradientOptions,
} from '../src/engine/input/options/gradient-options.js';
import { type GradientScaling, type LayoutSlot, isElementwise, layoutOf } from '../src/kernel/rule-layout.js';
import { clipToNorm } from '../src/reference/clip-to-norm.js';
import { type Bounded, errorBound } from '../src/reference/arithmetic/error-bound.js';
import {
  type ElementRule,
  type MatrixRule,
  type PreparedStep,
  makeElementRule,
} from '../src/reference/tensor/element-step.js';
import {
  type ElementGradients,
  type ReferenceSparseGradient,
  sumRows,
} from '../src/reference/tensor/sum-rows.js';
import { bf16 } from '../src/codecs/bf16.js';
import { type Codec, rounded } from '../src/codecs/codec.js';
import { limitWeight } from '../src/reference/tensor/constrain.js';
import {
  type TableOptions,
  divideRows,
  positionsOf,
  preparedStep,
  stepOfColumn,
  withoutMasked,
} from '../src/reference/tensor/table-step.js';
import { summarizeTensor } from '../src/reference/tensor/tensor-step.js';
import { type Side, sideLength, matrixSize } from '../src/rules/declaring/matrix-size.js';
import { orthogonalBound } from './orthogonal-bound.js';
import { evaluateLearningRate } from '../src/rules/options/options.js';
import type { Rule } from '../src/rules/rule.js';

/** Longest tensor that is followed as a whole; a step of one costs objects. */
const MAX_BOUNDED_TENSOR = 10_000;
/** Longest matrix; its products cost far more. */
const MAX_BOUNDED_MATRIX = 400;

/**
 * The weights of a tensor that a {@link BoundedRun} is to follow: the first few, but where the rule measures whole tensors,
 * or its gradient's norm is limited, an element's bound needs all others', so all of a short tensor, and none of a long one.
 */
export function boundedPart(
  rule: Rule,
  weights: Float32Array,
  wanted: number,
  { maxGradNormPerTensor }: Clips = {},
): Float32Array {
  // What a block's elements are rounded by is the largest of all.
  const { stateForm, matrix } = layoutOf(rule);
  const { blockLength } = stateForm;
  if (matrix) return weights.length <= MAX_BOUNDED_MATRIX ? weights.slice() : new Float32Array(0);
  if (!layoutOf(rule).tensor && maxGradNormPerTensor === undefined)
    return weights.slice(0, Math.ceil(wanted / blockLength) * blockLength);
  return weights.length <= MAX_BOUNDED_TENSOR ? weights.slice() : new Float32Array(0);
}

/** How gradients are clipped: each by itself, then its elements. */
export type Clips = Pick<GradientOptions, 'minGradValue' | 'maxGradValue' | 'maxGradNormPerTensor'>;

/** What is less than this may be kept as 0, where elements have one scale. */
const LEAST_SCALE = 2 ** -110;

/**
 * Values that were stored: whatever each was rounded to, it is no further from the one that was meant than what rounding may add: a
 * share of itself, or of the largest that is rounded with it.
 *
 * @param indices of those that were; values that share a scale with one are stored anew, too.
 */
function round(
  { roundingError, blockLength, isScaled }: Codec,
  values: readonly Bounded[],
  indices: readonly number[],
): Bounded[] {
  const result = [...values];
  const length = isScaled ? blockLength : 1;
  for (const block of new Set(indices.map((i) => Math.floor(i / length)))) {
    const own = values.slice(block * length, (block + 1) * length);
    const most = Math.max(...own.map(({ value, error }) => Math.abs(value) + error));
    const isLost = isScaled && own.some(({ value }) => !Number.isFinite(value));
    const added = roundingError * most + (isScaled ? LEAST_SCALE : 0);
    own.forEach(({ value, error }, k) => {
      result[block * length + k] = isLost ? { value: NaN, error: 0 } : { value, error: error + added };
    });
  }
  return result;
}

/** A value that was stored: whatever it was rounded to, it is no further from the one that was meant than what rounding may add. */
const roundedBy =
  ({ roundingError, smallestNumber = 0 }: Codec, share = 1) =>
  ({ value, error }: Bounded): Bounded => ({
    value,
    error: error + share * (roundingError * (Math.abs(value) + error) + smallestNumber / 2),
  });

const identity = (value: Bounded): Bounded => value;

/** A weight that was stored as a copy and a correction: see `shaders/codecs/corrected-bf16.wgsl`. */
const corrected = roundedBy({ ...bf16, roundingError: 129 * 2 ** -23, smallestNumber: 258 * 2 ** -149 });

/** A run of a rule in float64 that knows, per element, how far a conforming WGSL implementation may be off. */
export class BoundedRun {
  readonly weights: Bounded[];
  readonly #rule: Rule;
  readonly #elementRule: ElementRule<Bounded>;
  readonly #scaling: GradientScaling;
  readonly #maxNorm: number;
  readonly #states: Record<string, Bounded>[];
  readonly #tensorState: Record<string, Bounded>;
  /** Numbers of rows and of columns, and which slots they are. */
  readonly #sides: Record<Side, Bounded[]> = { rows: [], columns: [] };
  readonly #sideOf = new Map<string, Side>();
  /** The slots that are rounded when they are stored. */
  readonly #rounded: readonly LayoutSlot[];
  /** Steps asked for, which schedules follow. */
  #asked = 0;
  /** Steps made. */
  #step = 0;

  readonly #load: (value: number) => Bounded;
  /** A weight as the next step has it, and as it lies in memory. */
  readonly #keep: (value: Bounded) => Bounded;
  readonly #copy: (value: Bounded) => Bounded;

  /**
   * @param weights initial weights.
   * @param inputUlps how far weights and gradients may be off: 0 if they are float32 already, ½ if the GPU gets them
   *   rounded.
   * @param table what is said of rows and weights.
   */
  constructor(
    rule: Rule,
    weights: ArrayLike<number>,
    inputUlps: 0 | 0.5 = 0,
    clip: Clips = {},
    private readonly table: TableOptions = {},
    /** How weights are kept, if not as float32. */
    weightCodec?: Codec,
    /** Lengths of its axes, for rules of matrices. */
    private readonly shape?: readonly number[],
  ) {
    const gradients = resolveGradientOptions(clip);
    // By chance, it may be rounded to the one that is further off.
    const isRounded = weightCodec !== undefined && weightCodec.roundingError > 0;
    const copy = isRounded ? roundedBy(weightCodec, rule.seed === undefined ? 1 : 2) : identity;
    const { masterWeights } = rule;
    this.#keep = masterWeights === undefined ? copy : masterWeights === 'split' ? corrected : identity;
    this.#copy = masterWeights === undefined ? identity : copy;
    this.#rule = rule;
    this.#elementRule = makeElementRule(errorBound, rule, isClamping(gradients));
    this.#scaling = { multiplier: 1, minValue: gradients.minGradValue, maxValue: gradients.maxGradValue };
    this.#maxNorm = gradients.maxGradNormPerTensor;
    this.#load = inputUlps === 0 ? errorBound.load : errorBound.scalar;
    this.weights = Array.from(weights, this.#load);
    const { slots } = layoutOf(rule);
    const initial = (wanted: (slot: LayoutSlot) => boolean): [string, Bounded][] =>
      slots.filter(wanted).map(({ name, codec, initial: value }) => [
        name,
        // The largest of a block is kept as it is.
        errorBound.scalar(codec.roundingError === 0 ? value : rounded(codec, Float32Array.of(value))[0]!),
      ]);
    this.#rounded = layoutOf(rule).slots.filter(({ codec }) => codec.roundingError > 0);
    this.#states = this.weights.map(() => Object.fromEntries(initial(isElementwise)));
    this.#tensorState = Object.fromEntries(initial(({ perTensor }) => perTensor));
    for (const { name, along } of slots) {
      if (!along) continue;
      this.#sideOf.set(name, along);
      if (this.weights.length > 0)
        this.#sides[along] = Array.from({ length: sideLength(along, shape!) }, () => errorBound.load(0));
    }
  }

  step(gradients: ArrayLike<number>): void {
    this.#update(
      withoutMasked(
        Array.from(this.weights, (_, i) => this.#load(gradients[i]!)),
        this.table,
      ),
    );
  }

  /** A step that leaves the tensor out: its own count stays. */
  skip(): void {
    this.#asked++;
  }

  /** A step of a table whose gradient names some rows. */
  stepRows(gradient: ReferenceSparseGradient, rowLength: number): void {
    const loading = { ...errorBound, load: this.#load };
    this.#update(sumRows(loading, gradient, rowLength, this.weights.length / rowLength));
  }

  #update(gradient: ElementGradients<Bounded>): void {
    const { multiplier } = this.#scaling;
    const isClipped = this.#maxNorm < Infinity;
    const { values: given, elements } = isClipped
      ? clipToNorm(errorBound, gradient, multiplier, this.#maxNorm)
      : gradient;
    const lr = evaluateLearningRate(this.#rule.options.lr, this.#asked++);
    const t = ++this.#step;
    const rule = this.#elementRule;
    const step = preparedStep(rule, layoutOf(this.#rule).values(lr, t, this.#scaling), t);
    const values = rule.matrix ? this.#transformed(rule.matrix, given, step) : given;
    const positions = elements && positionsOf(elements);
    const at = (i: number) => {
      const g = values[positions ? positions.get(i)! : i]!;
      return { w: this.weights[i]!, g, s: { ...this.#states[i]! } };
    };
    const counts = positions && ((i: number) => positions.has(i));
    const tensor = summarizeTensor(rule, this.weights.length, at, this.#tensorState, step, counts);
    for (let k = 0; k < values.length; k++) {
      const i = elements ? elements[k]! : k;
      const own = stepOfColumn(step, this.table, i);
      const after = rule.update(this.weights[i]!, values[k]!, this.#states[i]!, own, tensor);
      this.weights[i] = this.#keep(limitWeight(errorBound, after, this.table.constraint));
    }
    const indices = elements ?? Array.from(values, (_, i) => i);
    for (const { name, codec } of this.#rounded) {
      const kept = round(codec, this.state(name), indices);
      this.#states.forEach((state, i) => (state[name] = kept[i]!));
    }
    const { weights } = this;
    const access = {
      length: weights.length,
      get: (i: number) => weights[i]!,
      set: (i: number, value: Bounded) => {
        weights[i] = this.#keep(value);
      },
    };
    divideRows(errorBound, this.table, access, elements);
  }

  /** The weights as they lie in memory. */
  get copies(): Bounded[] {
    return this.weights.map(this.#copy);
  }

  /** What a rule of matrices has in place of the gradients. */
  #transformed(
    { direct, transform }: MatrixRule<Bounded>,
    gradient: ArrayLike<Bounded>,
    step: PreparedStep<Bounded>,
  ): readonly Bounded[] {
    if (this.weights.length === 0) return [];
    const directions = this.weights.map((w, i) =>
      direct.update(w, gradient[i]!, this.#states[i]!, step.directing!, {}),
    );
    const { matrix } = layoutOf(this.#rule);
    if (matrix) return orthogonalBound(directions, matrixSize(this.shape!), matrix);
    return transform(directions, this.shape!, this.#sides, step);
  }

  /** A slot of the state: of each element, or the one of the tensor. */
  state(slot: string): Bounded[] {
    if (slot === 'master') return this.weights;
    // A weight that is off by next to nothing may have a copy with any correction.
    if (slot === 'correction') return this.weights.map(() => ({ value: 0, error: 127 }));
    const side = this.#sideOf.get(slot);
    if (side) return this.#sides[side];
    const ofTensor = this.#tensorState[slot];
    return ofTensor ? [ofTensor] : this.#states.map((state) => state[slot]!);
  }
}
