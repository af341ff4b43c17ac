import { expect, inject, vi } from 'vitest';
import { Optimizer, OptimizerError, adam, sgd } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { gpuTest } from '../support/device.js';
import { Random } from '../../proof/random.js';
import { makeBuffer, makeParameter, readFloats } from '../support/tensors.js';

gpuTest(
  'a group added later steps with its own options, and the others go on, bit for bit',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const [first, second] = [random.weights(65), random.weights(33)];
    const gradients = [random.gradients(65), random.gradients(33)];
    for (const config of [
      {},
      { skipNonFinite: true, ema: { decay: 0.9 }, lookahead: { every: 2, alpha: 0.5 } },
      { maxGradNorm: 1e6, lossScale: { init: 4, growthInterval: 3 }, ema: { decay: 0.9 } },
    ]) {
      const make = (name: string, k: number) =>
        makeParameter(device, track, name, [first, second][k]!, gradients[k]!);
      const alone = track(
        await Optimizer.create(device, { rule: adam(), params: [make('a', 0)], ...config }),
      );
      const grown = track(
        await Optimizer.create(device, { rule: adam(), params: [make('a', 0)], ...config }),
      );
      for (const optimizer of [alone, grown]) for (let k = 0; k < 4; k++) optimizer.step();
      grown.groups[0]!.lr = 0.02;
      alone.groups[0]!.lr = 0.02;
      const [group0] = grown.groups;
      const group = await grown.addGroup({ params: [make('b', 1)], lr: 0.5, betas: [0.5, 0.75] });
      expect(grown.groups).toEqual([group0, group]);
      expect([grown.groups[0] === group0, group.lr, group.params]).toEqual([true, 0.5, ['b']]);
      for (const optimizer of [alone, grown]) for (let k = 0; k < 4; k++) optimizer.step();
      expect(bitDifference(await grown.readParam('a'), await alone.readParam('a'))).toBeUndefined();
      expect(bitDifference(await grown.readParam('b'), second)).toBeDefined();
      // As in an optimizer of its own: moments, corrections and averages count from the step at which it joined.
      const fresh = track(
        await Optimizer.create(device, {
          rule: adam({ lr: 0.5, betas: [0.5, 0.75] }),
          params: [make('b', 1)],
          ...config,
        }),
      );
      if (!('lossScale' in config)) {
        for (let k = 0; k < 4; k++) fresh.step();
        expect(bitDifference(await grown.readParam('b'), await fresh.readParam('b'))).toBeUndefined();
        expect((await grown.stateDict()).state['b']).toEqual((await fresh.stateDict()).state['b']);
      }
      const resumed = await grown.stateDict();
      expect(resumed.groups.map(({ joinedAt }) => joinedAt)).toEqual([undefined, 4]);
      await grown.loadStateDict(structuredClone(resumed));
      expect(await grown.stateDict()).toEqual(resumed);
      const [dict, single] = await Promise.all([grown.stateDict(), alone.stateDict()]);
      expect(dict.step).toBe(8);
      expect(dict.control).toEqual(single.control);
      expect(dict.state['a']).toEqual(single.state['a']);
      // m after four equal gradients, from the step at which the group joined.
      const m = dict.state['b']!['exp_avg']!;
      const scale = 'lossScale' in config ? dict.control!.lossScale : 1;
      if (scale === 1)
        m.forEach((value, i) => expect(value).toBeCloseTo(gradients[1]![i]! * (1 - 0.5 ** 4), 3));
    }
  },
);

gpuTest(
  'groups added at once all take part, and a refused one changes nothing',
  async ({ device, track }) => {
    const make = (name: string) => makeParameter(device, track, name, [1, 2], [1, 1]);
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [make('a')] }));
    const [b, c] = await Promise.all([
      optimizer.addGroup({ params: [make('b')], lr: 2 }),
      optimizer.addGroup({ params: [make('c')], lr: 3 }),
    ]);
    for (const bad of [
      { params: [make('a')] },
      { params: [] },
      { params: [make('d')], lr: -1 },
      { params: [make('d')], x: 1 },
    ]) {
      await expect(optimizer.addGroup(bad)).rejects.toBeInstanceOf(OptimizerError);
    }
    expect(optimizer.groups.slice(1)).toEqual([b, c]);
    optimizer.step();
    const values = await Promise.all(['a', 'b', 'c'].map((name) => optimizer.readParam(name)));
    expect(values.map((v) => [...v])).toEqual([
      [0, 1],
      [-1, 0],
      [-2, -1],
    ]);
    await expect(optimizer.readParam('d')).rejects.toThrow('"d"');
  },
);

gpuTest('steps encoded before a group was added may be submitted after', async ({ device, track }) => {
  const optimizer = track(
    await Optimizer.create(device, {
      rule: sgd({ lr: 1 }),
      params: [makeParameter(device, track, 'a', [5], [1])],
    }),
  );
  const encoder = device.createCommandEncoder();
  optimizer.encode(encoder);
  await optimizer.addGroup({ params: [makeParameter(device, track, 'b', [5], [1])] });
  optimizer.encode(encoder);
  device.queue.submit([encoder.finish()]);
  expect([...(await optimizer.readParam('a')), ...(await optimizer.readParam('b'))]).toEqual([3, 4]);
});

