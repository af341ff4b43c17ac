/** Parameters that rest, go on, and go, in the midst of calls that nobody waits for. */
import { expect, inject, vi } from 'vitest';
import { Optimizer, adam, momentum, novograd, sgd } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { exactRule, makeLifePair } from '../support/life-pair.js';
import { makeBuffer, makeParameter, readFloats } from '../support/tensors.js';

const tensors = (names: string) =>
  names.split('').map((name, k) => ({ name, rowLength: 1 + k, rowCount: 5, room: 5 }));

for (const settings of [{}, { skipNonFinite: true, ema: { decay: 0.5 } }]) {
  gpuTest(`freeze, unfreeze, remove: ${JSON.stringify(settings)}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const groups = [tensors('abcd'), tensors('ef'), tensors('g')];
    const pair = await makeLifePair(
      device,
      track,
      random,
      exactRule(device, adam({ lr: 0.1 })),
      groups,
      settings,
    );
    const { optimizer } = pair;
    const frozen = new Set<string>();
    const step = (skip: string[] = []) => pair.step(skip, frozen);
    expect((await errorOf(() => optimizer.freeze('ab'))).message).toContain('give a list of names');
    const freeze = (names: string) => {
      optimizer.freeze(names.split(''));
      for (const name of names) frozen.add(name);
    };
    const thaw = (names: string) => {
      optimizer.unfreeze(new Set(names));
      for (const name of names) frozen.delete(name);
    };
    step();
    freeze('bg');
    step(['a']);
    freeze('be');
    step(['b', 'c']);
    await pair.compare('frozen');
    thaw('bc');
    pair.remove(['a', 'g']);
    frozen.delete('g');
    step();
    pair.remove(['f']);
    step(['d']);
    await pair.compare('removed');
    expect(optimizer.groups.map(({ params }) => params)).toEqual([['b', 'c', 'd'], ['e']]);
    expect((await errorOf(() => optimizer.readParam('a'))).message).toContain('there are "b", "c", "d", "e"');
    // A group that comes takes the numbers that are free.
    thaw('e');
    step();
    await pair.compare('at the end');
  });
}

gpuTest(
  'names and bytes that were let go of may be given again; counts begin anew',
  async ({ device, track }) => {
    const params = ['a', 'b', 'c'].map((name) => makeParameter(device, track, name, [1, 2], [1, -1]));
    const optimizer = track(
      await Optimizer.create(device, { rule: novograd({ lr: 0.1 }), params, skipNonFinite: true }),
    );
    const fresh = track(
      await Optimizer.create(device, {
        rule: novograd({ lr: 0.1 }),
        params: [makeParameter(device, track, 'b', [1, 2], [1, -1])],
        skipNonFinite: true,
      }),
    );
    for (let k = 0; k < 3; k++) optimizer.step();
    const [, , third] = await Promise.all(['a', 'b', 'c'].map((name) => optimizer.readParam(name)));
    optimizer.remove(['b']);
    device.queue.writeBuffer(params[1]!.data, 0, Float32Array.of(1, 2));
    const group = await optimizer.addGroup({ params: [{ ...params[1]!, name: 'd' }] });
    for (let k = 0; k < 2; k++) {
      optimizer.step({ skip: ['a', 'c'] });
      fresh.step();
    }
    expect(await optimizer.readParam('d')).toEqual(await fresh.readParam('b'));
    expect(await optimizer.readState('d', 'step')).toEqual(Float32Array.of(2));
    expect(await optimizer.readParam('c')).toEqual(third);
    optimizer.removeGroup(group);
    expect(optimizer.groups).toHaveLength(1);
    optimizer.step();
    expect(await optimizer.readState('c', 'step')).toEqual(Float32Array.of(4));
    await optimizer.addGroup({ params: [{ ...params[1]!, name: 'd' }] });
    expect(optimizer.groups.map((one) => one.params)).toEqual([['a', 'c'], ['d']]);
  },
);

gpuTest('what rests is bound by nothing: its gradient may be gone', async ({ device, track }) => {
  const params = ['a', 'b'].map((name) => makeParameter(device, track, name, [1], [1]));
  const config = { rule: sgd({ lr: 1 }), params, maxGradNorm: 1e9 };
  const optimizer = track(await Optimizer.create(device, config));
  optimizer.freeze(['a']);
  params[0]!.grad.destroy();
  optimizer.step();
  expect([...(await optimizer.readParam('a'))]).toEqual([1]);
  expect([...(await optimizer.readParam('b'))]).toEqual([0]);
});

gpuTest('what rests costs a step nothing', async ({ device, track }) => {
  const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
  /** The workgroups of each dispatch of a step, behind what a change makes. */
  const costOf = (optimizer: Optimizer): number[] => {
    optimizer.step();
    dispatch.mockClear();
    optimizer.step();
    return dispatch.mock.calls.map(([x, y = 1, z = 1]) => x * y * z).toSorted((a, b) => a - b);
  };
  const params = Object.entries({ a: 70_001, b: 5, c: 90_001 }).map(([name, length]) =>
    makeParameter(device, track, name, new Float32Array(length), new Float32Array(length)),
  );
  for (const settings of [{}, { maxGradNorm: 1 }]) {
    const make = async (some: typeof params) =>
      track(await Optimizer.create(device, { rule: adam(), params: some, ...settings }));
    const [optimizer, alone] = [await make(params), await make(params.slice(2))];
    const whole = costOf(optimizer);
    optimizer.freeze(['a', 'b']);
    const [cost, want] = [costOf(optimizer), costOf(alone)];
    expect(cost).toEqual(want);
    expect(cost.length).toBeLessThan(whole.length);
  }
  dispatch.mockRestore();
});

gpuTest('micro-batches that are encoded are added, whoever leaves meanwhile', async ({ device, track }) => {
  const params = ['a', 'b'].map((name) => ({
    ...makeParameter(device, track, name, [0, 0, 0], [1, 2, 3]),
    microGrad: makeBuffer(device, track, [4, 5, 6]),
  }));
  const optimizer = track(await Optimizer.create(device, { rule: adam(), params }));
  const encoder = device.createCommandEncoder();
  optimizer.accumulate(encoder);
  optimizer.remove(['a']);
  device.queue.submit([encoder.finish()]);
  for (const { grad } of params) expect(await readFloats(device, grad)).toEqual(Float32Array.of(5, 7, 9));
});

gpuTest('a state dict is of the moment, whoever leaves meanwhile', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const pair = await makeLifePair(device, track, random, exactRule(device, adam()), [tensors('abc')]);
  const { optimizer } = pair;
  pair.step();
  pair.step(['b']);
  const saved = optimizer.stateDict();
  optimizer.remove(['a']);
  const { groups, state } = await saved;
  expect(groups[0]).toMatchObject({ params: ['a', 'b', 'c'], steps: [2, 1, 2] });
  expect(Object.keys(state)).toEqual(['a', 'b', 'c']);
});

gpuTest('what makes no sense is refused, and changes nothing', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const pair = await makeLifePair(device, track, random, exactRule(device, adam()), [tensors('ab')], {
    ema: { decay: 0.5 },
  });
  const { optimizer } = pair;
  const cases: [() => void, string][] = [
    [() => optimizer.freeze(['x']), 'freeze(): there is no parameter "x"; there are "a", "b"'],
    [() => optimizer.remove(['a', 'x']), 'remove(): there is no parameter "x"'],
    [() => optimizer.remove(['a', 'b']), 'remove(): no parameter would be left; call destroy() instead'],
    [() => optimizer.removeGroup(optimizer.groups[0]!), 'removeGroup(): no parameter would be left'],
    [() => optimizer.removeGroup({} as never), 'is not in optimizer.groups; give one of these'],
    [
      () => optimizer.removeGroup(0 as never),
      'removeGroup(): 0 is not in optimizer.groups; give one of these',
    ],
    [() => optimizer.unfreeze(undefined as never), 'unfreeze(): names is undefined'],
  ];
  for (const [call, complaint] of cases) expect((await errorOf(call)).message).toContain(complaint);
  pair.step();
  optimizer.freeze(['a', 'b']);
  const before = await optimizer.stats();
  expect((await errorOf(() => optimizer.step())).message).toContain('step(): all parameters are frozen');
  const encoder = device.createCommandEncoder();
  expect((await errorOf(() => optimizer.encode(encoder))).message).toContain(
    'encode(): all parameters are frozen',
  );
  expect(await optimizer.stats()).toEqual(before);
  optimizer.unfreeze(['a', 'b']);
  optimizer.eval();
  for (const call of [
    () => optimizer.freeze(['a']),
    () => optimizer.unfreeze(['a']),
    () => optimizer.remove(['a']),
    () => optimizer.removeGroup(optimizer.groups[0]!),
  ])
    expect((await errorOf(call)).message).toContain('call train() first');
  optimizer.train();
  pair.step();
  await pair.compare('at the end');
  optimizer.destroy();
  expect((await errorOf(() => optimizer.freeze(['a']))).code).toBe('destroyed');
});

gpuTest('what was let go of is measured and evaluated no more', async ({ device, track }) => {
  const params = ['a', 'b'].map((name) => makeParameter(device, track, name, [1, 2], [1, 1]));
  const optimizer = track(
    await Optimizer.create(device, { rule: momentum({ lr: 0.5 }), ema: { decay: 0.5 }, params }),
  );
  optimizer.step();
  optimizer.step();
  optimizer.eval();
  optimizer.train();
  expect(Object.keys(await optimizer.norms())).toEqual(['a', 'b']);
  optimizer.remove(['b']);
  expect(Object.keys(await optimizer.norms())).toEqual(['a']);
  const before = await Promise.all(params.map(({ data }) => readFloats(device, data)));
  optimizer.eval();
  const after = await Promise.all(params.map(({ data }) => readFloats(device, data)));
  expect(bitDifference(after[0]!, before[0]!)).toBeDefined();
  expect(bitDifference(after[1]!, before[1]!)).toBeUndefined();
});
