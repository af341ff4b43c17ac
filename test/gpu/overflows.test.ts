/** Weights of f16 that become infinite though what is computed is finite are counted. */
import { expect, inject } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  type Parameter,
  ReferenceOptimizer,
  adam,
  adan,
  momentum,
  muon,
  sgd,
} from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { f16 } from '../../src/codecs/f16.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { makeHalves, roundedTo } from '../support/halves.js';
import { HalfStructs } from '../support/halves-in-structs.js';
import { makeBuffer } from '../support/tensors.js';

type Floats = Float32Array<ArrayBuffer>;

/** A step of 1 times these, away from where it is: some overflow, and some do not. */
const STEPS = [0, 15, 16, 17, 1e5, 1e30, Infinity, NaN, -15, -1e6];

const edges = (random: Random, length: number): Floats =>
  Float32Array.from({ length }, () => random.pick([65504, -65504, 65472, 1, 0, Infinity, -Infinity, NaN]));
const pushes = (random: Random, length: number): Floats =>
  Float32Array.from({ length }, () => random.pick(STEPS) * random.pick([1, -1]));

/** How weights and gradients lie, and what is said of them. */
interface Case {
  readonly title: string;
  readonly config?: Partial<OptimizerConfig>;
  readonly of?: Partial<Parameter>;
  readonly offset?: number;
  readonly isWoven?: boolean;
  readonly isMasked?: boolean;
}

const CASES: readonly Case[] = [
  { title: 'whole lanes, and the last one masked' },
  { title: 'words', offset: 4 },
  { title: 'halves of structs', isWoven: true },
  { title: 'rounded by chance', config: { stochasticRounding: true, seed: 1 } },
  { title: 'masters', config: { masterWeights: 'f32' } },
  { title: 'limits', of: { constraint: { max: 65510 } } },
  {
    title: 'an average, and state',
    config: { rule: momentum({ lr: 1 }), ema: { decay: 0.5 }, stateDtype: 'bf16' },
  },
  { title: 'masked rows, with masters', config: { masterWeights: 'f32' }, isMasked: true },
  { title: 'steps that are skipped', config: { skipNonFinite: true } },
];

gpuTest('as many as the twin counts', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const cases = CASES.flatMap((one) => [1, 3, 4, 65, 257, 5001].map((length) => ({ ...one, length })));
  for (const { title, config = {}, of = {}, offset = 0, isWoven, isMasked, length } of drawn(cases, 5)) {
    const what = `${title}, ${length}`;
    const weights = roundedTo('f16', edges(random, length));
    const structs = isWoven && new HalfStructs(device, track, 'f16', length, 3 * length);
    const column = { start: 1, stride: 3, rowLength: 1 };
    if (structs) structs.write(column, weights);
    const held = Float32Array.of(...new Float32Array(offset / 2), ...weights, 65504, 65504, 65504);
    const data = structs ? structs.range(column) : { buffer: makeHalves(device, track, 'f16', held), offset };
    const grad = makeBuffer(device, track, new Float32Array(length));
    const mask = Uint32Array.from({ length }, () => random.integer(2));
    const rowMask = track(device.createBuffer({ size: 4 * length, usage: 0x8c }));
    device.queue.writeBuffer(rowMask, 0, mask);
    const ofRows = structs || isMasked ? { rowLength: 1 } : {};
    const shared = { name: 'w', dtype: 'f16' as const, ...ofRows, ...of };
    const all = { rule: sgd({ lr: 1 }), ...config };
    const params: Parameter[] = [{ ...shared, length, data, grad, ...(isMasked && { rowMask }) }];
    const optimizer = track(await Optimizer.create(device, { ...all, params } as never));
    const twin = new ReferenceOptimizer({
      ...all,
      precision: 'f32',
      params: [{ ...shared, data: weights, ...(isMasked && { rowMask: mask }) }],
    } as never);
    expect((await optimizer.stats()).overflows).toBe(0);
    for (let k = 0; k < 4; k++) {
      const values = k === 2 ? new Float32Array(length).fill(3) : pushes(random, length);
      device.queue.writeBuffer(grad, 0, values);
      optimizer.step();
      twin.step([values]);
    }
    const { overflows } = twin.stats();
    expect((await optimizer.stats()).overflows, what).toBe(overflows);
    if (length > 4000 && title !== 'limits' && !title.startsWith('steps'))
      expect(overflows, what).toBeGreaterThan(50);
    const want = Float32Array.from(twin.readParam('w'));
    expect(bitDifference(await optimizer.readParam('w'), want), what).toBeUndefined();
  }
});

