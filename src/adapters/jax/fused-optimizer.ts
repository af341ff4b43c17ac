import { type Array as JaxArray, tree } from '@jax-js/jax';
import type { ParameterGroup } from '../../engine/parameter-group.js';
import type { StateName } from '../../engine/input/config.js';
import type { Optimizer } from '../../engine/optimizer.js';
import type { StateDict } from '../../engine/saved/state-dict.js';
import type { StepStats } from '../../engine/stats.js';
import type { LearningRate } from '../../rules/options/options.js';
import type { Rule } from '../../rules/rule.js';
import { BoundBuffers, type Placement } from '../shared/bound-buffers.js';
import { OwnBuffers } from '../shared/own-buffers.js';
import type { ArrayBuffers } from './array-buffers.js';
import {
  type Leaves,
  checkReferences,
  checkSameShapes,
  longestOf,
  namedLeaves,
  rejectTied,
} from './leaves.js';

/**
 * The optimizer of `fusedOptimizer`. Its state lies on the GPU and is its own; parameters and gradients are the
 * caller's and pass through `step`.
 */
export class FusedOptimizer<Tree, R extends Rule = Rule> {
  readonly #bound = new BoundBuffers();

  /** @internal */
  constructor(
    private readonly optimizer: Optimizer,
    private readonly buffers: ArrayBuffers,
    private readonly shapes: ReadonlyMap<string, readonly number[]>,
    private readonly left: ReadonlySet<string>,
  ) {}

  /**
   * Makes one step: dispatches what computes gradients and parameters, then the update. Never waits.
   *
   * Consumes both trees, as jax-js's own functions do, and returns the new parameters, which are the caller's:
   * `params = optimizer.step(grads, params)`. Nobody sees a value change: an array whose buffer nothing else refers to
   * is updated in its buffer (JAX calls it donated), and is the array returned. One that is still referred to (a `.ref`,
   * a view, a constant of a jit'ed function, an operation that jax-js has not dispatched yet) stays as it is, and
   * a copy takes its place. Leaves that were no float32 arrays when the optimizer was made are returned as they are.
   *
   * @param grads the gradients, of the parameters' paths and shapes. In the place of a leaf that is left alone there may be
   *   anything, or nothing.
   * @param params the parameters, of the paths and shapes that the optimizer was made for.
   * @throws OptimizerError if the trees do not fit, an array is disposed, on another device or no float32, if the optimizer
   *   is destroyed, or as `Optimizer.step`; nothing is changed and nothing consumed then.
   */
  step(grads: Tree, params: Tree): Tree {
    const gradients = namedLeaves(grads, 'grads', this.left);
    const weights = namedLeaves(params, 'params', this.left);
    checkSameShapes(gradients, this.shapes, 'grads');
    checkReferences({ grads: gradients, params: weights });
    const gradOf = (name: string) => this.buffers.bufferOf(gradients.get(name)!);
    const stepped = this.#update(weights, params, gradOf, () => this.optimizer.step());
    tree.dispose(grads as never);
    return stepped;
  }

