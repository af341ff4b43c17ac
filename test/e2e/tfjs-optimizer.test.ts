import * as tf from '@tensorflow/tfjs-core';
import { expect, inject, test, vi } from 'vitest';
import {
  Optimizer,
  ReferenceOptimizer,
  type Rule,
  adafactor,
  adam,
  adamw,
  muon,
  rmsprop,
  sgd,
} from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { makeParameter } from '../support/tensors.js';
import { useTfjs, valuesOf } from '../support/tfjs-session.js';
import { recordCalls } from './record-calls.js';

const fixture = useTfjs();
const { make, variable } = fixture;

/** A quadratic bowl over some variables. */
const bowl = (...variables: readonly tf.Variable[]): tf.Scalar =>
  tf.addN(variables.map((v) => tf.sum(tf.square(v))));

test('weights are changed where they lie, without copies, objects or waiting', async () => {
  const random = new Random(inject('seed'));
  const variables = [variable(random.weights(1000), [10, 100]), variable(random.weights(300))];
  const optimizer = make(adam({ lr: 0.1 }), { maxGradNorm: 1, skipNonFinite: true });
  const { session } = fixture;
  const step = () => void optimizer.minimize(() => bowl(...variables), false, variables);
  for (let k = 0; k < 12; k++) step();
  const buffers = variables.map((v) => session.bufferOf(v));
  const tensorCount = tf.memory().numTensors;
  const apply = vi.spyOn(optimizer, 'applyGradients');
  const watched = ['createBuffer', 'createBindGroup', 'createCommandEncoder'] as const;
  const counts: number[] = [];
  apply.mockImplementation((gradients) => {
    const spies = watched.map((method) => vi.spyOn(session.device, method));
    const copies = recordCalls(GPUCommandEncoder.prototype, 'copyBufferToBuffer');
    const submits = recordCalls(GPUQueue.prototype, 'submit');
    apply.mockRestore();
    optimizer.applyGradients(gradients);
    counts.push(...spies.map(({ mock }) => mock.calls.length), copies.calls.length, submits.calls.length);
    for (const spy of spies) spy.mockRestore();
    copies.restore();
    submits.restore();
  });
  step();
  // Not even a command encoder of its own: its pass goes into tfjs's, and so into its submit.
  expect(counts).toEqual([0, 0, 0, 0, 1]);
  for (let k = 0; k < 20; k++) step();
  expect(variables.map((v) => session.bufferOf(v))).toEqual(buffers);
  expect(tf.memory().numTensors).toBe(tensorCount);
  expect(optimizer.iterations).toBe(33);
});

test('all of tfjs reads the weights as they are, whatever it has read before', async () => {
  const w = variable([1, 2, 3]);
  const optimizer = make(sgd({ lr: 1 }));
  const ones = tf.tensor1d([1, 1, 1]);
  optimizer.applyGradients({ [w.name]: ones });
  expect([...(await valuesOf(w))]).toEqual([0, 1, 2]);
  const reading = w.data();
  optimizer.applyGradients({ [w.name]: ones });
  expect([...(await reading)]).toEqual([0, 1, 2]);
  expect([...(await valuesOf(w))]).toEqual([-1, 0, 1]);
  expect([...(await valuesOf(tf.tidy(() => tf.mul(w, 2))))]).toEqual([-2, 0, 2]);
});

test('what shares a variable’s data does not change with it', async () => {
  const initial = tf.tensor1d([1, 2, 3]);
  const [w, alias] = [tf.variable(initial), tf.variable(initial)];
  const optimizer = make(sgd({ lr: 1 }));
  const ones = tf.tensor1d([1, 1, 1]);
  optimizer.applyGradients({ [w.name]: ones, [alias.name]: ones });
  const clone = tf.reshape(w, [3, 1]);
  optimizer.applyGradients([{ name: w.name, tensor: ones }]);
  expect([...(await valuesOf(initial))]).toEqual([1, 2, 3]);
  expect([...(await valuesOf(clone))]).toEqual([0, 1, 2]);
  expect([...(await valuesOf(w))]).toEqual([-1, 0, 1]);
  expect([...(await valuesOf(alias))]).toEqual([0, 1, 2]);
});

