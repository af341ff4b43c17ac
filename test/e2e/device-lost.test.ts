/** A device that is lost while a framework trains on it. Each test has one of its own. */
import { getWebGPUDevice, numpy, tree } from '@jax-js/jax';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { GpuSession } from '../../demo/train/gpu-session.js';
import { fusedOptimizer } from '../../src/adapters/jax/index.js';
import { FusedOptimizer } from '../../src/adapters/tfjs/index.js';
import { sgd } from '../../src/index.js';
import { errorOf } from '../support/error-of.js';
import { arrayOf, jaxTest } from '../support/jax.js';
import { valuesOf } from '../support/tfjs-session.js';

test('TensorFlow.js: a step is refused by name and version; a new device needs a new optimizer', async () => {
  const lost = await GpuSession.open();
  const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2])));
  const ones = tf.tensor1d([1, 1]);
  const optimizer = new FusedOptimizer(sgd({ lr: 1 }));
  optimizer.applyGradients({ [w.name]: ones });
  const weights = await optimizer.getWeights();
  const saved = await Promise.all(
    weights.map(async ({ name, tensor }) => ({ name, values: await valuesOf(tensor), shape: tensor.shape })),
  );
  lost.device.destroy();
  await lost.device.lost;
  const error = await errorOf(() => optimizer.applyGradients({ [w.name]: ones }));
  expect(error.code).toBe('device-lost');
  for (const part of [`TensorFlow.js ${tf.version_core} is lost`, 'WebGPUBackend on a new device']) {
    expect(error.message).toContain(part);
  }
  expect(optimizer.iterations).toBe(1);
  const { engine } = optimizer;
  for (const call of [
    () => optimizer.stats(),
    () => optimizer.getWeights(),
    () => engine!.swapEma(),
    () => engine!.readState(w.name, 'step'),
  ]) {
    expect((await errorOf(call)).code).toBe('device-lost');
  }
  optimizer.dispose();
  lost.close();

  const session = await GpuSession.open();
  const v = tf.tidy(() => tf.variable(tf.tensor1d([5, 6])));
  const next = new FusedOptimizer(sgd({ lr: 1 }));
  await next.setWeights(saved.map(({ name, values, shape }) => ({ name, tensor: tf.tensor(values, shape) })));
  next.applyGradients({ [v.name]: tf.tensor1d([1, 1]) });
  expect([...(await valuesOf(v))]).toEqual([4, 5]);
  expect((await next.stats()).step).toBe(2);
  next.dispose();
  session.assertHealthy();
  session.close();
});

jaxTest('jax-js: a step is refused, and nothing consumed', async (device) => {
  const params = { w: arrayOf(Float32Array.of(1, 2)) };
  const grads = { w: numpy.ones([2]) };
  const optimizer = await fusedOptimizer(sgd(), tree.ref(params));
  device.destroy();
  await getWebGPUDevice().lost;
  for (const call of [
    () => optimizer.step(grads, params),
    () => optimizer.swapEma(params),
    () => optimizer.stats(),
    () => optimizer.stateDict(),
    () => optimizer.loadStateDict({ rule: 'sgd', step: 0, groups: [], state: {} }),
    () => optimizer.readState('w', 'step'),
  ]) {
    const error = await errorOf(call);
    expect(error.code).toBe('device-lost');
    expect(error.message).toContain('request a new device');
  }
  expect([params.w.refCount, grads.w.refCount]).toEqual([1, 1]);
  expect((await errorOf(async () => fusedOptimizer(sgd(), params))).code).toBe('device-lost');
  expect(params.w.refCount).toBe(1);
});
