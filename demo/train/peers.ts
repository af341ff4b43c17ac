import * as tf from '@tensorflow/tfjs-core';
import type { LearningRate } from '../../src/index.js';
import type { UpdaterFactory } from './updater.js';

interface Peer {
  /** The same optimizer of tfjs. */
  readonly create: (lr: number) => tf.Optimizer;
  /** The options under which our rule computes what tfjs computes (read from its 4.22 sources). */
  readonly formula: Readonly<Record<string, unknown>>;
}

/** Momentum has no default in `tf.train.momentum`; 0.9 is the default of our rule. */
const MOMENTUM = 0.9;

/**
 * `tf.train`'s optimizers under the names of our rules.
 *
 * ε is `backend.epsilon()`, 1e-7 where floats have 32 bits. Adagrad starts its accumulator at 0.1,
 * and it and RMSProp take the root of s + ε; Adam adds ε to the root of the corrected v̂.
 * Momentum keeps the rate out of the velocity: v = λv + g, w −= ηv.
 */
const peers: Readonly<Record<string, Peer>> = {
  sgd: { create: (lr) => tf.train.sgd(lr), formula: {} },
  momentum: {
    create: (lr) => tf.train.momentum(lr, MOMENTUM),
    formula: { momentum: MOMENTUM, lrInVelocity: false },
  },
  adagrad: {
    create: (lr) => tf.train.adagrad(lr),
    formula: { initialAccumulator: 0.1, eps: 1e-7, epsPlacement: 'inside' },
  },
  rmsprop: {
    create: (lr) => tf.train.rmsprop(lr),
    formula: { alpha: 0.9, eps: 1e-7, epsPlacement: 'inside' },
  },
  adam: {
    create: (lr) => tf.train.adam(lr),
    formula: { betas: [0.9, 0.999], eps: 1e-7, epsPlacement: 'outside' },
  },
};

/** The rules that `tf.train` has too. */
export const peerNames: readonly string[] = Object.keys(peers);

/** The options under which our rule of this name follows tfjs's formula. */
export function peerFormula(name: string): Readonly<Record<string, unknown>> {
  return peerOf(name).formula;
}

/** tfjs's own optimizer of this name, driven exactly as ours: with a rate or a schedule of rates. */
export function peerUpdater(name: string, lr: LearningRate): UpdaterFactory {
  const { create } = peerOf(name);
  return (_session, parameters) => {
    const rateOf = (step: number): number => (typeof lr === 'number' ? lr : lr(step));
    const optimizer = create(rateOf(0));
    let step = 0;
    return Promise.resolve({
      apply(gradients) {
        if (typeof lr === 'function') {
          setLearningRate(optimizer, rateOf(step));
        }
        step++;
        optimizer.applyGradients(
          parameters.map((parameter, i) => ({ name: parameter.name, tensor: gradients[i] as tf.Tensor })),
        );
      },
      destroy: () => optimizer.dispose(),
    });
  };
}

/** tfjs has a setter where the rate is kept on the GPU; the others read a protected field each step. */
function setLearningRate(optimizer: tf.Optimizer, lr: number): void {
  // Not instanceof: for tfjs every optimizer is an instance of every optimizer class.
  if ('setLearningRate' in optimizer) {
    (optimizer as tf.SGDOptimizer).setLearningRate(lr);
  } else {
    (optimizer as unknown as { learningRate: number }).learningRate = lr;
  }
}

function peerOf(name: string): Peer {
  const peer = peers[name];
  if (peer === undefined) {
    throw new Error(`tf.train has no optimizer "${name}". It has: ${peerNames.join(', ')}.`);
  }
  return peer;
}