test('a variable that is assigned goes on with its state', async () => {
  const w = variable([1, 1, 1]);
  const optimizer = make(adam({ lr: 1 }));
  const ones = tf.tensor1d([1, 1, 1]);
  optimizer.applyGradients({ [w.name]: ones });
  const assigned = tf.tensor1d([5, 6, 7]);
  w.assign(assigned);
  optimizer.applyGradients({ [w.name]: ones });
  expect([...(await valuesOf(w))].map(Math.round)).toEqual([4, 5, 6]);
  expect([...(await valuesOf(assigned))]).toEqual([5, 6, 7]);
  expect((await optimizer.engine!.readState(w.name, 'exp_avg'))[0]).toBeCloseTo(0.19, 6);
});

test('variables without a gradient wait, and new ones join, as groups of the engine do', async () => {
  const random = new Random(inject('seed'));
  const { device } = fixture.session;
  const resources: { destroy(): void }[] = [];
  const track = <T extends { destroy(): void }>(resource: T): T => (resources.push(resource), resource);
  const [start, gradients] = [random.weights(64), random.gradients(64)];
  const config = { rule: rmsprop({ lr: 0.1, biasCorrection: true }), maxGradNorm: 1, skipNonFinite: true };
  const [a, b, c] = ['a', 'b', 'c'].map((name) => makeParameter(device, track, name, start, gradients));
  const zeros = makeParameter(device, track, 'zeros', start, new Float32Array(64)).grad;
  const want = track(await Optimizer.create(device, { ...config, params: [a!, b!] }));
  const stepWithout = (...names: string[]) => {
    want.rebind(Object.fromEntries(names.map((name) => [name, { grad: zeros }])));
    const encoder = device.createCommandEncoder();
    want.encode(encoder, { skip: names });
    device.queue.submit([encoder.finish()]);
    want.rebind({ a: { grad: a!.grad }, b: { grad: b!.grad } });
  };
  want.step();
  stepWithout('b');
  await want.addGroup({ params: [c!] });
  stepWithout('a');
  want.step();

  const { rule, ...options } = config;
  const optimizer = make(rule, options);
  const [va, vb, vc] = [variable(start), variable(start), variable(start)];
  const g = tf.tensor1d(gradients);
  optimizer.applyGradients({ [va.name]: g, [vb.name]: g });
  optimizer.applyGradients([
    { name: va.name, tensor: g },
    { name: vb.name, tensor: null as never },
  ]);
  optimizer.applyGradients({ [vb.name]: g, [vc.name]: g });
  optimizer.applyGradients({ [vc.name]: g, [va.name]: g, [vb.name]: g });
  for (const [name, v] of Object.entries({ a: va, b: vb, c: vc })) {
    expect(bitDifference(await valuesOf(v), await want.readParam(name)), name).toBeUndefined();
  }
  expect((await optimizer.stats()).step).toBe(4);
  for (const resource of resources) resource.destroy();
});

test('groups have options of their own, and the learning rate can be set', async () => {
  const [w, b] = [
    tf.tidy(() => tf.variable(tf.tensor1d([1]), true, 'layer/w')),
    tf.tidy(() => tf.variable(tf.tensor1d([1]), true, 'layer/b')),
  ];
  const rule = sgd({ lr: 0.5, weightDecay: 1, weightDecayMode: 'raw' });
  const optimizer = make(rule, { groups: [{ match: /b$/g, weightDecay: 0, lr: 0.25 }] });
  const ones = tf.tensor1d([1]);
  const step = () => optimizer.applyGradients({ [w.name]: ones, [b.name]: ones });
  step();
  expect([...(await valuesOf(w)), ...(await valuesOf(b))]).toEqual([-0.5, 0.75]);
  expect(optimizer.learningRate).toBe(0.5);
  optimizer.learningRate = 1;
  step();
  expect([...(await valuesOf(w)), ...(await valuesOf(b))]).toEqual([-1, -0.25]);
  optimizer.lr = (t) => t;
  expect(optimizer.lr).toBe(2);
});

