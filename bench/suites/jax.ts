import type { Suite } from '../suite.js';

/** Who makes the step: this library's adapter, or optax's equations over jax-js's arrays, jit'ed. */
export type JaxContestant = 'ours' | 'optax';

/** Adam over some tensors with gradients that lie there, or as a part of training a network. */
export type JaxCase =
  | { readonly kind: 'step'; readonly tensorCount: number; readonly elementsPerTensor: number }
  | {
      readonly kind: 'training';
      /** Neurons per layer, inputs and outputs included. */
      readonly layers: readonly number[];
      readonly batchSize: number;
    };

export interface JaxRequest {
  readonly contestant: JaxContestant;
  readonly benchCase: JaxCase;
}

const CASES: Readonly<Record<string, JaxCase>> = {
  'step, 1e6': { kind: 'step', tensorCount: 1, elementsPerTensor: 1e6 },
  'step, 100x1e4': { kind: 'step', tensorCount: 100, elementsPerTensor: 1e4 },
  'training, 64-256-256-10': { kind: 'training', layers: [64, 256, 256, 10], batchSize: 32 },
};

export const jax: Suite<JaxRequest> = {
  description: "webgpu-optim/jax against optax on jax-js's arrays, Adam: a step, and training",
  rounds: 15,
  minMeasurementMs: 200,
  addOptions: () => undefined,
  heats: () =>
    Object.entries(CASES).map(([name, benchCase]) => ({
      case: name,
      contestants: {
        ours: { contestant: 'ours', benchCase },
        optax: { contestant: 'optax', benchCase },
      },
      baselines: ['ours'],
    })),
};
