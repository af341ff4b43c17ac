import * as tf from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import '@tensorflow/tfjs-backend-webgpu';
// Only tfjs-core is used, so the gradients of its operations have to be registered by hand.
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { FusedOptimizer } from '../../../src/adapters/tfjs/index.js';
import { conventions, rules } from '../../../src/index.js';
import type { TfjsContestant, TfjsRequest, TfjsRule } from '../../suites/tfjs.js';
import { callsOf, encodeBare } from '../bare-calls.js';
import { type SuiteContestant, suitePage } from '../suite-page.js';
import { describeAdapter, describeBrowser, watchErrors } from '../../../lab/measuring/page/device.js';
import { models } from '../models/models.js';

const LR = 0.003;
const MOMENTUM = 0.9;
const { tfjs } = conventions;

const OPTIMIZERS: Record<TfjsRule, Record<Exclude<TfjsContestant, 'bare'>, () => tf.Optimizer>> = {
  adam: {
    'tf.train': () => tf.train.adam(LR),
    FusedOptimizer: () => new FusedOptimizer(rules.adam({ ...tfjs.adam, lr: LR })),
  },
  rmsprop: {
    'tf.train': () => tf.train.rmsprop(LR),
    FusedOptimizer: () => new FusedOptimizer(rules.rmsprop({ ...tfjs.rmsprop, lr: LR })),
  },
  momentum: {
    'tf.train': () => tf.train.momentum(LR, MOMENTUM),
    FusedOptimizer: () =>
      new FusedOptimizer(rules.momentum({ ...tfjs.momentum, lr: LR, momentum: MOMENTUM })),
  },
};

const backend = (): WebGPUBackend => tf.backend() as WebGPUBackend;

/** Waits for all that was asked of the GPU; tfjs holds commands back until there are enough of them. */
async function finish(): Promise<void> {
  backend().ensureCommandEncoderReady();
  backend().endComputePassEncoder();
  backend().submitQueue();
  await backend().queue.onSubmittedWorkDone();
}

async function prepare({ model: name, rule, contestant, kind }: TfjsRequest): Promise<SuiteContestant> {
  const model = await models[name]();
  const variables = [...model.variables];
  const optimizer = OPTIMIZERS[rule][contestant === 'bare' ? 'FusedOptimizer' : contestant]();
  const { value, grads } = tf.variableGrads(() => model.loss(0), variables);
  value.dispose();
  let batch = 0;
  const destroy = () => {
    optimizer.dispose();
    model.destroy();
    tf.dispose([grads, ...variables]);
  };
  if (contestant === 'bare') {
    optimizer.applyGradients(grads);
    const { device, queue } = backend();
    const dispatches = callsOf((optimizer as FusedOptimizer).engine!);
    return { step: () => queue.submit([encodeBare(device, dispatches).finish()]), finish, destroy };
  }
  return {
    step:
      kind === 'step'
        ? () => optimizer.applyGradients(grads)
        : () => void optimizer.minimize(() => model.loss(batch++), false, variables),
    finish,
    weights: () => variables[0]!.data(),
    destroy,
  };
}

export const bench = suitePage<TfjsRequest>(async () => {
  await tf.setBackend('webgpu');
  const { device } = backend();
  watchErrors(device, 'TensorFlow.js');
  return {
    adapter: describeAdapter(device),
    browser: `${describeBrowser()}, TensorFlow.js ${tf.version_core}`,
  };
}, prepare);