  /**
   * Exchanges the parameters with their exponential moving averages: once to evaluate, and again to train on. Consumes
   * and returns parameters as {@link step} does.
   *
   * @throws OptimizerError if the options had no `ema`, or as {@link step}; nothing is changed then.
   */
  swapEma(params: Tree): Tree {
    const weights = namedLeaves(params, 'params', this.left);
    checkReferences({ params: weights });
    // The last gradients' buffers may hold other arrays by now, even these.
    const own = new OwnBuffers(this.buffers.device, 'webgpu-optim jax');
    try {
      const unused = own.zeros(longestOf(weights));
      return this.#update(
        weights,
        params,
        () => unused,
        () => this.optimizer.swapEma(),
      );
    } finally {
      own.destroy();
    }
  }

  /** The rule's name, e.g. `'adam'`. */
  get rule(): string {
    return this.optimizer.rule;
  }

  /** The groups, in the order of the options, and the leaves that none of them named. Each has `lr` and `params`. */
  get groups(): readonly ParameterGroup[] {
    return this.optimizer.groups;
  }

  /** The learning rate of the next step; with several groups, that of the first. */
  get lr(): number {
    return this.optimizer.lr;
  }

  /**
   * Sets the learning rate, or a schedule, of all groups from the next step on.
   *
   * @throws OptimizerError `invalid-option` if negative, NaN or infinite; nothing changes then.
   */
  set lr(lr: LearningRate) {
    this.optimizer.lr = lr;
  }

  /** Factor on all gradients from the next step on, e.g. 1/K for a sum over K micro-batches. */
  get gradScale(): number {
    return this.optimizer.gradScale;
  }

  /** @throws OptimizerError `invalid-option` unless a finite number > 0. */
  set gradScale(gradScale: number) {
    this.optimizer.gradScale = gradScale;
  }

  /** What became of the steps so far; see `Optimizer.stats`. */
  async stats(): Promise<StepStats> {
    return this.optimizer.stats();
  }

  /** Reads a slot of a leaf's state, e.g. `readState('dense1.kernel', 'exp_avg')`; see `Optimizer.readState`. */
  async readState(path: string, slot: StateName<R>): Promise<Float32Array<ArrayBuffer>> {
    return this.optimizer.readState(path, slot);
  }

  /** Everything that a resumed run needs beside the parameters, as plain data, by path; see `Optimizer.stateDict`. */
  async stateDict(): Promise<StateDict> {
    return this.optimizer.stateDict();
  }

  /**
   * Restores what {@link stateDict} gave.
   *
   * @throws OptimizerError `invalid-state-dict` if it is of another rule, tree or shapes; nothing changes then.
   */
  async loadStateDict(dict: StateDict): Promise<void> {
    await this.optimizer.loadStateDict(dict);
  }

  /** Frees the optimizer state. Arrays are the caller's. May be called twice. */
  destroy(): void {
    this.optimizer.destroy();
  }

  /**
   * Runs `change` with the parameters in buffers that only they have, and consumes them if it succeeds.
   *
   * @param gradOf dispatches what computes a leaf's gradient, and tells its buffer.
   */
  #update(weights: Leaves, params: Tree, gradOf: (name: string) => GPUBuffer, change: () => void): Tree {
    checkSameShapes(weights, this.shapes, 'params');
    const copies = new Map<string, JaxArray>();
    try {
      this.#rebind(weights, gradOf, copies);
      change();
    } catch (error) {
      for (const copy of copies.values()) copy.dispose();
      throw error;
    }
    for (const name of copies.keys()) weights.get(name)!.dispose();
    const updated = new Map([...weights].map(([name, array]) => [array, copies.get(name) ?? array]));
    return tree.map((leaf: JaxArray) => updated.get(leaf) ?? leaf, params as never);
  }

  /** Tells the engine what lies elsewhere than at the last step; `copies` takes what had to be copied. */
  #rebind(weights: Leaves, gradOf: (name: string) => GPUBuffer, copies: Map<string, JaxArray>): void {
    // All of them before any weights: what computes a gradient reads the weights, and refers to them until it is dispatched.
    const grads = Array.from(weights.keys(), gradOf);
    const placed = [...weights].map(([name, array]) => ({ name, array, data: this.buffers.bufferOf(array) }));
    rejectTied(placed, 'params');
    const placements = placed.map(({ name, array, data }, k): [string, Placement] => {
      const own = this.buffers.isUnshared(array) ? data : this.#copy(name, array, copies);
      return [name, { data: own, grad: grads[k]!, shape: array.shape }];
    });
    this.#bound.rebind(this.optimizer, new Map(placements));
  }

  /** The buffer of a copy of an array that others refer to. */
  #copy(name: string, array: JaxArray, copies: Map<string, JaxArray>): GPUBuffer {
    const copy = array.ref.mul(1);
    copies.set(name, copy);
    return this.buffers.bufferOf(copy);
  }
}
