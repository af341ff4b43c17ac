/** Variables that come, go, move and wait while the others are trained. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, inject, onTestFinished, test } from 'vitest';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { FusedOptimizer } from '../../src/adapters/tfjs/index.js';
import { adam, lamb, sgd } from '../../src/index.js';
import { errorOf } from '../support/error-of.js';
import { tamper } from '../support/tamper.js';
import { useTfjs, valuesOf } from '../support/tfjs-session.js';
import { recordCalls } from './record-calls.js';

const fixture = useTfjs();
const { make, variable } = fixture;

/** A variable of a given name. */
const named = (name: string, values: number[]) => tf.tidy(() => tf.variable(tf.tensor1d(values), true, name));

for (const rule of [adam({ lr: 0.1 }), lamb({ lr: 0.1 })]) {
  test(`${rule.name}: where a variable is disposed, the others go on as if it had no gradient`, async () => {
    const random = new Random(inject('seed'));
    const start = [random.weights(40), random.weights(40), random.weights(7)];
    const gradients = start.map((values) => tf.tensor1d(random.gradients(values.length)));
    const runs = [0, 1].map(() => {
      const optimizer = make(rule, { maxGradNorm: 0.1, ema: { decay: 0.5 } });
      const variables = start.map((values) => variable(values));
      const step = (...which: number[]) =>
        optimizer.applyGradients(which.map((k) => ({ name: variables[k]!.name, tensor: gradients[k]! })));
      return { optimizer, variables, step };
    });
    const [goes, stays] = runs as [(typeof runs)[number], (typeof runs)[number]];
    for (const { step } of runs) for (let k = 0; k < 2; k++) step(0, 1, 2);
    const buffer = fixture.session.bufferOf(goes.variables[0]!);
    goes.variables[0]!.dispose();
    // The next tensor of its size lies where it lay.
    const tenant = tf.mul(gradients[0]!, 2);
    expect(fixture.session.bufferOf(tenant)).toBe(buffer);
    for (const { step } of runs) for (let k = 0; k < 3; k++) step(1, 2);
    for (const { optimizer } of runs) optimizer.engine!.swapEma();
    for (const k of [1, 2]) {
      const [got, want] = [goes.variables[k]!, stays.variables[k]!];
      expect(bitDifference(await valuesOf(got), await valuesOf(want)), `${k}`).toBeUndefined();
      const moments = await Promise.all(
        runs.map(({ optimizer, variables }) => optimizer.engine!.readState(variables[k]!.name, 'exp_avg')),
      );
      expect(bitDifference(moments[0]!, moments[1]!), `moments of ${k}`).toBeUndefined();
    }
    for (const { optimizer } of runs) optimizer.engine!.swapEma();
    const twice = (await valuesOf(gradients[0]!)).map((g) => 2 * g);
    expect(bitDifference(await valuesOf(tenant), twice)).toBeUndefined();
    expect(await goes.optimizer.stats()).toMatchObject({ step: 5 });
    expect(
      (await goes.optimizer.getWeights()).some(({ name }) => name.startsWith(`${goes.variables[0]!.name}/`)),
    ).toBe(false);
    tf.dispose([tenant, gradients]);
  });
}

test('a variable that is disposed between steps is left alone by the engine at once', async () => {
  const [w, v] = [variable([1, 1, 1]), variable([2])];
  const optimizer = make(sgd({ lr: 1 }), { ema: { decay: 0.5 } });
  optimizer.applyGradients({ [w.name]: tf.tensor1d([1, 1, 1]), [v.name]: tf.tensor1d([1]) });
  const buffer = fixture.session.bufferOf(w);
  w.dispose();
  const tenant = tf.tidy(() => tf.mul(tf.tensor1d([1, 2, 3]), 2));
  expect(fixture.session.bufferOf(tenant)).toBe(buffer);
  optimizer.engine!.swapEma();
  expect([...(await valuesOf(tenant))]).toEqual([2, 4, 6]);
  expect([...(await valuesOf(v))]).toEqual([1.5]);
});

test('a new variable of a disposed one’s name starts fresh, in its group, and is saved and resumed', async () => {
  const groups = [{ match: /^w$/, lr: 0.5 }];
  const optimizer = make(adam({ lr: 1 }), { groups });
  const v = named('v', [4]);
  const g = tf.tensor1d([1]);
  const apply = () => optimizer.applyGradients({ v: g, w: g });
  let w = named('w', [1]);
  for (let k = 0; k < 2; k++) {
    apply();
    w.dispose();
    w = named('w', [7]);
  }
  apply();
  expect((await valuesOf(w))[0]).toBeCloseTo(6.5, 6);
  expect((await valuesOf(v))[0]).toBeCloseTo(1, 5);
  const { engine } = optimizer;
  expect(engine!.groups.map(({ params }) => params)).toEqual([['w'], ['v'], ['w#2'], ['w#3']]);
  expect((await engine!.readState('w#3', 'exp_avg'))[0]).toBeCloseTo(0.1, 6);

  const resumed = make(adam({ lr: 1 }), { groups });
  await resumed.setWeights(await optimizer.getWeights());
  const values = async () => [await valuesOf(v), await valuesOf(w)];
  const before = await values();
  apply();
  const want = await values();
  for (const [k, at] of [v, w].entries()) at.assign(tf.tensor1d(before[k]!));
  resumed.applyGradients({ v: g, w: g });
  const got = await values();
  for (const k of [0, 1]) expect(bitDifference(got[k]!, want[k]!), `${k}`).toBeUndefined();
});

