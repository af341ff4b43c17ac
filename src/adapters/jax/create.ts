import { tree } from '@jax-js/jax';
import { type OptimizerConfig, type OptimizerSettings, resolveSettings } from '../../engine/input/config.js';
import { Optimizer } from '../../engine/optimizer.js';
import { OptimizerError, quote } from '../../errors.js';
import type { Rule } from '../../rules/rule.js';
import { parameterAt } from '../shared/bound-buffers.js';
import { type NamedGroup, NamedGroups } from '../shared/named-groups.js';
import { checkOptions } from '../shared/options.js';
import { OwnBuffers } from '../shared/own-buffers.js';
import { ArrayBuffers } from './array-buffers.js';
import { FusedOptimizer } from './fused-optimizer.js';
import { checkReferences, longestOf, namedLeaves, pathsLeftAlone, rejectTied } from './leaves.js';

/** Leaves with hyper-parameters of their own, e.g. `{ params: ['dense1'], lr: 0.01 }`; see {@link NamedGroup}. */
export type LeafGroup<R extends Rule = Rule> = NamedGroup<R>;

/** Options of {@link fusedOptimizer}: those of `Optimizer.create`, but that leaves are named by their paths. */
export interface FusedOptimizerOptions<R extends Rule = Rule> extends Omit<OptimizerSettings, 'lossScale'> {
  /** Leaves with options of their own. Those that none names come last, as a group with the rule's options. */
  groups?: readonly LeafGroup<R>[];
  /**
   * What the loss was multiplied with, a number > 0; gradients are divided by it. Default 1. Not `'dynamic'`: jax-js has no
   * way to read a scale that changes on the GPU.
   */
  lossScale?: number;
}

/**
 * Makes an optimizer for a pytree of float32 arrays on jax-js's `'webgpu'` device. It runs on the GPUDevice that jax-js
 * requested. Leaves that are null, or arrays of another dtype, are left alone; one array at least must be float32.
 *
 * As jax-js's own functions it consumes its argument, so give `tree.ref(params)`; if it fails, the arrays are still
 * the caller's.
 *
 * @param rule e.g. `adam({ lr: 1e-3 })`.
 * @param params nested arrays and plain objects of arrays, or one array. Paths and shapes count here, not the values.
 * @returns a promise: await it. What is asked of it as if it were the optimizer is refused.
 * @throws OptimizerError `invalid-parameter` if a leaf is no live float32 array on `'webgpu'`, or two share one buffer,
 *   `invalid-config` if jax-js's WebGPU backend is not initialized or of a version that keeps its arrays otherwise, and as
 *   `Optimizer.create`.
 */
export function fusedOptimizer<Tree, R extends Rule = Rule>(
  rule: R,
  params: Tree,
  options: FusedOptimizerOptions<NoInfer<R>> = {},
): Promise<FusedOptimizer<Tree, R>> {
  return refuseUses(create<Tree, R>(rule, params, options));
}

async function create<Tree, R extends Rule>(
  rule: R,
  params: Tree,
  options: FusedOptimizerOptions,
): Promise<FusedOptimizer<Tree, R>> {
  const prepared = prepare<Tree, R>(rule, params, resolveOptions(rule, options));
  try {
    return prepared.finish(await Optimizer.create(prepared.device, prepared.config));
  } finally {
    prepared.own.destroy();
  }
}

/** As {@link fusedOptimizer}, at once, under the conditions of `Optimizer.createSync`. */
export function fusedOptimizerSync<Tree, R extends Rule = Rule>(
  rule: R,
  params: Tree,
  options: ResolvedOptions,
): FusedOptimizer<Tree, R> {
  const prepared = prepare<Tree, R>(rule, params, options);
  try {
    return prepared.finish(Optimizer.createSync(prepared.device, prepared.config));
  } finally {
    prepared.own.destroy();
  }
}

/** What an optimizer is made of. */
interface Prepared<Tree, R extends Rule> {
  readonly device: GPUDevice;
  readonly config: OptimizerConfig;
  /** To be destroyed as soon as the optimizer is made. */
  readonly own: OwnBuffers;
  /** Consumes the parameters. */
  finish(optimizer: Optimizer): FusedOptimizer<Tree, R>;
}

function prepare<Tree, R extends Rule>(
  rule: R,
  params: Tree,
  { config, named }: ResolvedOptions,
): Prepared<Tree, R> {
  const buffers = ArrayBuffers.open();
  const left = pathsLeftAlone(params);
  const leaves = namedLeaves(params, 'params', left);
  checkReferences({ params: leaves });
  const own = new OwnBuffers(buffers.device, 'webgpu-optim jax');
  try {
    // Kernels are made for these buffers; each step says what its gradients' are.
    const grad = own.zeros(longestOf(leaves));
    const placed = [...leaves].map(([name, array]) => ({ name, array, data: buffers.bufferOf(array), grad }));
    rejectTied(placed, 'params');
    const parameters = placed.map(({ name, array, data }) =>
      parameterAt(name, { data, grad, shape: array.shape }),
    );
    const shapes = new Map(placed.map(({ name, array }) => [name, [...array.shape]]));
    const groups = named.assignAll(parameters).map((group) => ({ ...group.overrides, params: group.params }));
    return {
      device: buffers.device,
      config: { ...config, rule, groups },
      own,
      finish: (optimizer) => {
        tree.dispose(params as never);
        return new FusedOptimizer<Tree, R>(optimizer, buffers, shapes, left);
      },
    };
  } catch (error) {
    own.destroy();
    throw error;
  }
}

/** Checked options, without anything of the caller's. */
export interface ResolvedOptions {
  readonly config: OptimizerSettings;
  readonly named: NamedGroups;
}

/** Checks all that needs no parameters. @throws OptimizerError on anything wrong. */
export function resolveOptions(rule: Rule, options: FusedOptimizerOptions): ResolvedOptions {
  const { groups = [], ...config } = checkLeafOptions(options);
  resolveSettings({ ...config, rule });
  return { config, named: new NamedGroups(groups, rule, 'array') };
}

/** Lets a promise say so where it is taken for the optimizer that it is of. */
function refuseUses<T>(promise: Promise<T>): Promise<T> {
  for (const name of Object.getOwnPropertyNames(FusedOptimizer.prototype)) {
    if (name in promise) continue;
    const refuse = () => {
      throw new OptimizerError(
        'invalid-config',
        `${name} was asked of the promise of an optimizer; write: const optimizer = await fusedOptimizer(…).`,
      );
    };
    Reflect.defineProperty(promise, name, { get: refuse, set: refuse });
  }
  return promise;
}

function checkLeafOptions(given: FusedOptimizerOptions): FusedOptimizerOptions {
  const options = checkOptions(given, ['groups', 'rule', 'params'], {
    subject: 'options is',
    example: '{ groups, maxGradNorm, … }',
  });
  for (const key of ['rule', 'params']) {
    if (!(key in options)) continue;
    throw new OptimizerError('invalid-config', `options has ${key}; give it as an argument of its own.`);
  }
  const lossScale: unknown = options.lossScale;
  if (lossScale === undefined || typeof lossScale === 'number') return options;
  throw new OptimizerError(
    'invalid-option',
    `options: lossScale is ${quote(lossScale)}; give a number, as jax-js cannot read a scale that changes on the GPU.`,
  );
}