test('the loss is scaled and the gradients unscaled, on the GPU', async () => {
  const w = variable([3]);
  const optimizer = make(sgd({ lr: 1 }), { lossScale: { init: 4, growthInterval: 1 } });
  const tensorCount = tf.memory().numTensors;
  for (const [scale, before] of [
    [4, 3],
    [8, 2],
    [16, 1],
  ] as const) {
    expect((await optimizer.stats()).lossScale).toBe(scale);
    const { value, grads } = optimizer.computeGradients(() => tf.sum(w), [w]);
    expect([...(await valuesOf(grads[w.name]!))]).toEqual([scale]);
    expect([...(await valuesOf(value))]).toEqual([before]);
    optimizer.applyGradients(grads);
    tf.dispose([grads, value]);
    expect([...(await valuesOf(w))]).toEqual([before - 1]);
  }
  expect(tf.memory().numTensors).toBe(tensorCount);
});

test('onStep is told of steps, and averages are taken', async () => {
  const w = variable([1]);
  const steps: number[] = [];
  const optimizer = make(sgd({ lr: 1 }), {
    ema: { decay: 0.5 },
    onStep: ({ step }) => void steps.push(step),
  });
  const ones = tf.tensor1d([1]);
  optimizer.applyGradients({ [w.name]: ones });
  await vi.waitFor(() => expect(steps).toEqual([1]));
  expect([...(await optimizer.engine!.readEma(w.name))]).toEqual([0.5]);
  optimizer.engine!.swapEma();
  expect([...(await valuesOf(w))]).toEqual([0.5]);
});

test('muon steps kernels, their last axis as columns, and another rule the rest; late ones at the rate that was set', async () => {
  const random = new Random(inject('seed'));
  const shapes = [[2, 3, 4, 5], [5], [7, 6], [6]];
  const start = shapes.map((shape) => random.weights(shape.reduce((product, n) => product * n, 1)));
  const variables = shapes.map((shape, k) => variable(start[k]!, shape));
  const rule = muon({ lr: 0.1, others: adamw({ lr: 0.01 }) });
  const optimizer = make(rule, {
    groups: [{ match: new RegExp(`^${variables[3]!.name}$`), others: true, lr: 0.7 }],
  });
  const gradients = [0, 1, 2].map(() => start.map(({ length }) => random.weights(length)));
  const apply = (step: number, members: readonly number[]) => {
    const tensors = members.map((k) => tf.tensor(gradients[step]![k]!, shapes[k]));
    optimizer.applyGradients(members.map((k, i) => ({ name: variables[k]!.name, tensor: tensors[i]! })));
    tf.dispose(tensors);
  };
  apply(0, [0, 1]);
  optimizer.learningRate = 0.05;
  apply(1, [0, 1, 2, 3]);

  const parametersOf = (members: readonly number[]) =>
    members.map((k) => ({ data: start[k]!, name: `${k}`, shape: k === 0 ? [24, 5] : shapes[k]! }));
  const early = new ReferenceOptimizer({ rule, params: parametersOf([0, 1]), precision: 'f32' });
  early.step({ 0: gradients[0]![0]!, 1: gradients[0]![1]! });
  for (const group of early.groups) group.lr = 0.05;
  early.step({ 0: gradients[1]![0]!, 1: gradients[1]![1]! });
  const late = new ReferenceOptimizer({ rule, params: parametersOf([2, 3]), precision: 'f32' });
  for (const group of late.groups) group.lr = 0.05;
  late.step({ 2: gradients[1]![2]!, 3: gradients[1]![3]! });
  for (const [k, one] of variables.entries()) {
    expect(bitDifference(await valuesOf(one), start[k]!), shapes[k]!.join()).toBeUndefined();
  }
});