test('variables that were made under another backend, or used there between steps, are moved as tfjs itself would', async () => {
  const random = new Random(inject('seed'));
  const start = random.weights(37);
  const g = tf.tensor1d(random.gradients(37));
  await tf.setBackend('cpu');
  onTestFinished(async () => void (await tf.setBackend('webgpu')));
  const shared = tf.tensor1d(start);
  // One has its data for itself, the other shares it with a tensor.
  const moved = [variable(start), tf.variable(shared)];
  await tf.setBackend('webgpu');
  const stays = variable(start);
  const optimizer = make(adam({ lr: 0.1 }), { ema: { decay: 0.5 } });
  const { numTensors } = tf.memory();
  for (let k = 0; k < 3; k++) {
    const names = [...moved, stays].map(({ name }) => name);
    optimizer.applyGradients(names.map((name) => ({ name, tensor: g })));
    const want = await valuesOf(stays);
    // tfjs reads by way of a canvas when it may not wait, which gives zeros where there is no GPU.
    const read = new Map<object, Float32Array>();
    for (const w of moved) read.set(w.dataId, await valuesOf(w));
    const undo = tamper(tf.backend(), { readSync: (id: object) => read.get(id) });
    await tf.setBackend('cpu');
    for (const [i, w] of moved.entries()) {
      const sum = tf.add(w, 0);
      expect(bitDifference(await valuesOf(sum), want), `${k}, ${i}`).toBeUndefined();
      sum.dispose();
    }
    undo();
    await tf.setBackend('webgpu');
  }
  optimizer.engine!.swapEma();
  for (const w of moved) expect(bitDifference(await valuesOf(w), await valuesOf(stays))).toBeUndefined();
  expect(bitDifference(await valuesOf(shared), start)).toBeUndefined();
  expect(tf.memory().numTensors).toBe(numTensors);
  tf.dispose([shared, g]);
});

test('what stands in for disposed variables is made once, and freed with the optimizer', async () => {
  const g = tf.tensor1d([1, 1]);
  const { device } = fixture.session;
  const created = recordCalls(GPUDevice.prototype, 'createBuffer');
  const destroyed = recordCalls(GPUBuffer.prototype, 'destroy');
  const optimizer = make(adam());
  const variables = [variable([1, 1]), variable([1, 1]), variable([1, 1])];
  const step = () =>
    optimizer.applyGradients(variables.filter((v) => !v.isDisposed).map(({ name }) => ({ name, tensor: g })));
  step();
  variables[0]!.dispose();
  variables[1]!.dispose();
  for (let k = 0; k < 3; k++) step();
  const isOurs = ({ label }: { label?: string }) => label?.startsWith('webgpu-optim') === true;
  const ours = () =>
    created.calls.flatMap(({ target, args: [about] }) =>
      target === device && isOurs(about as GPUBufferDescriptor)
        ? [(about as GPUBufferDescriptor).label!]
        : [],
    );
  expect(ours().filter((label) => label.includes('remains'))).toEqual(
    [0, 1].map((k) => `webgpu-optim tfjs remains of ${variables[k]!.name}`),
  );
  optimizer.dispose();
  const freed = new Set(destroyed.calls.map(({ target }) => target as GPUBuffer).filter(isOurs));
  for (const recorder of [created, destroyed]) recorder.restore();
  expect(Array.from(freed, ({ label }) => label).toSorted()).toEqual(ours().toSorted());
});

test('a longer variable than all that had no gradient before may have none, too', async () => {
  const [short, long] = [variable([1, 1]), variable(new Float32Array(300).fill(1))];
  const [two, many] = [tf.tensor1d([1, 1]), tf.ones([300])];
  const optimizer = make(sgd({ lr: 1 }), { maxGradNorm: 1 });
  optimizer.applyGradients({ [short.name]: two });
  optimizer.applyGradients({ [long.name]: many });
  optimizer.applyGradients({ [short.name]: two });
  optimizer.applyGradients({ [long.name]: many });
  const clipped = 1 - 2 * Math.SQRT1_2;
  expect((await valuesOf(short))[1]).toBeCloseTo(clipped, 5);
  expect((await valuesOf(long))[299]).toBeCloseTo(1 - 2 / Math.sqrt(300), 5);
});

