import * as tf from '@tensorflow/tfjs-core';
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { expect, test, vi } from 'vitest';
import { FusedOptimizer } from '../../src/adapters/tfjs/index.js';
import { adam, sgd } from '../../src/index.js';
import { errorOf } from '../support/error-of.js';
import { tamper } from '../support/tamper.js';
import { useTfjs, valuesOf } from '../support/tfjs-session.js';

const fixture = useTfjs();
const { make, variable } = fixture;

test('options are checked at once', async () => {
  for (const [args, complaint] of [
    [[adam], 'function adam; call it'],
    [[undefined], 'rule is undefined'],
    [[adam(), { maxGradNorm: -1 }], 'maxGradNorm is -1'],
    [[adam(), { params: [] }], 'unknown option "params"'],
    [[adam(), null], 'the options are null'],
    [[adam(), { groups: {} }], 'groups is {  }'],
    [[adam(), { groups: [{ match: 'b', lr: 1 }] }], 'groups[0].match is "b"; give a RegExp'],
    [[adam(), { groups: [{ match: /b/, momentum: 1 }] }], 'unknown option "momentum"'],
    [[adam(), { kernel: { workgroupSize: 0 } }], 'workgroupSize is 0'],
  ] as const) {
    const error = await errorOf(() => Reflect.construct(FusedOptimizer, args));
    expect(error.message).toContain(complaint);
  }
  const optimizer = make(adam());
  expect(() => (optimizer.learningRate = -1)).toThrow('lr is -1');
  expect(() => (optimizer.gradScale = 0)).toThrow('gradScale is 0');
});

test('gradients that do not fit are refused, and no variable has changed', async () => {
  const [w, v] = [variable([1, 2]), variable([3, 4], [1, 2])];
  const integers = tf.variable(tf.tensor1d([1, 2], 'int32'));
  const ones = tf.tensor1d([1, 1]);
  const gone = tf.tensor1d([1, 1]);
  gone.dispose();
  const optimizer = make(sgd({ lr: 1 }));
  for (const [gradients, complaint] of [
    [{ [w.name]: ones, nobody: ones }, 'no variable "nobody"'],
    [{ [w.name]: ones, [integers.name]: ones }, `variable "${integers.name}" is int32`],
    [{ [w.name]: tf.tensor1d([1, 1], 'int32') }, 'is int32; only float32'],
    [{ [w.name]: ones, [v.name]: ones }, 'has shape [1, 2] but its gradient [2]'],
    [{ [v.name]: tf.tensor2d([[1], [1]]) }, 'has shape [1, 2] but its gradient [2, 1]'],
    [{ [w.name]: gone }, 'is disposed'],
    [
      [
        { name: w.name, tensor: ones },
        { name: w.name, tensor: ones },
      ],
      'has two gradients',
    ],
    [{ [w.name]: w }, 'overlaps'],
  ] as const) {
    const error = await errorOf(() => optimizer.applyGradients(gradients as never));
    expect([error.code, error.message]).toEqual(['invalid-parameter', expect.stringContaining(complaint)]);
  }
  expect([...(await valuesOf(w)), ...(await valuesOf(v))]).toEqual([1, 2, 3, 4]);
  optimizer.applyGradients({ [w.name]: ones });
  expect([...(await valuesOf(w))]).toEqual([0, 1]);
});

test('a group that no variable is for is refused by the first step', async () => {
  const [w, v] = [variable([1]), variable([1])];
  const one = tf.tensor1d([1]);
  for (const [groups, complaint] of [
    [[{ match: /nothing/ }], 'groups[0]: no variable is left that matches /nothing/; there are'],
    [[{ params: ['nothing'] }], 'groups[0]: there is no variable at or below "nothing"; there are'],
  ] as const) {
    const optimizer = make(sgd({ lr: 1 }), { groups });
    const error = await errorOf(() => optimizer.applyGradients({ [w.name]: one }));
    expect([error.code, error.message]).toEqual(['invalid-config', expect.stringContaining(complaint)]);
    expect([...(await valuesOf(w))]).toEqual([1]);
  }
  // One that has no gradient yet may wait.
  const optimizer = make(sgd({ lr: 1 }), { groups: [{ params: [v.name], lr: 0.5 }] });
  optimizer.applyGradients({ [w.name]: one });
  optimizer.applyGradients({ [v.name]: one });
  expect([...(await valuesOf(w)), ...(await valuesOf(v))]).toEqual([0, 0.5]);
});

