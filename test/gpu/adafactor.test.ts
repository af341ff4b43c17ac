/** Adafactor: matrices that keep a number per row and column beside tensors that keep one per element, through the life of a run. */
import { expect, inject } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  ReferenceOptimizer,
  adafactor,
  loadCheckpoint,
  saveCheckpoint,
} from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { errorOf } from '../support/error-of.js';
import { makeNetwork } from '../support/network.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

const SHAPES: Readonly<Record<string, readonly number[]>> = {
  w1: [4, 6],
  b1: [7],
  stack: [2, 65, 3],
  w2: [4, 6],
  scale: [],
  kernels: [2, 3, 3, 2],
};

type Settings = Omit<OptimizerConfig, 'rule' | 'params' | 'groups'>;

const CASES: readonly [title: string, settings: Settings][] = [
  ['as the host counts', {}],
  ['where the GPU decides', { skipNonFinite: true, ema: { decay: 0.9 } }],
  ['clipped one by one', { maxGradNormPerTensor: 0.5, maxGradValue: 0.2 }],
];

const rule = adafactor({ lr: 0.3, beta1: 0.5, weightDecay: 0.1 });

const slotsOf = (name: string) =>
  SHAPES[name]!.length < 2
    ? (['step', 'exp_avg', 'variance'] as const)
    : (['step', 'exp_avg', 'row_var', 'col_var'] as const);

/** Compares weights and state of all parameters with those of a twin. */
async function compare(
  device: GPUDevice,
  optimizer: Optimizer<typeof rule>,
  twin: ReferenceOptimizer,
): Promise<void> {
  for (const name of Object.keys(SHAPES)) {
    for (const slot of slotsOf(name)) {
      const [got, want] = [await optimizer.readState(name, slot), twin.readState(name, slot)];
      expect(got.length, `${slot} of ${name}`).toBe(want.length);
      if (isSwiftShader(device))
        expect(bitDifference(got, Float32Array.from(want)), `${slot} of ${name}`).toBeUndefined();
    }
    if (isSwiftShader(device))
      expect(
        bitDifference(await optimizer.readParam(name), Float32Array.from(twin.readParam(name))),
        name,
      ).toBeUndefined();
  }
}

for (const [title, settings] of drawn(CASES, 2)) {
  gpuTest(
    `steps, left out, skipped, saved and loaded, as in the reference: ${title}`,
    async ({ device, track }) => {
      const network = makeNetwork(device, track, new Random(inject('seed')), SHAPES);
      const { params, twins, upload } = network;
      const optimizer = track(await Optimizer.create(device, { rule, ...settings, params }));
      const twin = new ReferenceOptimizer({ rule, ...(settings as object), precision: 'f32', params: twins });
      const step = (skip: string[] = [], change?: (values: Float32Array) => void) => {
        const gradients = upload(change);
        twin.step(gradients, { skip });
        optimizer.step(skip.length > 0 ? { skip } : undefined);
      };
      step();
      step(['w2', 'b1', 'stack']);
      if (settings.skipNonFinite) step([], (values) => values.fill(NaN, 0, 1));
      step();
      await compare(device, optimizer, twin);
      const dict = await optimizer.stateDict();
      expect(Object.keys(dict.state['stack']!)).toEqual(
        expect.arrayContaining(['exp_avg', 'row_var', 'col_var']),
      );
      expect(dict.state['stack']!['row_var']).toHaveLength(130);
      expect(dict.state['stack']!['col_var']).toHaveLength(6);
      expect(dict.state['kernels']!['row_var']).toHaveLength(18);
      expect(dict.state['kernels']!['col_var']).toHaveLength(12);
      // Back to where it was, after steps that it forgets.
      const weights = await Promise.all(params.map(({ name }) => optimizer.readParam(name)));
      upload();
      optimizer.step();
      await optimizer.loadStateDict(dict);
      params.forEach(({ data }, k) => device.queue.writeBuffer(data, 0, weights[k]!));
      step(['w1']);
      await compare(device, optimizer, twin);
      const other = new ReferenceOptimizer({
        rule,
        ...(settings as object),
        precision: 'f32',
        params: params.map(({ name, shape }, k) => ({ name, shape, data: weights[k]!.slice() })),
      });
      other.loadStateDict(dict);
      for (const name of Object.keys(SHAPES))
        for (const slot of slotsOf(name))
          if (slot !== 'step')
            expect([...other.readState(name, slot)]).toEqual([...dict.state[name]![slot]!]);
    },
  );
}