test('a gradScale that is set before the first step counts in it', async () => {
  const w = variable([1]);
  const optimizer = make(sgd({ lr: 1 }));
  optimizer.gradScale = 0.25;
  optimizer.applyGradients({ [w.name]: tf.tensor1d([2]) });
  expect([...(await valuesOf(w))]).toEqual([0.5]);
  expect(optimizer.gradScale).toBe(0.25);
});

test('what was assigned changes places with the average where it lies', async () => {
  const w = variable([1, 1]);
  const optimizer = make(sgd({ lr: 1 }), { ema: { decay: 0.5 } });
  const ones = tf.tensor1d([1, 1]);
  optimizer.applyGradients({ [w.name]: ones });
  const assigned = tf.tensor1d([5, 6]);
  const buffer = fixture.session.bufferOf(w);
  w.assign(assigned);
  // Another tensor lies where the weights lay.
  const tenant = tf.add(ones, ones);
  expect(fixture.session.bufferOf(tenant)).toBe(buffer);
  optimizer.engine!.swapEma();
  expect([...(await valuesOf(w))]).toEqual([0.5, 0.5]);
  expect([...(await valuesOf(assigned)), ...(await valuesOf(tenant))]).toEqual([5, 6, 2, 2]);
  optimizer.engine!.swapEma();
  expect([...(await valuesOf(w))]).toEqual([5, 6]);
  optimizer.applyGradients({ [w.name]: ones });
  expect([...(await valuesOf(w))]).toEqual([4, 5]);
});

test('a run goes on behind a step that was skipped', async () => {
  const random = new Random(inject('seed'));
  const start = random.weights(9);
  const gradients = [0, 1, 2].map(() => tf.tensor1d(random.gradients(9)));
  const bad = tf.tensor1d(new Float32Array(9).fill(NaN));
  const [whole, cut] = [variable(start), variable(start)];
  const [one, first, second] = [0, 1, 2].map(() => make(adam({ lr: 0.1 }), { skipNonFinite: true }));
  const apply = (optimizer: typeof one, { name }: tf.Variable, g: tf.Tensor) =>
    optimizer!.applyGradients({ [name]: g });
  for (const g of [gradients[0]!, bad, gradients[1]!, gradients[2]!]) apply(one, whole, g);
  for (const g of [gradients[0]!, bad]) apply(first, cut, g);
  await second!.setWeights(await first!.getWeights());
  expect(second!.iterations).toBe(2);
  apply(second, cut, gradients[1]!);
  expect(await second!.stats()).toMatchObject({ step: 2, skipped: 1 });
  apply(second, cut, gradients[2]!);
  expect(bitDifference(await valuesOf(cut), await valuesOf(whole))).toBeUndefined();
  expect(second!.iterations).toBe(one!.iterations);
});

test('groups take variables by name, and the learning rate is that of those in none', async () => {
  const [a, b, c] = [named('dense/kernel', [1]), named('dense/bias', [1]), named('out', [1])];
  const groups = [
    { params: ['dense/bias'], lr: 0.25 },
    { params: ['dense'], lr: 2 },
  ];
  const g = tf.tensor1d([1]);
  const twice = make(sgd(), { groups });
  const error = await errorOf(() => twice.applyGradients({ out: g, 'dense/bias': g }));
  expect(error.message).toContain('groups[1]: "dense/bias" is named twice');
  const optimizer = make(sgd({ lr: 0.5 }), { groups: [groups[0]!, { match: /dense/, lr: 2 }] });
  const config = JSON.parse(JSON.stringify(optimizer.getConfig())) as tf.serialization.ConfigDict;
  const again = FusedOptimizer.fromConfig(FusedOptimizer, config) as FusedOptimizer;
  for (const one of [optimizer, again]) {
    expect(one.learningRate).toBe(0.5);
    one.applyGradients({ out: g, 'dense/kernel': g, 'dense/bias': g });
    expect(one.learningRate).toBe(0.5);
    expect(one.engine!.groups.map(({ params, lr }) => [...params, lr])).toEqual([
      ['dense/bias', 0.25],
      ['dense/kernel', 2],
      ['out', 0.5],
    ]);
  }
  for (const [k, v] of [a, b, c].entries()) expect([...(await valuesOf(v))]).toEqual([[-3, 0.5, 0][k]]);
  again.dispose();
});

test('a learning rate that was set is that of all groups, of what is made of the config, too', async () => {
  const [a, b] = [named('a', [1]), named('b', [1])];
  const g = tf.tensor1d([1]);
  const optimizer = make(sgd({ lr: 0.5 }), { groups: [{ match: /b/, lr: 0.25 }] });
  optimizer.setLearningRate(2);
  const again = FusedOptimizer.fromConfig(FusedOptimizer, optimizer.getConfig()) as FusedOptimizer;
  for (const one of [optimizer, again]) {
    one.applyGradients({ a: g, b: g });
    expect(one.engine!.groups.map(({ lr }) => lr)).toEqual([2, 2]);
  }
  for (const v of [a, b]) expect([...(await valuesOf(v))]).toEqual([-3]);
  again.dispose();
});
