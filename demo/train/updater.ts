import type * as tf from '@tensorflow/tfjs-core';
import { FusedOptimizer, type FusedOptimizerOptions } from '../../src/adapters/tfjs/index.js';
import type { Rule } from '../../src/index.js';
import type { GpuSession } from './gpu-session.js';
import type { Parameter } from './parameter.js';

/** What moves the parameters: our engine, or one of tfjs's own optimizers as a peer. */
export interface Updater {
  /** Puts one step on the GPU's queue and waits for nothing. `gradients` are in parameter order. */
  readonly apply: (gradients: readonly tf.Tensor[]) => void;
  /** Frees state and everything else that the updater made. Flush the session first. */
  readonly destroy: () => void;
}

/** Makes an updater for some parameters. */
export type UpdaterFactory = (session: GpuSession, parameters: readonly Parameter[]) => Promise<Updater>;

/** Our engine on tfjs's gradients, where they lie. It updates the parameters where tfjs reads them. */
export function engineUpdater(rule: Rule, options: FusedOptimizerOptions): UpdaterFactory {
  return (_session, parameters) => {
    const optimizer = new FusedOptimizer(rule, { label: 'demo optimizer', ...options });
    return Promise.resolve({
      apply: (gradients) =>
        optimizer.applyGradients(
          parameters.map(({ name }, i) => ({ name, tensor: gradients[i] as tf.Tensor })),
        ),
      destroy: () => optimizer.dispose(),
    });
  };
}
