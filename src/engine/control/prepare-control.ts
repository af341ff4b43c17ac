import finalizeWgsl from '../../../shaders/control/finalize.wgsl?raw';
import reduceWgsl from '../../../shaders/control/reduce.wgsl?raw';
import treeWgsl from '../../../shaders/tree.wgsl?raw';
import lanesWgsl from '../../../shaders/lanes.wgsl?raw';
import squaresWgsl from '../../../shaders/squares.wgsl?raw';
import wordsWgsl from '../../../shaders/words.wgsl?raw';
import type { Compilable } from '../../kernel/compilable.js';
import type { Pipeline, PipelineSource } from '../../kernel/pipeline-cache.js';
import { chooseShape } from '../../kernel/shape.js';
import { shapeConstants } from '../../kernel/step-kernel.js';
import type { Rule } from '../../rules/rule.js';
import { paddingOf } from '../arena-buffers.js';
import type { Piece } from '../plan/planned.js';
import { joinPieces } from '../plan/runs.js';
import { type ReductionPlan, planReduction } from './plan-reduction.js';
import type { ResolvedGradientOptions } from './settings.js';

/** Bytes of the WGSL struct `Settings`. */
export const SETTINGS_BYTE_LENGTH = 48;
/** Bytes of the WGSL struct `Stretch`. */
export const STRETCH_BYTE_LENGTH = 32;
/** Gradients are only read: on GPUs, more lanes per invocation leave fewer partials to finalize. */
const MIN_LANES_PER_INVOCATION = 16;

/** The plan and pipelines of a control pass; made before any buffer is. */
export interface PreparedControl {
  readonly rules: readonly Rule[];
  readonly options: ResolvedGradientOptions;
  readonly plan: ReductionPlan<GPUBuffer>;
  readonly reducers: readonly Pipeline[];
  readonly finalizer: Pipeline;
}

/** Plans the reduction of all gradients, and its kernels. */
export function prepareControl(
  device: GPUDevice,
  rules: readonly Rule[],
  gradients: readonly Piece<GPUBuffer>[],
  options: ResolvedGradientOptions,
): Compilable<PreparedControl> {
  const plan = planGradients(device, gradients);
  const reducers = plan.stretches.map(({ shape }): PipelineSource => ({
    label: 'webgpu-optim reduce',
    code: `${lanesWgsl}\n${squaresWgsl}\n${treeWgsl}\n${reduceWgsl}`,
    entryPoint: 'reduce',
    constants: shapeConstants(shape),
    bindGroups: [
      [
        { type: 'uniform', minBindingSize: STRETCH_BYTE_LENGTH },
        { type: 'read-only-storage', minBindingSize: 16 },
        { type: 'read-only-storage', minBindingSize: 4 },
        { type: 'storage', minBindingSize: 16 },
      ],
    ],
  }));
  const finalizer: PipelineSource = {
    label: 'webgpu-optim finalize',
    code: `${squaresWgsl}\n${treeWgsl}\n${wordsWgsl}\n${finalizeWgsl}`,
    entryPoint: 'finalize',
    constants: {
      CLIP: Number(options.maxGradNorm < Infinity),
      SKIP: Number(options.skipNonFinite),
      DYNAMIC: Number(options.dynamic !== undefined),
    },
    bindGroups: [
      [{ type: 'read-only-storage' }, { type: 'storage' }, { type: 'storage' }, { type: 'storage' }],
      [{ type: 'uniform', hasDynamicOffset: true, minBindingSize: SETTINGS_BYTE_LENGTH }],
    ],
  };
  return {
    sources: [finalizer, ...reducers],
    finish: ([finalize, ...reduce]) => ({ rules, options, plan, reducers: reduce, finalizer: finalize! }),
  };
}

/** The reduction of all gradients, over the buffers that they have. */
export function planGradients(
  device: GPUDevice,
  gradients: readonly Piece<GPUBuffer>[],
): ReductionPlan<GPUBuffer> {
  return planReduction(
    joinPieces(gradients, paddingOf, false),
    device.limits,
    device.limits.maxComputeWorkgroupsPerDimension,
    (laneCount) => {
      const shape = chooseShape(device.adapterInfo, 4, laneCount);
      const lanesPerInvocation = Math.max(shape.lanesPerInvocation, MIN_LANES_PER_INVOCATION);
      return { ...shape, lanesPerInvocation };
    },
  );
}
