import { expect, inject, vi } from 'vitest';
import { Optimizer, adam, novograd, sgd } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { Random } from '../../proof/random.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

const CONFIG = { rule: adam({ lr: 0.1 }), maxGradNorm: 1, skipNonFinite: true };

gpuTest(
  'an optimizer made at once, and grown at once, steps as one that was waited for',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const [weights, gradients] = [random.weights(101), random.gradients(101)];
    const make = (name: string) => makeParameter(device, track, name, weights, gradients);
    const options = { betas: [0.5, 0.75], lr: 0.5 } as const;
    const want = track(await Optimizer.create(device, { ...CONFIG, params: [make('a')] }));
    const got = track(Optimizer.createSync(device, { ...CONFIG, params: [make('a')] }));
    // The second of these is skipped: the group joins after two applied steps of three.
    const bad = makeBuffer(device, track, new Float32Array(101).fill(NaN));
    const late = [make('b'), make('b')];
    const good = [make('g'), make('g')];
    const before = (optimizer: Optimizer, k: number) => {
      optimizer.step();
      optimizer.rebind({ a: { grad: bad } });
      optimizer.step();
      optimizer.rebind({ a: { grad: good[k]!.grad } });
      optimizer.step();
    };
    before(want, 0);
    await want.addGroup({ ...options, params: [late[0]!] });
    before(got, 1);
    got.addGroupSync({ ...options, params: [late[1]!] });
    for (const optimizer of [want, got]) for (let step = 0; step < 3; step++) optimizer.step();
    const [wantDict, gotDict] = [await want.stateDict(), await got.stateDict()];
    expect(gotDict.groups).toEqual(wantDict.groups);
    expect(gotDict.groups[1]!.joinedAt).toBe(2);
    expect([gotDict.step, gotDict.control]).toEqual([5, wantDict.control]);
    for (const name of ['a', 'b']) {
      expect(bitDifference(await got.readParam(name), await want.readParam(name)), name).toBeUndefined();
    }
  },
);

gpuTest(
  'what does not fit is refused, and a group that is about to join comes first',
  async ({ device, track }) => {
    const w = makeParameter(device, track, 'w', [1, 2], [1, 1]);
    const refused = [
      [{ rule: adam(), params: [w], kernel: { workgroupSize: 2 ** 20 } }, 'workgroupSize'],
      [{ rule: adam(), params: [{ ...w, length: 3 }] }, 'length is 3'],
    ] as const;
    for (const [config, complaint] of refused) {
      const error = await errorOf(() => Optimizer.createSync(device, config));
      expect(error.message).toContain(complaint);
    }
    const noDevice = await errorOf(() =>
      Optimizer.createSync({} as GPUDevice, { rule: adam(), params: [w] }),
    );
    expect(noDevice.code).toBe('invalid-config');
    const optimizer = track(Optimizer.createSync(device, { rule: adam(), params: [w] }));
    const adding = optimizer.addGroup({ params: [makeParameter(device, track, 'b', [1], [1])] });
    const group = { params: [makeParameter(device, track, 'c', [1], [1])] };
    expect((await errorOf(() => optimizer.addGroupSync(group))).message).toContain('await it first');
    await adding;
    optimizer.addGroupSync(group);
    expect(optimizer.groups.map(({ params }) => params)).toEqual([['w'], ['b'], ['c']]);
  },
);

gpuTest('memory that the device does not have shows at the next call', async ({ device, track }) => {
  const { maxBufferSize } = device.limits;
  const config = { rule: adam(), params: [makeParameter(device, track, 'w', [1], [1])] };
  const createBuffer = device.createBuffer.bind(device);
  // State that no device can allocate: as a real shortage would, this makes an invalid buffer.
  device.createBuffer = (descriptor) =>
    createBuffer({
      ...descriptor,
      ...(descriptor.label?.includes('exp_avg[') && { size: 4 * maxBufferSize }),
    });
  let optimizer: Optimizer;
  try {
    optimizer = track(Optimizer.createSync(device, config));
  } finally {
    device.createBuffer = createBuffer;
  }
  await vi.waitFor(async () => {
    const error = await errorOf(() => optimizer.rebind({}));
    expect(error.code).toBe('out-of-memory');
  });
  expect(() => optimizer.step()).toThrow('the optimizer state, ');
});

gpuTest('parameters that a step skips stay as they are', async ({ device, track }) => {
  const params = ['a', 'b'].map((name) => makeParameter(device, track, name, [1, 2, 3], [1, 1, 1]));
  const optimizer = track(
    await Optimizer.create(device, { rule: adam({ lr: 1 }), params, ema: { decay: 0.5 } }),
  );
  const encoder = device.createCommandEncoder();
  optimizer.encode(encoder, { skip: ['b'] });
  device.queue.submit([encoder.finish()]);
  expect([...(await optimizer.readParam('a'))].map(Math.round)).toEqual([0, 1, 2]);
  expect([...(await optimizer.readParam('b'))]).toEqual([1, 2, 3]);
  expect([...(await optimizer.readState('b', 'exp_avg'))]).toEqual([0, 0, 0]);
  const measured = track(await Optimizer.create(device, { rule: novograd(), params }));
  measured.step({ skip: ['b'] });
  expect([...(await measured.readState('b', 'exp_avg_sq'))]).toEqual([0]);
  expect([...(await measured.readState('a', 'exp_avg_sq'))].map(Math.round)).toEqual([3]);
  const old = await errorOf(() => measured.encode(device.createCommandEncoder(), new Set(['b']) as never));
  expect(old.message).toContain('{ skip: names }');
});

gpuTest('sparse gradients and micro-batches take no waiting', async ({ device, track }) => {
  const w = {
    ...makeParameter(device, track, 'w', [1, 2], [0, 0]),
    microGrad: makeBuffer(device, track, [1, 3]),
  };
  const indices = makeBuffer(device, track, new Float32Array(Uint32Array.of(1, 1).buffer));
  const values = makeBuffer(device, track, [1, 2, 3, 4]);
  const table = {
    name: 't',
    data: makeBuffer(device, track, [9, 9, 9, 9]),
    grad: { indices, values },
    rowLength: 2,
  };
  const optimizer = track(Optimizer.createSync(device, { rule: sgd({ lr: 1 }), params: [w] }));
  optimizer.addGroupSync({ params: [table], lr: 0.5 });
  optimizer.accumulate();
  optimizer.accumulate();
  optimizer.step();
  expect([...(await optimizer.readParam('w'))]).toEqual([-1, -4]);
  expect([...(await optimizer.readParam('t'))]).toEqual([9, 9, 7, 6]);
});