test('null gradients and empty variables are nothing to be done', async () => {
  const empty = tf.variable(tf.tensor1d([]));
  const w = variable([1]);
  const optimizer = make(sgd({ lr: 1 }));
  optimizer.applyGradients({ [w.name]: null as never, [empty.name]: tf.tensor1d([]) });
  expect([...(await valuesOf(w))]).toEqual([1]);
  expect(optimizer.engine).toBeUndefined();
});

test('gradients of a variable that is disposed are refused', async () => {
  const [w, v] = [variable([1]), variable([1])];
  const ones = tf.tensor1d([1]);
  const optimizer = make(sgd({ lr: 1 }));
  const gradients = { [w.name]: ones, [v.name]: ones };
  optimizer.applyGradients(gradients);
  w.dispose();
  const error = await errorOf(() => optimizer.applyGradients(gradients));
  expect(error.message).toContain(`no variable "${w.name}"`);
  expect([...(await valuesOf(v))]).toEqual([0]);
});

test('a texture is no weight', async () => {
  const w = variable([1]);
  const tensorMap = (tf.backend() as WebGPUBackend).tensorMap;
  fixture.session.bufferOf(w);
  const data = tensorMap.get(w.dataId);
  const { resource } = data;
  data.resource = fixture.session.device.createTexture({
    size: [1, 1],
    format: 'rgba8unorm',
    usage: GPUTextureUsage.STORAGE_BINDING,
  });
  const error = await errorOf(() => make(sgd()).applyGradients({ [w.name]: tf.tensor1d([1]) }));
  expect(error.message).toContain('lies in a GPUTexture');
  data.resource = resource!;
});

test('after dispose() all that would have no effect is refused', async () => {
  const w = variable([1]);
  const ones = tf.tensor1d([1]);
  for (const hasStepped of [false, true]) {
    const optimizer = make(sgd());
    if (hasStepped) optimizer.applyGradients({ [w.name]: ones });
    optimizer.dispose();
    optimizer.dispose();
    for (const call of [
      () => optimizer.applyGradients({ [w.name]: ones }),
      () => (optimizer.lr = 1),
      () => (optimizer.gradScale = 1),
      () => optimizer.stats(),
      () => optimizer.getWeights(),
      () => optimizer.setWeights([{ name: 'iter', tensor: tf.scalar(0, 'int32') }]),
    ]) {
      const error = await errorOf(call);
      expect([error.code, error.message]).toEqual([
        'destroyed',
        expect.stringContaining('after dispose(); create a new optimizer'),
      ]);
    }
    expect(optimizer.engine).toBeUndefined();
  }
});

test('weights that are on their way when dispose() is called are refused', async () => {
  const optimizer = make(adam());
  const setting = optimizer.setWeights([{ name: 'iter', tensor: tf.scalar(0, 'int32') }]);
  optimizer.dispose();
  expect((await errorOf(() => setting)).code).toBe('destroyed');
});

test('another backend is refused by name', async () => {
  const w = variable([1]);
  const ones = tf.tensor1d([1]);
  const optimizer = make(sgd());
  const apply = () => optimizer.applyGradients({ [w.name]: ones });
  const nothing = new (class extends tf.KernelBackend {
    override dispose(): void {}
  })();
  tf.registerBackend('other', () => nothing);
  await tf.setBackend('other');
  const other = await errorOf(apply);
  await tf.setBackend('webgpu');
  tf.removeBackend('other');
  expect(other.message).toContain('computes on "other"');
  apply();
});

test('a second WebGPU backend is refused, and the first one goes on', async () => {
  const w = variable([1]);
  const ones = tf.tensor1d([1]);
  const optimizer = make(sgd({ lr: 1 }));
  optimizer.applyGradients({ [w.name]: ones });
  const device = await (await navigator.gpu.requestAdapter())!.requestDevice();
  const second = new WebGPUBackend(device, device.adapterInfo);
  const undo = tamper(tf.engine(), { backendInstance: second });
  const error = await errorOf(() => optimizer.applyGradients({ [w.name]: ones })).finally(undo);
  device.destroy();
  expect(error.code).toBe('invalid-config');
  expect(error.message).toContain('another WebGPU backend than');
  expect(error.message).toContain('create a new optimizer');
  expect([...(await valuesOf(w))]).toEqual([0]);
  optimizer.applyGradients({ [w.name]: ones });
  expect([...(await valuesOf(w))]).toEqual([-1]);
});

