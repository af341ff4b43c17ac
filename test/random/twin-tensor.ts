import type { ReferenceGradient } from '../../src/reference/reference-config.js';
import { float32 } from '../../src/reference/arithmetic.js';
import type { ElementRule, PreparedStep } from '../../src/reference/element-step.js';
import { ParameterState } from '../../src/reference/parameter-state.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import type { Rule } from '../../src/index.js';
import { type Place, readPlaces, setPlaces } from './memory.js';

/** Where a tensor and what belongs to it lie. */
export interface Home {
  readonly data: readonly Place[];
  /** Of a sparse gradient, its values. */
  readonly grad: readonly Place[];
  readonly micro?: readonly Place[];
  readonly sparse?: { readonly rowLength: number; readonly indices: Place; readonly count?: Place };
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
  readonly state: ParameterState;

  constructor(
    readonly name: string,
    rule: Rule,
    public home: Home,
  ) {
    const rowLength = home.sparse && { rowLength: home.sparse.rowLength };
    const data = readPlaces(home.data);
    this.state = new ParameterState(float32, rule, { name, data, ...rowLength }, Float32Array);
  }

  get weights(): Float32Array<ArrayBuffer> {
    return readPlaces(this.home.data);
  }

  /** Bits of a slot, as they are now. */
  slot(name: string): Float32Array<ArrayBuffer> {
    return Float32Array.from(this.state.state[name]!);
  }

  /** A step over the places that it was encoded with; of a gradient whose norm, times the multiplier, is limited. */
  update(
    rule: ElementRule<number>,
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
  serve(home: Home, rule: Rule, source: Source, isServed: boolean, count: number): void {
    const isNeeded = this.isServed !== isServed && count > 0;
    this.isServed = isServed;
    if (!isNeeded) return;
    this.#over(home, () => {
      if (source === 'rule') {
        const { slot, share } = layoutOf(rule).evaluation!;
        this.state.addState(slot, isServed ? share : -share);
        return;
      }
      const kept = this.state.state[source]!;
      const before = this.state.weights.slice();
      this.state.weights.set(kept);
      kept.set(before);
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