/** A kernel and a bias, twice, and their gradients. */
function twoLayers(kernel = [4, 5]) {
  const random = new Random(inject('seed'));
  const shapes = [kernel, [5], [5, 3], [3]];
  const start = shapes.map((shape) => random.weights(shape.reduce((product, n) => product * n, 1)));
  const variables = shapes.map((shape, k) => variable(start[k]!, shape));
  return {
    variables,
    start,
    params: start.map((data, k) => ({ name: `${k}`, data: data.slice(), shape: shapes[k]! })),
    /** Steps some of them with an optimizer. @returns the gradients. */
    apply: (optimizer: Pick<ReturnType<typeof make>, 'applyGradients'>, members: readonly number[]) => {
      const gradients = start.map(({ length }) => random.gradients(length));
      const tensors = members.map((k) => tf.tensor(gradients[k]!, shapes[k]));
      optimizer.applyGradients(members.map((k, i) => ({ name: variables[k]!.name, tensor: tensors[i]! })));
      tf.dispose(tensors);
      return gradients;
    },
    check: async (twin: ReferenceOptimizer) => {
      for (const [k, one] of variables.entries()) {
        const want = Float32Array.from(twin.readParam(`${k}`));
        expect(bitDifference(await valuesOf(one), want), shapes[k]!.join()).toBeUndefined();
      }
    },
  };
}

for (const rule of [muon({ lr: 0.1, others: adamw({ lr: 0.01 }) }), adafactor({ lr: 0.1 })]) {
  test(`${rule.name}: a rate that is set before the first step, and layers that come late`, async () => {
    const { params, apply, check } = twoLayers([2, 3, 4, 5]);
    // Adafactor takes six matrices of [4, 5].
    if (rule.name === 'muon') params[0]!.shape = [24, 5];
    const optimizer = make<Rule>(rule);
    optimizer.learningRate = 0.05;
    expect(optimizer.learningRate).toBe(0.05);
    const twin = new ReferenceOptimizer({ rule, params, precision: 'f32' });
    for (const group of twin.groups) group.lr = 0.05;
    let gradients = apply(optimizer, [0, 1]);
    twin.step(gradients, { skip: ['2', '3'] });
    gradients = apply(optimizer, [0, 1, 2, 3]);
    twin.step(gradients);
    await check(twin);
  });
}

test('the rate is that of the variables that no group names, whatever rules there are', async () => {
  const { variables, apply } = twoLayers();
  const [first, bias] = [variables[0]!.name, variables[1]!.name];
  const named = (name: string) => new RegExp(`^${name}$`);
  const optimizer = make(adafactor({ lr: 0.1 }), {
    groups: [
      { match: named(first), lr: 0.2 },
      { match: named(bias), lr: 0.3 },
    ],
  });
  // Each group has one rule only, and the rest has both.
  apply(optimizer, [0, 1, 2, 3]);
  expect(optimizer.learningRate).toBe(0.1);
  const whole = make(adafactor({ lr: 0.1 }), { groups: [{ params: [first, bias], lr: 0.2 }] });
  apply(whole, [0, 1, 2]);
  expect(whole.learningRate).toBe(0.1);
});

test('variables without state beside others with state are saved and loaded', async () => {
  const { params, apply, check } = twoLayers();
  const rule = muon({ lr: 0.1, others: sgd({ lr: 0.01 }) });
  const optimizer = make<Rule>(rule);
  const twin = new ReferenceOptimizer({ rule, params, precision: 'f32' });
  twin.step(apply(optimizer, [0, 1, 2]), { skip: ['3'] });
  twin.step(apply(optimizer, [0, 1, 2, 3]));
  const resumed = make<Rule>(rule);
  await resumed.setWeights(await optimizer.getWeights());
  twin.step(apply(resumed, [0, 1, 2, 3]));
  await check(twin);
});