test('a gradient on another backend is moved to this one, as tfjs itself would', async () => {
  const w = variable([1, 2]);
  const optimizer = make(sgd({ lr: 1 }));
  const values = new WeakMap<object, tf.backend_util.BackendValues>();
  const elsewhere = new (class extends tf.KernelBackend {
    override dispose(): void {}
    override numDataIds = () => 1;
    override refCount = () => 1;
    override disposeData = () => true;
    override readSync = (id: object) => values.get(id)!;
    override write(data: tf.backend_util.BackendValues) {
      const id = {};
      values.set(id, data);
      return id;
    }
  })();
  tf.registerBackend('elsewhere', () => elsewhere);
  await tf.setBackend('elsewhere');
  const g = tf.tensor1d([1, 3]);
  await tf.setBackend('webgpu');
  optimizer.applyGradients({ [w.name]: g });
  tf.removeBackend('elsewhere');
  expect([...(await valuesOf(w))]).toEqual([0, -1]);
});

test('where a variable that would join is refused, the others go on from where they are', async () => {
  const [w, v] = [variable([1]), variable([2])];
  const [one, ten] = [tf.tensor1d([1]), tf.tensor1d([10])];
  const optimizer = make(sgd({ lr: 1 }));
  optimizer.applyGradients({ [w.name]: one });
  const error = await errorOf(() => optimizer.applyGradients({ [w.name]: ten, [v.name]: v }));
  expect(error.message).toContain('overlaps');
  expect([...(await valuesOf(w)), ...(await valuesOf(v))]).toEqual([0, 2]);
  optimizer.applyGradients({ [w.name]: one });
  expect([...(await valuesOf(w))]).toEqual([-1]);
});

test('where one of two that would join is refused, the other has joined', async () => {
  const [w, v, u] = [variable([1]), variable([2]), variable([3])];
  const one = tf.tensor1d([1]);
  const optimizer = make(sgd({ lr: 1 }), { groups: [{ params: [v.name] }] });
  optimizer.applyGradients({ [w.name]: one });
  const error = await errorOf(() => optimizer.applyGradients({ [u.name]: u, [v.name]: one }));
  expect(error.message).toContain('overlaps');
  const gradients = { [w.name]: one, [v.name]: one, [u.name]: one };
  optimizer.applyGradients(gradients);
  optimizer.applyGradients(gradients);
  for (const [k, joined] of [w, v, u].entries())
    expect([...(await valuesOf(joined))]).toEqual([[-2, 0, 1][k]]);
});

test('a buffer of another device is refused as soon as this one has said so', async () => {
  const old = tf.tensor1d([8, 9]);
  fixture.session.bufferOf(old);
  await fixture.session.finish();
  old.dispose();
  // In a buffer that was there before, tfjs uploads by a command of its own, which must not be lost with the step's.
  const w = variable([1, 2]);
  const ones = tf.tensor1d([1, 1]);
  const optimizer = make(sgd({ lr: 1 }));
  const foreign = await (await navigator.gpu.requestAdapter())!.requestDevice({ label: 'foreign' });
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = foreign.createBuffer({ label: 'foreign gradient', size: 8, usage });
  const g = tf.tensor({ buffer, zeroCopy: true }, [2], 'float32');
  const { device } = fixture.session;
  device.pushErrorScope('validation');
  optimizer.applyGradients({ [w.name]: g });
  expect(await device.popErrorScope()).toBeInstanceOf(GPUValidationError);
  await vi.waitFor(() => expect(optimizer.stats()).rejects.toThrow());
  const error = await errorOf(() => optimizer.applyGradients({ [w.name]: ones }));
  expect(error.code).toBe('invalid-parameter');
  expect(error.message).toContain('foreign gradient');
  expect(error.message).toContain('Give buffers of the device');
  expect([...(await valuesOf(w))]).toEqual([1, 2]);
  foreign.destroy();
});

test('what is no list of weights, and no learning rate, is refused, and nothing changes', async () => {
  const optimizer = make(adam({ lr: 0.5 }));
  for (const weights of [null, undefined, {}, 'weights', [null], [{ name: 'iter' }]]) {
    const error = await errorOf(() => optimizer.setWeights(weights as never));
    expect(error.code).toBe('invalid-state-dict');
    expect(error.message).toMatch(/not the weights of this optimizer: they are .+; give what getWeights\(\)/);
  }
  const error = await errorOf(() => optimizer.setLearningRate(undefined as never));
  expect([error.code, error.message]).toEqual(['invalid-option', 'lr is undefined; give a number ≥ 0.']);
  expect(optimizer.learningRate).toBe(0.5);
});
