import type { ReferenceGradient } from '../../../src/reference/reference-config.js';
import { float32 } from '../../../src/reference/arithmetic/arithmetic.js';
import type { PreparedStep } from '../../../src/reference/tensor/element-step.js';
import type { ReferenceRule } from '../../../src/reference/reference-rule.js';
import { ParameterState } from '../../../src/reference/tensor/parameter-state.js';
import { rounded } from '../../../src/codecs/codec.js';
import { isElementwise, layoutOf } from '../../../src/kernel/rule-layout.js';
import type { Rule } from '../../../src/index.js';
import { hasMoreRoom } from '../world/homes.js';
import { type Place, countOf, readPlaces, setPlaces } from '../world/memory.js';
import type { TensorPlan } from '../case/plans.js';

/** Where a tensor and what belongs to it lie. */
export interface Home {
  /** What its elements have, of the room that there is. */
  readonly data: readonly Place[];
  /** Of a sparse gradient, its values. */
  readonly grad: readonly Place[];
  /** The ranges that were given, which may be longer. */
  readonly room: { readonly data: readonly Place[]; readonly grad: readonly Place[] };
  readonly micro?: readonly Place[];
  /** A u32 per row, and for those that there is room for. */
  readonly mask?: Place;
  readonly sparse?: { readonly indices: Place; readonly count?: Place };
}

/** What weights are served from in place of those that train. */
export type Source = 'rule' | 'ema' | 'swa';

/** The model of a tensor: its state as the GPU's, and what the host knows of it. */
export class TensorTwin {
  /** Steps that it took part in, as the host counts them: where nothing skips on the GPU, its count. */
  hostCount = 0;
  /** Whether other weights than those that train are in their place, by what was submitted. */
  isServed = false;
  /** The count that `eval` and `train` go by, where the host tells it. */
  toldCount = 0;
  isFrozen = false;
  /** Whether the library was told a length, so that ranges may be longer. */
  hasLength: boolean;
  state: ParameterState;

  constructor(
    public plan: TensorPlan,
    public rule: Rule,
    public home: Home,
  ) {
    this.hasLength = hasMoreRoom(home);
    this.state = this.#makeState();
  }

  get name(): string {
    return this.plan.name;
  }

  /** Whether it is stepped as a whole matrix. */
  get isMatrix(): boolean {
    return this.rule.declaration.matrix !== undefined;
  }

  get length(): number {
    return countOf(this.home.data);
  }

  /** Of one that has rows. */
  get rowCount(): number {
    return this.length / this.plan.rows!.length;
  }

  get weights(): Float32Array<ArrayBuffer> {
    return readPlaces(this.home.data);
  }

  /** The state that it has. */
  get slots(): string[] {
    return Object.keys(this.state.state);
  }

  /** Bits of a slot, as they are now. */
  slot(name: string): Float32Array<ArrayBuffer> {
    return Float32Array.from(this.state.state[name]!);
  }

  /** A step over the places that it was encoded with; of a gradient whose norm, times the multiplier, is limited. */
  update(
    rule: ReferenceRule,
    home: Home,
    step: PreparedStep<number>,
    { multiplier, maxNorm }: { readonly multiplier: number; readonly maxNorm: number },
  ): void {
    const given = this.state.elementGradients(gradientAt(home));
    const gradients = maxNorm < Infinity ? this.state.clip(given, multiplier, maxNorm) : given;
    this.#over(home, () => this.state.update(rule, gradients, step));
  }

  /** The numbers that count in the norm. */
  gradientValues(home: Home): ArrayLike<number> {
    return this.state.elementGradients(gradientAt(home)).values;
  }