gpuTest(
  'micro-batches accumulate into the gradient, at any offset, and gradScale makes the mean',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const length = 4_101;
    const batches = Array.from({ length: 4 }, () =>
      Float32Array.from(random.weights(length + 3), (x) => Math.round(64 * x) / 64),
    );
    const data = makeBuffer(device, track, new Float32Array(length));
    const grad = makeBuffer(device, track, new Float32Array(length));
    const micro = makeBuffer(device, track, new Float32Array(length + 3));
    const optimizer = track(
      await Optimizer.create(device, {
        rule: sgd({ lr: 1 }),
        params: [{ name: 'w', data, grad, microGrad: { buffer: micro, offset: 4, size: 4 * length } }],
        gradScale: 1 / 4,
      }),
    );
    for (let round = 0; round < 2; round++) {
      optimizer.zeroGrad();
      for (const [k, batch] of batches.entries()) {
        device.queue.writeBuffer(micro, 0, batch);
        if (k % 2 === 0) {
          optimizer.accumulate();
          continue;
        }
        const encoder = device.createCommandEncoder();
        optimizer.accumulate(encoder);
        device.queue.submit([encoder.finish()]);
      }
      optimizer.step();
    }
    // Sums of 64ths are exact.
    const want = Float32Array.from(
      { length },
      (_, i) => -2 * batches.reduce((sum, batch) => sum + batch[i + 1]! / 4, 0),
    );
    expect([...(await optimizer.readParam('w'))].map((x) => x + 0)).toEqual([...want].map((x) => x + 0));
  },
);

gpuTest(
  'micro-batches of all groups are added, once each, and by nothing but accumulate()',
  async ({ device, track }) => {
    const make = (name: string, k: number) => ({
      ...makeParameter(device, track, name, [0, 0, 0], [k, 0, -k]),
      microGrad: makeBuffer(device, track, [1, k, 3]),
    });
    const params = ['a', 'b', 'c', 'd'].map(make);
    const [a, b, c, d] = params.map((param) => ({ params: [param] }));
    const gradients = () =>
      Promise.all(params.map(async ({ grad }) => [...(await readFloats(device, grad))].map((g) => g + 0)));
    const rule = sgd({ lr: 1 });
    for (const config of [{}, { skipNonFinite: true }]) {
      for (const [k, { grad }] of params.entries())
        device.queue.writeBuffer(grad, 0, Float32Array.of(k, 0, -k));
      const before = await gradients();
      const optimizer = track(
        'skipNonFinite' in config
          ? Optimizer.createSync(device, { rule, groups: [a!, b!], ...config })
          : await Optimizer.create(device, { rule, groups: [a!, b!], ...config }),
      );
      await optimizer.addGroup(c!);
      optimizer.addGroupSync(d!);
      expect(await gradients()).toEqual(before);
      optimizer.accumulate();
      optimizer.accumulate();
      expect(await gradients()).toEqual(before.map(([x, y, z], k) => [x! + 2, y! + 2 * k, z! + 6]));
    }
  },
);

gpuTest(
  'accumulation makes no GPU object, and is refused where it makes no sense',
  async ({ device, track }) => {
    const parameter = {
      ...makeParameter(device, track, 'w', [1, 2], [0, 0]),
      microGrad: makeBuffer(device, track, [1, 1]),
    };
    const optimizer = track(await Optimizer.create(device, { rule: sgd(), params: [parameter] }));
    const spies = [
      vi.spyOn(GPUDevice.prototype, 'createBuffer'),
      vi.spyOn(GPUDevice.prototype, 'createBindGroup'),
    ];
    optimizer.accumulate();
    const counts = spies.map((spy) => spy.mock.calls.length);
    vi.restoreAllMocks();
    expect(counts).toEqual([0, 0]);
    const plain = track(
      await Optimizer.create(device, { rule: sgd(), params: [makeParameter(device, track, 'w', [1], [1])] }),
    );
    expect(() => plain.accumulate()).toThrow('no parameter has a microGrad');
    const bad: [string, object][] = [
      ['microGrad has 3 elements', { microGrad: makeBuffer(device, track, [1, 2, 3]) }],
      ['overlaps', { microGrad: parameter.grad }],
      ['overlaps', { microGrad: parameter.data }],
    ];
    for (const [message, override] of bad) {
      const created = Optimizer.create(device, { rule: sgd(), params: [{ ...parameter, ...override }] });
      await expect(created).rejects.toThrow(message);
    }
  },
);

gpuTest(
  'an optimizer destroyed while a group is added leaves nothing and says so',
  async ({ device, track }) => {
    const config = {
      rule: adam(),
      params: [makeParameter(device, track, 'a', [1], [1])],
      skipNonFinite: true,
    };
    // What ends the run says more than what else is amiss, as it does with the second.
    const [b, gone] = ['b', 'gone'].map((name) => makeParameter(device, track, name, [1], [1]));
    gone!.data.destroy();
    for (const param of [b!, gone!]) {
      const optimizer = track(await Optimizer.create(device, config));
      // While the device checks what the group is made of, and what the run is with it.
      const submit = device.queue.submit.bind(device.queue);
      let count = 0;
      const spy = vi.spyOn(device.queue, 'submit').mockImplementation((commands) => {
        submit(commands);
        if (++count === 2) optimizer.destroy();
      });
      await expect(optimizer.addGroup({ params: [param] })).rejects.toMatchObject({ code: 'destroyed' });
      spy.mockRestore();
      expect(count).toBeGreaterThanOrEqual(2);
    }
  },
);
