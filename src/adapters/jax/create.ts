import { tree } from '@jax-js/jax';
import type { OptimizerConfig } from '../../engine/input/config.js';
import { Optimizer } from '../../engine/optimizer.js';
import type { Parameter } from '../../engine/input/parameter.js';
import { OptimizerError, quote } from '../../errors.js';
import type { Rule } from '../../rules/rule.js';
import { ArrayBuffers, byteLengthOf, longestOf, wholeOf } from './array-buffers.js';
import { FusedOptimizer } from './fused-optimizer.js';
import { type LeafGroup, groupParameters } from './leaf-groups.js';
import { type Leaves, checkReferences, namedLeaves } from './leaves.js';

/** Options of {@link fusedOptimizer}: those of `Optimizer.create`, but that leaves are named by their paths. */
export interface FusedOptimizerOptions extends Omit<
  OptimizerConfig,
  'rule' | 'params' | 'groups' | 'lossScale'
> {
  /** Leaves with options of their own. Those that none names come last, as a group with the rule's options. */
  groups?: readonly LeafGroup[];
  /**
   * What the loss was multiplied with, a number > 0; gradients are divided by it. Default 1. Not `'dynamic'`: jax-js has no
   * way to read a scale that changes on the GPU.
   */
  lossScale?: number;
}

/**
 * Makes an optimizer for a pytree of float32 arrays on jax-js's `'webgpu'` device. It runs on the GPUDevice that jax-js
 * requested.
 *
 * As jax-js's own functions it consumes its argument, so give `tree.ref(params)`; if it fails, the arrays are still
 * the caller's.
 *
 * @param rule e.g. `adam({ lr: 1e-3 })`.
 * @param params nested arrays and plain objects of arrays, or one array. Paths and shapes count here, not the values.
 * @throws OptimizerError `invalid-parameter` if a leaf is no live float32 array on `'webgpu'`, `invalid-config` if jax-js's
 *   WebGPU backend is not initialized or of a version that keeps its arrays otherwise, and as `Optimizer.create`.
 */
export async function fusedOptimizer<Tree>(
  rule: Rule,
  params: Tree,
  options: FusedOptimizerOptions = {},
): Promise<FusedOptimizer<Tree>> {
  const { groups = [], ...config } = checkOptions(options);
  const buffers = ArrayBuffers.open();
  const leaves = namedLeaves(params, 'params');
  checkReferences({ params: leaves });
  const shapes = new Map([...leaves].map(([name, array]) => [name, [...array.shape]]));
  const placeholders: GPUBuffer[] = [];
  try {
    const parameters = describe(leaves, buffers, placeholders);
    const optimizer = await Optimizer.create(buffers.device, {
      ...config,
      rule,
      groups: groupParameters(parameters, groups),
    });
    tree.dispose(params as never);
    return new FusedOptimizer<Tree>(optimizer, buffers, shapes);
  } finally {
    for (const buffer of placeholders) buffer.destroy();
  }
}

/** The engine's parameters, in buffers to make kernels for: each step says what its buffers are. */
function describe(leaves: Leaves, buffers: ArrayBuffers, placeholders: GPUBuffer[]): Parameter[] {
  const makePlaceholder = (size: number): GPUBuffer => {
    const buffer = buffers.makePlaceholder(size);
    placeholders.push(buffer);
    return buffer;
  };
  const grad = makePlaceholder(longestOf(leaves));
  const taken = new Set<GPUBuffer>();
  return [...leaves].map(([name, array]) => {
    const own = buffers.bufferOf(array);
    // Two leaves that share a buffer part at the first step.
    const data = taken.has(own) ? makePlaceholder(byteLengthOf(array)) : own;
    taken.add(data);
    return { name, data: wholeOf(data, array), grad: wholeOf(grad, array) };
  });
}

function checkOptions(options: FusedOptimizerOptions): FusedOptimizerOptions {
  if (typeof options !== 'object' || options === null) {
    throw new OptimizerError(
      'invalid-config',
      `options is ${quote(options)}; give { groups, maxGradNorm, … }.`,
    );
  }
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
