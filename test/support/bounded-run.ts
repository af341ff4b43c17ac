import { type Bounded, errorBound } from '../../src/reference/error-bound.js';
import { makeElementRule } from '../../src/reference/element-step.js';
import {
  type ElementGradients,
  type ReferenceSparseGradient,
  sumRows,
} from '../../src/reference/sum-rows.js';
import { stepScalars } from '../../src/kernel/scalars.js';
import { usedSlots } from '../../src/kernel/variant.js';
import { evaluateLearningRate } from '../../src/rules/options.js';
import type { Rule } from '../../src/rules/rule.js';

/** A run of a rule in float64 that knows, per element, how far a conforming WGSL implementation may be off. */
export class BoundedRun {
  readonly weights: Bounded[];
  readonly #rule: Rule;
  readonly #states: Record<string, Bounded>[];
  #step = 0;

  readonly #load: (value: number) => Bounded;

  /**
   * @param weights initial weights.
   * @param inputUlps how far weights and gradients may be off: 0 if they are float32 already, ½ if the GPU gets them
   *   rounded.
   */
  constructor(rule: Rule, weights: ArrayLike<number>, inputUlps: 0 | 0.5 = 0) {
    this.#rule = rule;
    this.#load = inputUlps === 0 ? errorBound.load : errorBound.scalar;
    this.weights = Array.from(weights, this.#load);
    const used = usedSlots(rule);
    this.#states = this.weights.map(() =>
      Object.fromEntries(
        used.map((slot) => {
          const declared = rule.declaration.slots.find(({ name }) => name === slot);
          return [slot, errorBound.scalar(declared?.initial?.(rule.options) ?? 0)];
        }),
      ),
    );
  }

  step(gradients: ArrayLike<number>): void {
    this.#update({ values: Array.from(this.weights, (_, i) => this.#load(gradients[i]!)) });
  }

  /** A step of a table whose gradient names some rows. */
  stepRows(gradient: ReferenceSparseGradient, rowLength: number): void {
    const loading = { ...errorBound, load: this.#load };
    this.#update(sumRows(loading, gradient, rowLength, this.weights.length / rowLength));
  }

  #update({ values, elements }: ElementGradients<Bounded>): void {
    const lr = evaluateLearningRate(this.#rule.options.lr, this.#step);
    this.#step++;
    const { prepare, update } = makeElementRule(errorBound, this.#rule);
    const h = prepare(stepScalars(this.#rule, lr, this.#step), this.#step);
    for (let k = 0; k < values.length; k++) {
      const i = elements ? elements[k]! : k;
      this.weights[i] = update(this.weights[i]!, values[k]!, this.#states[i]!, h);
    }
  }

  /** The state of element `i`. */
  state(i: number, slot: string): Bounded {
    return this.#states[i]![slot]!;
  }
}
