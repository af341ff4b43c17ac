/** Groups that joined a run: all that goes on behind it, without waiting. */
import { expect, inject } from 'vitest';
import { Optimizer, OptimizerError, adam, nadam, sgd } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { getTestAdapter, gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeWords } from '../support/sparse-run.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

const CONTROLS = { plain: {}, controlled: { maxGradNorm: 1e9, skipNonFinite: true } };

function makeTable(device: GPUDevice, track: Track, name: string) {
  const values = makeBuffer(device, track, [1, 1, 1, 1]);
  const indices = makeWords(device, track, [0, 2]);
  const data = makeBuffer(device, track, [0, 0, 0, 0, 0, 0]);
  return { name, data, rowLength: 2, grad: { indices, values } };
}

for (const [title, config] of Object.entries(CONTROLS)) {
  gpuTest(`tables behind addGroup follow their gradients (${title})`, async ({ device, track }) => {
    const first = makeTable(device, track, 'first');
    const optimizer = track(
      await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [first], ...config }),
    );
    optimizer.step();
    const [second, third] = [makeTable(device, track, 'second'), makeTable(device, track, 'third')];
    const adding = [optimizer.addGroup({ params: [second] }), optimizer.addGroup({ params: [third], lr: 2 })];
    await Promise.all(adding);
    optimizer.step();
    for (const { grad } of [first, second, third]) {
      device.queue.writeBuffer(grad.values, 0, Float32Array.of(10, 20, 30, 40));
      device.queue.writeBuffer(grad.indices, 0, Uint32Array.of(1, 1));
    }
    optimizer.step();
    const tables = ['first', 'second', 'third'].map((name) => optimizer.readParam(name));
    optimizer.zeroGrad();
    optimizer.step();
    const read = (await Promise.all(tables)).map((values) => [...values]);
    expect(read).toEqual([
      [-2, -2, -40, -60, -2, -2],
      [-1, -1, -40, -60, -1, -1],
      [-2, -2, -80, -120, -2, -2],
    ]);
    expect([...(await optimizer.readParam('first'))]).toEqual(read[0]);
  });

  gpuTest(
    `steps while groups are joining are those of who is there (${title})`,
    async ({ device, track }) => {
      for (const rule of [adam({ lr: 0.1 }), nadam({ lr: 0.1 })]) {
        // Whose rows fill the memory for them, and whose do not.
        for (let count = 1; count <= 9; count++) {
          const random = new Random(inject('seed') + count);
          const [weights, gradients] = [random.weights(3), random.gradients(3)];
          const make = (name: string) => makeParameter(device, track, name, weights, gradients);
          const groups = Array.from({ length: count }, (_, k) => ({ params: [make(`w${k}`)] }));
          const optimizer = track(await Optimizer.create(device, { rule, groups, ...config }));
          const alone = track(await Optimizer.create(device, { rule, params: [make('alone')], ...config }));
          const joining = [0, 1].map((k) => optimizer.addGroup({ params: [make(`late${k}`)] }));
          for (const one of [optimizer, alone]) one.step();
          await Promise.all(joining);
          for (const one of [optimizer, alone]) one.step();
          const want = await alone.readParam('alone');
          for (const { params } of groups) {
            const got = await optimizer.readParam(params[0]!.name!);
            expect(bitDifference(got, want), `${rule.name}, ${count} groups`).toBeUndefined();
          }
        }
      }
    },
  );

  gpuTest(`a dict right behind addGroupSync is a whole one (${title})`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const make = (name: string) => makeParameter(device, track, name, random.weights(6), random.gradients(6));
    const optimizer = track(await Optimizer.create(device, { rule: adam(), params: [make('a')], ...config }));
    optimizer.step();
    optimizer.step();
    optimizer.addGroupSync({ params: [make('b')], lr: 0.5 });
    const [dict, stats, count] = [optimizer.stateDict(), optimizer.stats(), optimizer.readState('b', 'step')];
    optimizer.step();
    const { groups, step, state } = await dict;
    expect(step).toBe(2);
    expect((await stats).step).toBe(2);
    expect([...(await count)]).toEqual([0]);
    expect(groups.map(({ params, lr, joinedAt }) => [params, lr, joinedAt])).toEqual([
      [['a'], 0.001, undefined],
      [['b'], 0.5, 2],
    ]);
    expect(Object.keys(state)).toEqual(['a', 'b']);
    expect([...state['b']!['exp_avg']!]).toEqual([0, 0, 0, 0, 0, 0]);
    const resumed = await optimizer.stateDict();
    optimizer.loadStateDictSync(await dict);
    expect(await optimizer.stateDict()).toEqual(await dict);
    optimizer.loadStateDictSync(resumed);
    expect(await optimizer.stateDict()).toEqual(resumed);
  });
}

