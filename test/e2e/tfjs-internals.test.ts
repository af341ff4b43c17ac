/** TensorFlow.js with another inside than the adapter knows: it says so, and which version it knows, and changes nothing. */
import * as tf from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { expect, onTestFinished, test, vi } from 'vitest';
import { sgd } from '../../src/index.js';
import { errorOf } from '../support/error-of.js';
import { tamper } from '../support/tamper.js';
import { useTfjs, valuesOf } from '../support/tfjs-session.js';

const fixture = useTfjs();
const { make, variable } = fixture;

const backend = () => tf.backend() as WebGPUBackend;
/** What the backend keeps of a tensor that is on the GPU. */
const dataOf = (tensor: tf.Tensor) => {
  fixture.session.bufferOf(tensor);
  return backend().tensorMap.get(tensor.dataId);
};
const bufferOf = (size: number, usage: number) => {
  const buffer = fixture.session.device.createBuffer({ label: 'tampered', size, usage });
  onTestFinished(() => buffer.destroy());
  return buffer;
};

/** Each tampers with tfjs and returns what undoes it; then what the error says. */
const tamperings: Record<string, [(w: tf.Variable, g: tf.Tensor) => () => void, string]> = {
  ...Object.fromEntries(
    [
      'device',
      'tensorMap',
      'commandEncoder',
      'refCount',
      'uploadToGPU',
      'ensureCommandEncoderReady',
      'endComputePassEncoder',
      'submitQueue',
    ].map((key) => [`no ${key}`, [() => tamper(backend(), { [key]: undefined }), `has no ${key}`]]),
  ),
  'no encoder where one was asked for': [
    () => {
      fixture.session.flush();
      return tamper(backend(), { ensureCommandEncoderReady: () => undefined });
    },
    'has null as its commandEncoder',
  ],
  'no references counted': [
    () => tamper(backend(), { refCount: () => undefined }),
    'counts undefined references to variable "w"',
  ],
  'no data of a tensor': [
    (_, g) => {
      const tensorMap = backend().tensorMap;
      const get = tensorMap.get.bind(tensorMap);
      const undo = [
        tamper(backend(), { uploadToGPU: () => undefined }),
        tamper(tensorMap, { get: (id: object) => (id === g.dataId ? undefined : get(id)) }),
      ];
      return () => undo.forEach((one) => one());
    },
    'keeps variable "w" in undefined, not in a GPUBuffer',
  ],
  'a gradient elsewhere': [
    (_, g) => tamper(dataOf(g), { resource: { pool: 1 } }),
    'keeps the gradient of variable "w" in { pool }, not in a GPUBuffer',
  ],
  'a variable in a buffer that kernels cannot bind': [
    (w) => tamper(dataOf(w), { resource: bufferOf(8, GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST) }),
    'keeps variable "w" in a buffer of usage 0xc, without STORAGE',
  ],
  'a gradient in a buffer that kernels cannot bind': [
    (_, g) => tamper(dataOf(g), { resource: bufferOf(8, GPUBufferUsage.COPY_DST) }),
    'keeps the gradient of variable "w" in a buffer of usage 0x8, without STORAGE',
  ],
  'several tensors in one buffer': [
    (w) => tamper(dataOf(w), { resource: bufferOf(4, GPUBufferUsage.STORAGE) }),
    'keeps variable "w" in a buffer of 4 bytes, where it has 8',
  ],
  'values kept elsewhere': [(w) => tamper(dataOf(w), { values: undefined }), 'has no values of variable "w"'],
  'no list of variables': [
    () => tamper(tf.engine(), { registeredVariables: 7 }),
    'shows 7 as its registered variables',
  ],
};

test.each(Object.entries(tamperings))('%s', async (_, [meddle, complaint]) => {
  const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2]), true, 'w'));
  const g = tf.tensor1d([1, 1]);
  const optimizer = make(sgd({ lr: 1 }));
  const created = vi.spyOn(fixture.session.device, 'createComputePipeline');
  const undo = meddle(w, g);
  const error = await errorOf(() => optimizer.applyGradients({ w: g })).finally(undo);
  expect(error.code).toBe('invalid-config');
  expect(error.message).toBe(
    `TensorFlow.js's WebGPU backend ${complaint}: this is TensorFlow.js ${tf.version_core}, and the adapter supports 4.22; ` +
      'install @tensorflow/tfjs-core and @tensorflow/tfjs-backend-webgpu 4.22.',
  );
  expect(created).not.toHaveBeenCalled();
  created.mockRestore();
  expect([optimizer.engine, optimizer.iterations]).toEqual([undefined, 0]);
  expect([...(await valuesOf(w))]).toEqual([1, 2]);
  // The same optimizer goes on once tfjs is as known.
  optimizer.applyGradients({ w: g });
  expect([...(await valuesOf(w))]).toEqual([0, 1]);
});

test('a step is refused as the first one is', async () => {
  const w = variable([1, 2]);
  const optimizer = make(sgd({ lr: 1 }));
  optimizer.applyGradients({ [w.name]: tf.tensor1d([1, 1]) });
  const g = tf.tensor1d([1, 1]);
  const undo = tamper(dataOf(g), { resource: bufferOf(8, GPUBufferUsage.COPY_DST) });
  const error = await errorOf(() => optimizer.applyGradients({ [w.name]: g })).finally(undo);
  expect(error.message).toContain('without STORAGE');
  expect([...(await valuesOf(w))]).toEqual([0, 1]);
  expect((await optimizer.stats()).step).toBe(1);
});
