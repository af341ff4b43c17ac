import { countRows, rejectAveragedTable, rejectMeasuredTable } from '../engine/sparse/table.js';
import { OptimizerError, quote } from '../errors.js';
import { layoutOf } from '../kernel/rule-layout.js';
import type { Rule } from '../rules/rule.js';
import type { Arithmetic } from '../rules/arithmetic.js';
import type { ElementRule } from './element-step.js';
import type { NumericArray, ReferenceGradient, ReferenceParameter } from './reference-config.js';
import { type ElementGradients, checkEntries, sumRows } from './sum-rows.js';
import { summarizeTensor } from './tensor-step.js';

/** A parameter of the reference with its state; it is stepped in an arithmetic that its arrays can hold. */
export class ParameterState {
  readonly name: string;
  /** The gradient that a step takes when it is given none. */
  readonly grad: ReferenceGradient | undefined;
  /** In the reference's own precision. */
  readonly weights: NumericArray;
  /** By slot: a number per element, or one per tensor. */
  readonly state: Readonly<Record<string, NumericArray>>;
  readonly #data: NumericArray;
  readonly #rowLength: number | undefined;
  readonly #slots: readonly string[];
  readonly #tensorSlots: readonly string[];

  /** @throws OptimizerError `invalid-parameter` if its data or its rows are unusable. */
  constructor(
    private readonly arithmetic: Arithmetic<number>,
    rule: Rule,
    { name, data, grad, rowLength }: ReferenceParameter & { readonly name: string },
    ArrayType: Float32ArrayConstructor | Float64ArrayConstructor,
  ) {
    const what = `parameter ${quote(name)}`;
    checkArray(data, `${what}: data`);
    if (rowLength !== undefined) {
      countRows(data.length, rowLength, what);
      rejectMeasuredTable(rule, name);
      rejectAveragedTable(rule, name);
    }
    this.name = name;
    this.grad = grad;
    this.weights = new ArrayType(data);
    this.state = initialState(rule, this.weights);
    this.#data = data;
    this.#rowLength = rowLength;
    const { elementSlots, tensorSlots } = layoutOf(rule);
    this.#slots = elementSlots;
    this.#tensorSlots = tensorSlots;
  }

  /**
   * What a step is to do to which elements; without `elements`, to all in order.
   *
   * @throws OptimizerError `invalid-parameter` if the gradient does not fit.
   */
  elementGradients(gradient: ReferenceGradient | undefined): ElementGradients<number> {
    const { length } = this.weights;
    const what = `step: the gradient of parameter ${quote(this.name)}`;
    if (this.#rowLength !== undefined) {
      const entries = checkEntries(gradient, this.#rowLength, what);
      return sumRows(this.arithmetic, entries, this.#rowLength, length / this.#rowLength);
    }
    const values = gradient as ArrayLike<number> | undefined;
    if (values?.length === length) return { values };
    throw new OptimizerError(
      'invalid-parameter',
      `${what} has ${quote(values?.length)} elements; give ${length}.`,
    );
  }

  /** Makes one step. */
  update(
    rule: ElementRule<number>,
    { values: gradient, elements }: ElementGradients<number>,
    h: Record<string, number>,
  ): void {
    const { load, store } = this.arithmetic;
    const { weights, state } = this;
    const element: Record<string, number> = {};
    const arrays = this.#slots.map((slot) => [slot, state[slot]!] as const);
    /** Element i, and its gradient, which is the k-th. */
    const loadElement = (i: number, k = i) => {
      for (const [slot, values] of arrays) element[slot] = load(values[i]!);
      return { w: load(weights[i]!), g: load(gradient[k]!), s: element };
    };
    const whole = Object.fromEntries(this.#tensorSlots.map((slot) => [slot, load(state[slot]![0]!)]));
    const tensor = summarizeTensor(rule, weights.length, loadElement, whole, h);
    for (const slot of this.#tensorSlots) state[slot]![0] = store(whole[slot]!);
    for (let k = 0; k < gradient.length; k++) {
      const i = elements ? elements[k]! : k;
      const { w, g } = loadElement(i, k);
      weights[i] = store(rule.update(w, g, element, h, tensor));
      for (const [slot, values] of arrays) values[i] = store(element[slot]!);
    }
    this.#data.set(weights);
  }

  /** Adds a state slot to the weights, times a factor: the CPU twin of `shaders/interpolate.wgsl`. */
  addState(slot: string, factor: number): void {
    const { load, store, scalar, add, mul } = this.arithmetic;
    const { weights } = this;
    const rounded = scalar(factor);
    const offsets = this.state[slot]!;
    weights.forEach((w, i) => (weights[i] = store(add(load(w), mul(rounded, load(offsets[i]!))))));
    this.#data.set(weights);
  }
}

function checkArray(data: unknown, what: string): void {
  if (data instanceof Float32Array || data instanceof Float64Array) return;
  throw new OptimizerError(
    'invalid-parameter',
    `${what} is ${quote(data)}; give a Float32Array or Float64Array.`,
  );
}

function initialState(rule: Rule, weights: NumericArray): Record<string, NumericArray> {
  const ArrayType = weights instanceof Float64Array ? Float64Array : Float32Array;
  return Object.fromEntries(
    layoutOf(rule).slots.map(({ name, perTensor, initial }) => [
      name,
      new ArrayType(perTensor ? 1 : weights.length).fill(initial),
    ]),
  );
}
