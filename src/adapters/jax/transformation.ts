import { Array as JaxArray, defaultDevice, tree } from '@jax-js/jax';
import { OptimizerError, isRecord, quote } from '../../errors.js';
import type { Rule } from '../../rules/rule.js';
import {
  type FusedOptimizerOptions,
  type ResolvedOptions,
  fusedOptimizerSync,
  resolveOptions,
} from './create.js';
import { FusedOptimizer } from './fused-optimizer.js';

/** Anything in the shape of optax' transformations. */
interface Transformation {
  init(params: never): unknown;
  update(grads: never, state: never, params?: never): unknown;
}

/** What {@link FusedTransformation} gives for {@link applyUpdates}: gradients that have yet to make their step. */
export class FusedUpdates<Tree> {
  /** @internal */
  constructor(
    private readonly optimizer: FusedOptimizer<Tree>,
    private readonly grads: Tree,
  ) {}

  /** What jax-js says that it cannot add, if these are given to optax' own `applyUpdates`. */
  toString(): string {
    return 'updates of webgpu-optim/jax; apply them by its own applyUpdates';
  }

  /** @internal */
  applyTo(params: Tree): Tree {
    return this.optimizer.step(this.grads, params);
  }
}

/**
 * A rule in the shape of `@jax-js/optax`: for code that has `init`, `update` and `applyUpdates`. Nothing is computed by `update`: the
 * step is made by {@link applyUpdates} of this module, in place, and that is when the state goes on. So updates can be applied
 * once, and are no tree: they cannot be chained, scaled or masked; the options of {@link fusedTransformation} clip and scale.
 */
export class FusedTransformation<R extends Rule = Rule> {
  /** @internal */
  constructor(
    private readonly rule: R,
    private readonly options: ResolvedOptions,
  ) {}

  /**
   * Makes the state: the optimizer itself, with all that `fusedOptimizer` gives. Its `destroy()` frees it. Kernels that are not
   * compiled yet are compiled while the caller waits, and what the device turns out to reject is thrown by a later call.
   *
   * @param params as `fusedOptimizer` takes them: consumed, so give `tree.ref(params)`.
   * @throws OptimizerError as `fusedOptimizer`.
   */
  init<Tree>(params: Tree): FusedOptimizer<Tree, R> {
    return fusedOptimizerSync<Tree, R>(this.rule, params, this.options);
  }

  /**
   * The updates that gradients are to make, and the same state.
   *
   * @param grads consumed when the updates are applied.
   * @param params not needed; consumed.
   * @throws OptimizerError `invalid-parameter` if the state is none; nothing is consumed then.
   */
  update<Tree>(
    grads: Tree,
    state: FusedOptimizer<Tree, R>,
    params?: Tree,
  ): [updates: FusedUpdates<Tree>, state: FusedOptimizer<Tree, R>] {
    if (!(state instanceof FusedOptimizer)) {
      throw new OptimizerError(
        'invalid-parameter',
        `update(): the state is ${quote(state)}; give what init() returned.`,
      );
    }
    // At once: as long as others refer to parameters, they cannot be updated in place.
    tree.dispose(params as never);
    return [new FusedUpdates<Tree>(state, grads), state];
  }

  /**
   * This one if jax-js computes on `'webgpu'`, else another one, e.g. optax' own: for pages that fall back to `'wasm'`. Which of them is
   * seen each time that a state is made, by `defaultDevice()`; `defaultDevice('webgpu')` may come behind this call. A state stays with
   * the one that made it. {@link applyUpdates} takes the updates of both.
   *
   * @returns either of the two, of the other's type: whoever takes it uses no more of it than that shape.
   * @throws OptimizerError `invalid-config` if the other has no `init` and `update`.
   * @example const solver = fusedTransformation(adam({ lr: 1e-3 })).orElse(optax.adam(1e-3));
   */
  orElse<T extends Transformation>(other: T): T {
    const { init, update } = (isRecord(other) ? other : {}) as Partial<Transformation>;
    if (typeof init !== 'function' || typeof update !== 'function') {
      throw new OptimizerError(
        'invalid-config',
        `orElse() was given ${quote(other)}; give a transformation of @jax-js/optax, e.g. adam(1e-3).`,
      );
    }
    const either: Transformation = {
      init: (params) => (defaultDevice() === 'webgpu' ? this.init(params) : other.init(params)),
      update: (grads, state: unknown, params) =>
        state instanceof FusedOptimizer
          ? this.update<unknown>(grads, state, params)
          : other.update(grads, state as never, params),
    };
    return either as T;
  }
}

/**
 * A rule in the shape of `@jax-js/optax`.
 *
 * @param rule e.g. `adam({ lr: 1e-3 })`.
 * @param options as those of `fusedOptimizer`.
 * @throws OptimizerError on an unknown option or a value out of range.
 * @example
 * const solver = fusedTransformation(adam({ lr: 1e-3 })); // in place of optax' adam(1e-3)
 * let state = solver.init(tree.ref(params));
 * [updates, state] = solver.update(grads, state);
 * params = applyUpdates(params, updates); // of 'webgpu-optim/jax', too
 */
export function fusedTransformation<R extends Rule>(
  rule: R,
  options: FusedOptimizerOptions<NoInfer<R>> = {},
): FusedTransformation<R> {
  return new FusedTransformation(rule, resolveOptions(rule, options));
}

/**
 * Applies updates to parameters, and consumes both. Those of {@link FusedTransformation} make their step; trees, as optax' own
 * transformations give them, are added.
 *
 * @returns the new parameters.
 * @throws OptimizerError as `FusedOptimizer.step`; nothing is changed and nothing consumed then.
 */
export function applyUpdates<Tree>(params: Tree, updates: FusedUpdates<Tree> | Tree): Tree {
  if (updates instanceof FusedUpdates) return updates.applyTo(params);
  const add = (param: unknown, update: unknown) =>
    param instanceof JaxArray && update instanceof JaxArray ? param.add(update) : param;
  return tree.map(add, params as never, updates as never);
}