  /**
   * Puts other weights in their place, or those that train back, as `gate.wgsl`: where they are not there yet, and of tensors
   * that have made a step.
   */
  serve(
    home: Home,
    { rule, share = 0 }: { readonly rule: Rule; readonly share: number | undefined },
    source: Source,
    isServed: boolean,
    count: number,
  ): void {
    const isNeeded = this.isServed !== isServed && count > 0;
    this.isServed = isServed;
    if (!isNeeded) return;
    this.#over(home, () => {
      if (source === 'rule') {
        const { slot } = layoutOf(rule).evaluation!;
        this.state.addState(slot, isServed ? share : -share);
        return;
      }
      this.state.exchange(source);
    });
  }

  /** Adds the gradients of a micro-batch. */
  accumulate({ grad, micro }: Home): void {
    if (!micro) return;
    const added = readPlaces(micro);
    setPlaces(
      grad,
      readPlaces(grad).map((value, i) =>
        float32.store(float32.add(float32.load(value), float32.load(added[i]!))),
      ),
    );
  }

  /** Is another group's from here on. */
  join(rule: Rule): void {
    this.rule = rule;
    this.#carry();
  }

  /**
   * Has row i become what row `from[i]` was; others are fresh.
   *
   * @param home where it is to lie.
   * @returns what does so; what there is now is known by then.
   */
  map(from: Uint32Array, home: Home): () => void {
    const { rowCount } = this;
    const rowLength = this.plan.rows!.length;
    const move = (before: ArrayLike<number>, after: { [index: number]: number }) => {
      for (const [row, source] of from.entries()) {
        if (source >= rowCount) continue;
        for (let e = 0; e < rowLength; e++) after[row * rowLength + e] = before[source * rowLength + e]!;
      }
    };
    const weights = readPlaces(home.data);
    move(this.weights, weights);
    return () => {
      setPlaces(home.data, weights);
      this.home = home;
      this.hasLength = true;
      // Its axes have other lengths then, and are forgotten.
      const { shape: _, ...rest } = this.plan;
      this.plan = rest;
      this.#carry(move);
    };
  }

  /** Has state anew, with what there was of it. @param move puts elements where they are to be. */
  #carry(move?: (before: ArrayLike<number>, after: { [index: number]: number }) => void): void {
    const before = this.state;
    this.state = this.#makeState();
    this.state.stepCount = before.stepCount;
    for (const [slot, values] of Object.entries(before.state)) {
      const after = this.state.state[slot];
      if (!after) continue;
      if (!move || this.isWhole(slot)) {
        after.set(values);
        continue;
      }
      move(values, after);
      // Rows that come to lie beside others may be rounded together with them.
      this.#round(slot);
    }
  }

  setCount(count: number): void {
    this.hostCount = count;
    this.state.stepCount = count;
  }

  /**
   * Takes a slot back to what it was at the start, or some of its rows.
   *
   * @param hasCount whether its count goes back, too: an average that goes on begins from the weights in place.
   */
  resetSlot(slot: string, rows: readonly number[] | undefined, hasCount: boolean): void {
    if (!this.state.state[slot]) return;
    const { slots, averages } = layoutOf(this.rule);
    const { initial } = slots.find(({ name }) => name === slot)!;
    const isSeeded = !hasCount && averages.some(({ declaration }) => declaration.slot === slot);
    const { weights } = this;
    const values = this.state.state[slot];
    const rowLength = this.plan.rows?.length ?? 1;
    const isReset = (i: number) => !rows || rows.includes(Math.floor(i / rowLength));
    values.forEach((_, i) => {
      if (isReset(i)) values[i] = isSeeded ? weights[i]! : initial;
    });
    this.#round(slot);
  }

  /** Replaces a slot's values by what is kept of others. */
  writeSlot(slot: string, values: Float32Array): void {
    this.state.state[slot]!.set(values);
    this.#round(slot);
  }

  /** Leaves of a slot's values what is kept of them. */
  #round(slot: string): void {
    const values = this.state.state[slot]!;
    values.set(rounded(layoutOf(this.rule).codecOf(slot), Float32Array.from(values)));
  }

  /** Whether a slot is not one number per element. */
  isWhole(slot: string): boolean {
    return layoutOf(this.rule).slots.some((each) => each.name === slot && !isElementwise(each));
  }

  #makeState(): ParameterState {
    const { name, shape, rows, constraint, dtype } = this.plan;
    const { mask, data } = this.home;
    const words = mask && new Uint32Array(mask.buffer.floats.buffer, 4 * mask.first, mask.length);
    const options = {
      name,
      data: readPlaces(data),
      ...(shape && { shape }),
      ...(rows && { rowLength: rows.length }),
      ...(rows?.columns && { lrPerColumn: rows.columns }),
      ...(words && { rowMask: words }),
      ...(constraint && { constraint }),
      ...(dtype && { dtype }),
    };
    return new ParameterState(float32, this.rule, options, Float32Array);
  }

  #over({ data }: Home, change: () => void): void {
    this.state.weights.set(readPlaces(data));
    change();
    setPlaces(data, this.state.weights as Float32Array);
  }
}

/** The gradient that lies there now. */
function gradientAt({ grad, sparse }: Home): ReferenceGradient {
  const values = readPlaces(grad);
  if (!sparse) return values;
  const words = (place: Place) => new Uint32Array(readPlaces([place]).buffer);
  const indices = words(sparse.indices);
  return { indices, values, ...(sparse.count && { count: words(sparse.count)[0]! }) };
}