gpuTest('each is counted when it comes, however long it stays', async ({ device, track }) => {
  for (const [masterWeights, counts] of [
    ['f32', [1, 1, 1, 2]],
    // Infinity stays.
    [undefined, [1, 1, 1, 1]],
  ] as const) {
    const data = makeHalves(device, track, 'f16', Float32Array.of(65504, 1));
    const grad = makeBuffer(device, track, [-16, 0]);
    const params: Parameter[] = [{ name: 'w', dtype: 'f16', data, grad }];
    const config = { rule: sgd({ lr: 1 }), ...(masterWeights && { masterWeights }) };
    const optimizer = track(await Optimizer.create(device, { ...config, params }));
    for (const [k, value] of [-16, -1, 100, -200].entries()) {
      device.queue.writeBuffer(grad, 0, Float32Array.of(value, 0));
      optimizer.step();
      expect((await optimizer.stats()).overflows).toBe(counts[k]);
    }
  }
});

gpuTest('all of a run, whoever joins and leaves', async ({ device, track }) => {
  const make = (name: string, dtype: 'f16' | 'bf16' | 'f32'): Parameter => ({
    name,
    dtype,
    data: makeHalves(device, track, dtype === 'bf16' ? 'bf16' : 'f16', Float32Array.of(65504, 65504)),
    grad: makeBuffer(device, track, dtype === 'f32' ? [-1e6] : [-1e6, -1e6]),
  });
  const rule = sgd({ lr: 1 });
  const optimizer = track(
    await Optimizer.create(device, { rule, params: [make('a', 'f32'), make('b', 'bf16')] }),
  );
  optimizer.step();
  expect(await optimizer.stats()).not.toHaveProperty('overflows');
  await optimizer.addGroup({ params: [make('c', 'f16'), make('d', 'f16')] });
  optimizer.step();
  expect((await optimizer.stats()).overflows).toBe(4);
  optimizer.remove(['c']);
  const other = make('e', 'f16');
  optimizer.rebind({ d: { data: other.data } });
  optimizer.step();
  expect((await optimizer.stats()).overflows).toBe(6);
});

gpuTest('matrices, too, and not where the device has no binding for it', async ({ device, track }) => {
  const make = (shape: number[]): Parameter => ({
    name: 'w',
    dtype: 'f16',
    shape,
    data: makeHalves(device, track, 'f16', new Float32Array(16).fill(65504)),
    grad: makeBuffer(device, track, new Float32Array(16).fill(-1)),
  });
  const matrices = track(await Optimizer.create(device, { rule: muon({ lr: 1e6 }), params: [make([4, 4])] }));
  matrices.step();
  expect((await matrices.stats()).overflows).toBeGreaterThan(0);
  const { maxStorageBuffersPerShaderStage: most } = device.limits;
  for (const [rule, slots] of [
    [adam({ amsgrad: true }), 3],
    [adan(), 4],
  ] as const) {
    for (const [config, more] of [
      [{}, 0],
      [{ ema: { decay: 0.5 }, masterWeights: 'f32' as const }, 2],
    ] as const) {
      const optimizer = track(await Optimizer.create(device, { rule, ...config, params: [make([16])] }));
      optimizer.step();
      expect((await optimizer.stats()).overflows === undefined).toBe(slots + more + 4 > most);
    }
  }
});

gpuTest('the bounds are those of the codec', () => {
  expect([65519.996, 65520].map((value) => f16.round!(value))).toEqual([65504, Infinity]);
  expect(f16.overflowsFrom).toBe(65520);
});
