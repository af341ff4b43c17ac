import { type Codec, rounded as roundedBy } from '../../codecs/codec.js';
import { f32 } from '../../codecs/f32.js';
import type { Masters } from '../../codecs/masters.js';
import { resolveCodec } from '../../codecs/weight-dtype.js';
import { rejectColumns, resolveRowOptions } from '../../engine/input/parameter/row-options.js';
import { rejectNoMatrix, resolveShape } from '../../engine/input/parameter/shape.js';
import { checkRowLength, countRows, rejectWholeTable } from '../../engine/input/parameter/sparse-table.js';
import { rejectSharedRows } from '../../engine/input/options/state-options.js';
import { OptimizerError, isRecord, quote } from '../../errors.js';
import { type LayoutSlot, layoutOf, slotLength } from '../../kernel/rule-layout.js';
import type { Side } from '../../rules/declaring/matrix-size.js';
import type { Rule } from '../../rules/rule.js';
import type { Arithmetic } from '../../rules/declaring/arithmetic.js';
import { clipToNorm } from '../clip-to-norm.js';
import type { MatrixRule, PreparedStep } from './element-step.js';
import { type NumericArray, isNumberList, rejectOverflow } from '../arithmetic/numbers.js';
import type { NamedParameter, ReferenceGradient } from '../reference-config.js';
import { type ElementGradients, type ReferenceSparseGradient, checkEntries, sumRows } from './sum-rows.js';
import { limitWeight } from './constrain.js';
import { type WeightKeeper, gradientReader, keeperOf, keeping, overflows } from './keeping.js';
import { type TableOptions, divideRows, positionsOf, stepOfColumn, withoutMasked } from './table-step.js';
import type { ReferenceRule } from '../reference-rule.js';
import { summarizeTensor } from './tensor-step.js';
import { updateElements } from './update-elements.js';

/** A parameter of the reference with its state; it is stepped in an arithmetic that its arrays can hold. */
export class ParameterState {
  readonly name: string;
  /** The gradient that a step takes when it is given none. */
  readonly grad: ReferenceGradient | undefined;
  /** In the reference's own precision. */
  readonly weights: NumericArray;
  /** By slot: a number per element, or one per tensor. */
  readonly state: Readonly<Record<string, NumericArray>>;
  /** Steps applied to it. */
  stepCount = 0;
  /** Weights that became infinite when they were rounded, where that is counted. */
  overflowCount: number | undefined;
  /** Whether its weights are kept in 2 bytes, and no more exactly beside. */
  readonly isRounded: boolean;
  readonly #data: NumericArray;
  /** What of a weight is kept behind a step. */
  readonly #keep: WeightKeeper;
  /** How weights lie in memory, and what keeps them more exactly. */
  readonly #codec: Codec;
  readonly #masters: Masters | undefined;
  /** How gradients are read. */
  readonly #read: (values: ArrayLike<number>) => ArrayLike<number>;
  readonly #rowLength: number | undefined;
  readonly #shape: readonly number[] | undefined;
  readonly #table: TableOptions;
  readonly #codecs: ReadonlyMap<string, Codec>;
  readonly #tensorSlots: readonly string[];
  /** The slots that have a number per row, or per column. */
  readonly #sides: readonly LayoutSlot[];