gpuTest('more tensors than there was room for count their steps', async ({ device, track }) => {
  const params = [makeParameter(device, track, 'a', [1], [1])];
  const optimizer = track(await Optimizer.create(device, { rule: adam(), params, skipNonFinite: true }));
  const [data, grad] = [0, 1].map(() => makeBuffer(device, track, new Float32Array(256).fill(1)));
  const many = Array.from({ length: 256 }, (_, k) => {
    const place = { offset: 4 * k, size: 4 };
    return { name: `w${k}`, data: { buffer: data!, ...place }, grad: { buffer: grad!, ...place } };
  });
  optimizer.addGroupSync({ params: many });
  optimizer.step();
  optimizer.step();
  expect([...(await optimizer.readState('w255', 'step'))]).toEqual([2]);
  expect(await optimizer.readParam('w255')).toEqual(await optimizer.readParam('a'));
});

gpuTest('three groups skip together, whoever has the NaN', async ({ device, track }) => {
  const make = (name: string) => makeParameter(device, track, name, [8], [1]);
  const params = ['a', 'b', 'c'].map(make);
  const optimizer = track(
    await Optimizer.create(device, { rule: adam({ lr: 1 }), params: [params[0]!], skipNonFinite: true }),
  );
  optimizer.step();
  optimizer.addGroupSync({ params: [params[1]!] });
  optimizer.step();
  const adding = optimizer.addGroup({ params: [params[2]!] });
  optimizer.step();
  await adding;
  const write = (k: number, value: number) =>
    device.queue.writeBuffer(params[k]!.grad, 0, Float32Array.of(value));
  for (const k of [0, 1, 2]) {
    write(k, k === 1 ? Infinity : NaN);
    optimizer.step();
    write(k, 1);
    optimizer.step();
  }
  const counts = await Promise.all(['a', 'b', 'c'].map((name) => optimizer.readState(name, 'step')));
  // The step asked for while the third was being added may or may not have had it.
  expect(counts.slice(0, 2).map(([count]) => count)).toEqual([6, 5]);
  expect([3, 4]).toContain(counts[2]![0]);
  expect(await optimizer.stats()).toMatchObject({ step: 6, skipped: 3 });
  for (const [k, name] of ['a', 'b', 'c'].entries()) {
    const alone = track(await Optimizer.create(device, { rule: adam({ lr: 1 }), params: [make(name)] }));
    for (let step = 0; step < counts[k]![0]!; step++) alone.step();
    expect(bitDifference(await optimizer.readParam(name), await alone.readParam(name)), name).toBeUndefined();
  }
});

