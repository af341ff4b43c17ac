import * as tf from '@tensorflow/tfjs-core';
import { type WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { watchErrors } from '../page/device.js';
import type { Peer } from './peer.js';

const OPTIMIZERS: Record<string, (() => tf.Optimizer) | undefined> = {
  sgd: () => tf.train.sgd(0.01),
  momentum: () => tf.train.momentum(0.01, 0.9),
  adagrad: () => tf.train.adagrad(0.01),
  rmsprop: () => tf.train.rmsprop(0.001, 0.9),
  adam: () => tf.train.adam(0.001),
};

/** Has TensorFlow.js ask for another device when it is next needed: of itself it would stay with the one that is lost. */
function replaceBackend(): void {
  const factory = tf.findBackendFactory('webgpu');
  if (!factory) return;
  tf.removeBackend('webgpu');
  tf.registerBackend('webgpu', factory);
}

/** TensorFlow.js's own optimizers on its WebGPU backend, on a device of its own, as its users meet them. */
export const tfjs: Peer = async ({ rule, benchCase, workload }) => {
  const create = OPTIMIZERS[rule.name];
  if (!create) return undefined;
  await tf.setBackend('webgpu');
  const backend = tf.backend() as WebGPUBackend;
  watchErrors(backend.device, 'TensorFlow.js');
  void backend.device.lost.then(replaceBackend);
  const { tensorCount, elementsPerTensor } = benchCase;
  const values = workload.randomArray(elementsPerTensor);
  const names = Array.from({ length: tensorCount }, (_, k) => `w${k}`);
  const variables = names.map((name) => tf.variable(tf.tensor1d(values), true, name));
  const gradients = Object.fromEntries(names.map((name) => [name, tf.tensor1d(values)]));
  const optimizer = create();
  return {
    step: () => optimizer.applyGradients(gradients),
    finish: async () => {
      // The backend holds commands back until there are enough of them, and fails to submit none. Its pass must
      // be ended first: otherwise all of them are invalid, and dropped without a word.
      if ((backend as unknown as { commandEncoder: unknown }).commandEncoder) {
        backend.endComputePassEncoder();
        backend.submitQueue();
      }
      await backend.queue.onSubmittedWorkDone();
    },
    weights: async () => (await variables.at(-1)!.data()) as Float32Array,
    destroy: () => {
      optimizer.dispose();
      tf.dispose(gradients);
      tf.dispose(variables);
    },
  };
};