  /** @throws OptimizerError `invalid-parameter` if its data or its rows are unusable. */
  constructor(
    private readonly arithmetic: Arithmetic<number>,
    private readonly rule: Rule,
    {
      name,
      data,
      grad,
      rowLength,
      rowMask,
      constraint,
      lrPerColumn,
      dtype,
      gradDtype,
      gradScale,
      shape,
    }: NamedParameter,
    ArrayType: Float32ArrayConstructor | Float64ArrayConstructor,
  ) {
    const what = `parameter ${quote(name)}`;
    if (ArrayType === Float32Array) rejectOverflow(data, `${what}: data`);
    const rowCount =
      rowLength === undefined ? 0 : countRows(data.length, checkRowLength(rowLength, what), what);
    const options = resolveRowOptions({ constraint, lrPerColumn }, rowLength, what);
    if (options.columns) rejectColumns(rule, options.columns, name);
    if (rowMask !== undefined) checkMask(rowMask, rowLength, rowCount, `${what}: rowMask`);
    this.#table = {
      ...options,
      ...(rowLength !== undefined && { rowLength }),
      ...(rowMask !== undefined && { mask: rowMask }),
    };
    if (isSparse(grad)) rejectWholeTable(rule, name);
    const { constraint: constrained } = options;
    rejectSharedRows(rule, {
      name,
      rowLength,
      constraint: constrained,
      mask: rowMask,
      sparse: isSparse(grad),
    });
    this.#shape = resolveShape(shape, data.length, what).shape;
    rejectNoMatrix(rule, {
      name,
      shape: this.#shape,
      sparse: isSparse(grad),
      mask: rowMask,
      columns: options.columns,
    });
    this.name = name;
    this.grad = grad;
    const codec = resolveCodec(dtype ?? 'f32', 'dtype', what) ?? f32;
    const { slots, laneSlots, tensorSlots, codecOf, masters } = layoutOf(rule);
    this.#codec = codec;
    if (codec.overflowsFrom !== undefined) this.overflowCount = 0;
    this.#read = gradientReader(
      gradDtype ?? 'f32',
      gradScale,
      ArrayType === Float32Array,
      `step: the gradient of ${what}`,
    );
    this.#masters = masters;
    this.isRounded = codec !== f32 && !masters;
    this.#keep = keeperOf(codec, rule.seed, name);
    this.weights = new ArrayType(data).map(keeping(codec));
    this.state = initialState(rule, this.weights, this.#shape);
    this.#data = data;
    this.#rowLength = rowLength;
    this.#codecs = new Map(laneSlots.map((slot) => [slot, codecOf(slot)]));
    this.#tensorSlots = tensorSlots;
    this.#sides = slots.filter(({ along }) => along);
  }

  /**
   * What a step is to do to which elements; without `elements`, to all in order.
   *
   * @throws OptimizerError `invalid-parameter` if the gradient does not fit.
   */
  elementGradients(gradient: ReferenceGradient | undefined): ElementGradients<number> {
    const { length } = this.weights;
    const what = `step: the gradient of parameter ${quote(this.name)}`;
    const isSingle = this.weights instanceof Float32Array;
    if (isSparse(gradient) && this.#rowLength !== undefined) {
      rejectWholeTable(this.rule, this.name);
      rejectSharedRows(this.rule, { name: this.name, rowLength: this.#rowLength, sparse: true });
      rejectNoMatrix(this.rule, { name: this.name, shape: this.#shape, sparse: true });
      if (this.#table.mask) fail(`${what} is sparse, but the parameter has a rowMask; give a dense one.`);
      const entries = checkEntries(gradient, this.#rowLength, what);
      if (isSingle) rejectOverflow(entries.values, `${what}: values`);
      const read = { ...entries, values: this.#read(entries.values) };
      return sumRows(this.arithmetic, read, this.#rowLength, length / this.#rowLength);
    }
    if (!isNumberList(gradient)) {
      const or = this.#rowLength === undefined ? '' : ', or { indices, values }';
      fail(`${what} is ${quote(gradient)}; give ${length} numbers, in a typed array or a plain one${or}.`);
    }
    if (gradient.length !== length) fail(`${what} has ${gradient.length} elements; give ${length}.`);
    if (isSingle) rejectOverflow(gradient, what);
    const masked = withoutMasked(gradient, this.#table);
    return { ...masked, values: this.#read(masked.values) };
  }

  /** The gradient with a norm of `maxNorm` at most, as {@link clipToNorm}. */
  clip(gradient: ElementGradients<number>, multiplier: number, maxNorm: number): ElementGradients<number> {
    const values = Array.from(gradient.values, this.arithmetic.load);
    return clipToNorm(this.arithmetic, { ...gradient, values }, multiplier, maxNorm);
  }

  /**
   * Makes one step, its own next one.
   *
   * @param onChange called before anything changes: where the rule throws without, nothing has.
   */
  update(
    rule: ReferenceRule,
    { values: given, elements }: ElementGradients<number>,
    step: PreparedStep<number>,
    onChange: () => void = () => {},
  ): void {
    const gradient = rule.matrix ? this.#transformed(rule, rule.matrix, given, step, onChange) : given;
    const f = this.arithmetic;
    const { load, store } = f;
    const { weights, state } = this;
    const table = this.#table;
    const arrays = Array.from(this.#codecs, ([slot, codec]) => [slot, state[slot]!, codec] as const);
    const element: Record<string, number> = {};
    /** Element i, and its gradient, which is the k-th. */
    const loadElement = (i: number, k = i) => {
      for (const [slot, values] of arrays) element[slot] = load(values[i]!);
      return { w: load(this.#weight(i)), g: load(gradient[k]!), s: element };
    };
    const whole = Object.fromEntries(this.#tensorSlots.map((slot) => [slot, load(state[slot]![0]!)]));
    // Only what measures tensors goes through them whole.
    const positions = rule.tensor && elements ? positionsOf(elements) : undefined;
    const tensor = summarizeTensor(
      rule,
      weights.length,
      positions ? (i) => loadElement(i, positions.get(i)) : loadElement,
      whole,
      step,
      positions && ((i) => positions.has(i)),
    );
    const isCounted = this.#codec.overflowsFrom !== undefined;
    const isPlain = this.#codec === f32 && !this.#masters && typeof table.constraint !== 'object';
    updateElements(
      rule.lanes,
      rule.byLanes,
      {
        gradient,
        elements,
        weights,
        weightAt: this.#masters && ((i) => this.#weight(i)),
        state: arrays,
        step,
        ...(table.columns && { stepOf: (i) => stepOfColumn(step, table, i) }),
        tensor,
        onChange,
      },
      isPlain
        ? undefined
        : (i, after, before) => {
            const limited = store(limitWeight(f, after, table.constraint));
            if (isCounted && overflows(this.#codec, limited) && !overflows(this.#codec, store(before)))
              this.overflowCount!++;
            this.#setWeight(i, limited, step.t);
          },
    );
    for (const slot of this.#tensorSlots) state[slot]![0] = store(whole[slot]!);
    // What was not stepped stays what it is.
    for (const [, values, codec] of arrays) keep(codec, values);
    const access = {
      length: weights.length,
      get: (i: number) => load(this.#weight(i)),
      set: (i: number, value: number) => this.#setWeight(i, store(value), step.t),
    };
    divideRows(f, table, access, elements);
    this.#data.set(weights);
    this.stepCount = step.t;
  }

  /** What a rule of matrices has in place of the gradients; updates the state that it is made with. */
  #transformed(
    { lanes, byLanes }: ReferenceRule,
    { transform }: MatrixRule<number>,
    gradient: ArrayLike<number>,
    step: PreparedStep<number>,
    onChange: () => void,
  ): number[] {
    const { load, store } = this.arithmetic;
    const { state, weights } = this;
    const directions: number[] = [];
    updateElements(
      lanes,
      byLanes.matrix!.direct,
      {
        gradient,
        elements: undefined,
        weights,
        state: Array.from(this.#codecs.keys(), (slot) => [slot, state[slot]!] as const),
        step: step.directing!,
        tensor: {},
        onChange,
      },
      (i, direction) => (directions[i] = direction),
    );
    const sides: Record<Side, number[]> = { rows: [], columns: [] };
    for (const { name, along } of this.#sides) sides[along!] = Array.from(state[name]!, load);
    const transformed = transform(directions, this.#shape!, sides, step);
    for (const { name, along } of this.#sides) state[name]!.set(sides[along!].map(store));
    return transformed;
  }

  /**
   * Takes over a saved state; its arrays have the lengths of this one's. Averages that it lacks begin from the weights, and weights are
   * what lies there if it lacks what was more exact.
   */
  restore(stepCount: number, saved: Readonly<Record<string, NumericArray | undefined>>): void {
    this.stepCount = stepCount;
    for (const [slot, values] of Object.entries(this.state)) {
      if (slot === this.#masters?.slot && !saved[slot]) values.fill(0);
      else values.set(saved[slot] ?? this.weights);
      const codec = this.#codecs.get(slot);
      if (codec) keep(codec, values);
    }
  }

  /** Exchanges the weights with a slot. */
  exchange(slot: string): void {
    const values = this.state[slot]!;
    values.forEach((value, i) => {
      values[i] = this.#weight(i);
      this.#setWeight(i, value, this.stepCount);
    });
    this.#data.set(this.weights);
  }

  /** Adds a state slot to the weights, times a factor: the CPU twin of `shaders/interpolate.wgsl`. */
  addState(slot: string, factor: number): void {
    const { load, store, scalar, add, mul } = this.arithmetic;
    const { weights } = this;
    const rounded = scalar(factor);
    const offsets = this.state[slot]!;
    weights.forEach((_, i) =>
      this.#setWeight(i, store(add(load(this.#weight(i)), mul(rounded, load(offsets[i]!)))), this.stepCount),
    );
    this.#data.set(weights);
  }

  /** A weight, as exactly as it is kept; the twin of `load_data` in src/kernel/step-kernel.ts. */
  #weight(i: number): number {
    const copy = this.weights[i]!;
    const masters = this.#masters;
    return masters ? masters.weightOf(copy, this.state[masters.slot]![i]!, this.#codec) : copy;
  }

  /** @param t the count of the step behind which it is so. */
  #setWeight(i: number, value: number, t: number): void {
    const masters = this.#masters;
    if (masters) this.state[masters.slot]![i] = masters.keptOf(value);
    this.weights[i] = this.#keep(value, i, t);
  }
}

/** Leaves of values what is there when they are loaded again; where all float32 are kept, float64 are, too. */
function keep(codec: Codec, values: NumericArray): NumericArray {
  if (codec.roundingError > 0) values.set(roundedBy(codec, Float32Array.from(values)));
  return values;
}

/** Whether a gradient is meant as one of some rows. */
function isSparse(gradient: unknown): gradient is ReferenceSparseGradient {
  return isRecord(gradient) && !isNumberList(gradient);
}

function checkMask(mask: unknown, rowLength: number | undefined, rowCount: number, what: string): void {
  if (!isNumberList(mask)) fail(`${what} is ${quote(mask)}; give a number per row.`);
  if (rowLength === undefined) fail(`${what} is given without rowLength; give the elements per row.`);
  if (mask.length < rowCount) {
    fail(`${what} has ${mask.length} numbers for ${rowCount} rows; give one per row.`);
  }
}

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}

function initialState(
  rule: Rule,
  weights: NumericArray,
  shape: readonly number[] | undefined,
): Record<string, NumericArray> {
  const ArrayType = weights instanceof Float64Array ? Float64Array : Float32Array;
  return Object.fromEntries(
    layoutOf(rule).slots.map((slot) => {
      const length = slotLength(slot, { elementCount: weights.length, shape });
      return [slot.name, keep(slot.codec, new ArrayType(length).fill(slot.initial))];
    }),
  );
}