gpuTest('a group that is refused leaves all as it was, the loss scale, too', async ({ device, track }) => {
  const foreign = track(await (await getTestAdapter()).requestDevice({ label: 'foreign' }));
  const destroyed = makeBuffer(device, track, [1]);
  destroyed.destroy();
  const config = { rule: adam({ lr: 0.1 }), lossScale: { init: 8, growthInterval: 3 }, ema: { decay: 0.5 } };
  const make = () => makeParameter(device, track, 'a', [4, 5], [8, 16]);
  const [optimizer, twin] = [
    track(await Optimizer.create(device, { ...config, params: [make()] })),
    track(await Optimizer.create(device, { ...config, params: [make()] })),
  ];
  for (const each of [optimizer, twin]) each.step();
  for (const buffer of [makeBuffer(foreign, track, [1]), destroyed]) {
    for (const role of ['data', 'grad'] as const) {
      const param = { ...makeParameter(device, track, 'b', [1], [1]), [role]: buffer };
      const adding = optimizer.addGroup({ params: [param] });
      optimizer.step();
      twin.step();
      const error = await errorOf(() => adding);
      expect(error.code).toBe('invalid-parameter');
      expect(error.message).toContain('"b"');
    }
  }
  for (const each of [optimizer, twin]) each.step();
  expect(await optimizer.stats()).toEqual(await twin.stats());
  expect((await optimizer.stats()).lossScale).toBe(32);
  expect(await optimizer.stateDict()).toEqual(await twin.stateDict());
  expect(bitDifference(await optimizer.readParam('a'), await twin.readParam('a'))).toBeUndefined();
  expect(optimizer.groups.length).toBe(1);
  // The name is free again.
  await optimizer.addGroup({ params: [makeParameter(device, track, 'b', [1], [8])] });
  optimizer.step();
  expect([...(await optimizer.readParam('b'))][0]).toBeLessThan(1);
});

gpuTest('groups that are added while others are refused keep their order', async ({ device, track }) => {
  const make = (name: string, grad = 1) => makeParameter(device, track, name, [1], [grad]);
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [make('a')] }));
  const outcomes = await Promise.allSettled([
    // Whose kernel is still to be compiled; the others' are there.
    optimizer.addGroup({ params: [make('b', -1)], maximize: true }),
    optimizer.addGroup({ params: [make('a')] }),
    optimizer.addGroup({ params: [make('c')] }),
    optimizer.addGroup({ params: [make('b')] }),
    optimizer.addGroup({ params: [make('d')] }),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(OptimizerError);
  }
  expect(optimizer.groups.flatMap(({ params }) => params)).toEqual(['a', 'b', 'c', 'd']);
  optimizer.step();
  for (const name of ['a', 'b', 'c', 'd']) expect([...(await optimizer.readParam(name))]).toEqual([0]);
});

gpuTest('names by position count those that are about to join, once', async ({ device, track }) => {
  const unnamed = () => ({
    params: [{ data: makeBuffer(device, track, [1]), grad: makeBuffer(device, track, [1]) }],
  });
  const optimizer = track(await Optimizer.create(device, { rule: sgd(), ...unnamed() }));
  await Promise.all([optimizer.addGroup(unnamed()), optimizer.addGroup(unnamed())]);
  optimizer.addGroupSync(unnamed());
  expect(optimizer.groups.flatMap(({ params }) => params)).toEqual(['param0', 'param1', 'param2', 'param3']);
});

gpuTest('what a refused group had reserved is for one group alone', async ({ device, track }) => {
  const make = (name: string) => makeParameter(device, track, name, [1], [1]);
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [make('a')] }));
  const [gone, b] = [make('gone'), make('b')];
  gone.data.destroy();
  const refused = await errorOf(() => optimizer.addGroup({ params: [{ ...b, name: 'once' }, gone] }));
  expect(refused.code).toBe('invalid-parameter');
  // Its bytes, too, by another name.
  const adding = optimizer.addGroup({ params: [b] });
  const taken = await errorOf(() => optimizer.addGroup({ params: [{ ...make('c'), data: b.data }] }));
  expect(taken.message).toContain('data of parameter "b"');
  await adding;
  await optimizer.addGroup({ params: [make('c')] });
  optimizer.step({ skip: ['b'] });
  const read = ['a', 'b', 'c'].map(async (name) => [...(await optimizer.readParam(name))]);
  expect(await Promise.all(read)).toEqual([[0], [1], [0]]);
});