gpuTest('checkpoints, memory, groups and state in hand', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const { params, upload } = makeNetwork(device, track, random, SHAPES);
  const other = {
    ...makeParameter(device, track, 'w3', random.weights(24), random.gradients(24)),
    shape: [6, 4],
  };
  const optimizer = track(
    await Optimizer.create(device, {
      rule: adafactor({ lr: 0.3 }),
      groups: [
        { params: [...params.filter(({ name }) => name !== 'w2'), other], lr: 0.1 },
        { params: params.filter(({ name }) => name === 'w2'), others: true },
      ],
    }),
  );
  // Options of a group are for both rules.
  expect(optimizer.groups.map((group) => [group.lr, group.params])).toEqual([
    [0.1, ['w1', 'stack', 'kernels', 'w3']],
    [0.1, ['b1', 'scale']],
    [0.3, ['w2']],
  ]);
  // Rows and columns of w1, stack, kernels and w3; elements of the others.
  expect(optimizer.memory().state).toBe(4 * (10 + 136 + 30 + 10 + 7 + 1 + 24));
  upload();
  optimizer.step();
  const saved = await optimizer.stateDict();
  const { bytes } = await saveCheckpoint(optimizer, 'bytes');
  optimizer.resetState({ names: ['stack'] });
  expect([...(await optimizer.readState('stack', 'row_var'))]).toEqual(Array.from({ length: 130 }, () => 0));
  await loadCheckpoint(optimizer, bytes);
  expect(await optimizer.stateDict()).toEqual(saved);
  optimizer.writeState('w1', 'col_var', [1, 2, 3, 4, 5, 6]);
  expect([...(await optimizer.readState('w1', 'col_var'))]).toEqual([1, 2, 3, 4, 5, 6]);
  expect((await errorOf(() => optimizer.writeState('w1', 'row_var', [1, 2, 3]))).message).toContain('4');
  expect((await errorOf(() => optimizer.copyState('w1', 'w2'))).message).toContain('same slots');
  expect((await errorOf(() => optimizer.copyState('w1', 'kernels'))).message).toContain('elements');
  expect((await errorOf(() => optimizer.copyState('w1', 'w3'))).message).toContain(
    '"w1" and "w3" have shapes [4, 6] and [6, 4]',
  );
});

gpuTest(
  'rebound, frozen and moved to another group, it steps as in the reference',
  async ({ device, track }) => {
    const { params, twins, upload } = makeNetwork(device, track, new Random(inject('seed')), SHAPES);
    const optimizer = track(await Optimizer.create(device, { rule, params }));
    const twin = new ReferenceOptimizer({ rule, precision: 'f32', params: twins });
    const step = (skip: string[] = []) => {
      twin.step(upload(), { skip });
      optimizer.step();
    };
    step();
    const elsewhere = makeBuffer(device, track, await optimizer.readParam('w1'));
    optimizer.rebind({ w1: { data: elsewhere } });
    step();
    optimizer.freeze(['stack', 'b1']);
    step(['stack', 'b1']);
    optimizer.unfreeze(['stack', 'b1']);
    // What they keep comes along.
    await optimizer.addGroup({ params: ['w2', 'kernels'] });
    step();
    await compare(device, optimizer, twin);
    optimizer.copyState('w1', 'w2');
    expect(await optimizer.readState('w2', 'col_var')).toEqual(await optimizer.readState('w1', 'col_var'));
    optimizer.remove(['w1', 'scale']);
    upload();
    optimizer.step();
    expect((await optimizer.readState('stack', 'row_var')).every((value) => value > 0)).toBe(true);
  },
);

gpuTest('bad input is one clear error', async ({ device, track }) => {
  const buffer = (length: number) => makeBuffer(device, track, new Float32Array(length));
  const own = (extra: object = {}) => ({
    name: 'w',
    shape: [3, 4],
    data: buffer(12),
    grad: buffer(12),
    ...extra,
  });
  const messageOf = async (parameter: object, given: object = {}): Promise<string> =>
    (await errorOf(() => Optimizer.create(device, { rule: adafactor(given), params: [parameter as never] })))
      .message;
  expect(await messageOf(own({ shape: [3, 5] }))).toContain('shape is [3, 5]');
  expect(await messageOf(own({ rowLength: 4, rowMask: buffer(3) }))).toContain('"w" has a rowMask');
  expect(await messageOf(own({ rowLength: 4, lrPerColumn: [1, 2, 3, 4] }))).toContain('has lrPerColumn');
  const indices = makeBuffer(device, track, new Uint32Array(2));
  const sparse = { rowLength: 4, grad: { indices, values: buffer(8) } };
  expect(await messageOf(own(sparse))).toContain('"w" has a sparse gradient');
  const { shape: _shape, ...flat } = own({ rowLength: 4, rowMask: buffer(3) });
  expect(await messageOf(flat)).toContain('has a rowMask');
  expect(await messageOf(own(), { eps: [0, 1e-3] })).toContain('eps is [0, 0.001]; give a pair');
  expect(await messageOf(own(), { eps: [1e-3] })).toContain('eps is [0.001]');
  expect(await messageOf(own(), { beta2Decay: -1.5 })).toContain(
    'beta2Decay is -1.5; give a number in [-1, 0]',
  );
  expect(await messageOf(own(), { d: -1 })).toContain('d is -1');
  expect(await messageOf(own(), { beta1: 1 })).toContain('beta1 is 1');
  expect(await messageOf(own(), { minDimSizeToFactor: 0 })).toContain('minDimSizeToFactor is 0');
  expect(await messageOf(own(), { weightDecayMode: 'l2' })).toContain('weightDecayMode is "l2"');
  expect(await messageOf(own(), { stateDtype: 'bf16' })).toContain('stateDtype');
  const optimizer = track(
    await Optimizer.create(device, { rule: adafactor(), params: [own({ rowLength: 4 })] }),
  );
  const mapping = { from: new Uint32Array([0, 1]), rowCount: 2 };
  const refused = await errorOf(() => optimizer.mapRows(['w'], mapping));
  expect(refused.message).toContain('"w" is a matrix of which adafactor keeps a number per row and column');
});
