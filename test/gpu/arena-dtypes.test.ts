/** Arenas of 2-byte numbers and fixed point: filled, stepped, saved, moved and read as tensors in buffers of their own. */
import { expect, inject, vi } from 'vitest';
import {
  type ArenaTensor,
  type Initializer,
  Optimizer,
  ParameterArena,
  ReferenceOptimizer,
  adam,
  lamb,
  loadCheckpoint,
  momentum,
  saveCheckpoint,
  sgd,
} from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { readBuffer } from '../../proof/read-buffer.js';
import { f32 } from '../../src/codecs/f32.js';
import { resolveGradCodec } from '../../src/codecs/weight-dtype.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { errorOf } from '../support/error-of.js';
import { roundedTo } from '../support/halves.js';
import { FRESH, exactRule } from '../support/life-pair.js';

const LENGTHS = [1, 3, 4, 5, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1023];
const PAIRS = (['f16', 'bf16', 'f32'] as const).flatMap((dtype) =>
  (['f16', 'bf16', 'f32', 'i32'] as const).map((gradDtype) => ({
    dtype,
    gradDtype,
    ...(gradDtype === 'i32' && { gradScale: 1024 }),
  })),
);

type Pair = (typeof PAIRS)[number];
type Floats = Float32Array<ArrayBuffer>;

const gradCodecOf = ({ gradDtype, gradScale }: Pair) => resolveGradCodec(gradDtype, gradScale, 'test') ?? f32;

/** Writes gradients, and says what they are there. */
function writeGrad(
  device: GPUDevice,
  arena: ParameterArena,
  name: string,
  pair: Pair,
  values: Floats,
): Floats {
  const codec = gradCodecOf(pair);
  const { buffer, offset } = arena.gradView(name);
  const bytes = codec.encode(values);
  device.queue.writeBuffer(buffer, offset, bytes);
  return codec.decode(bytes.slice().buffer, values.length);
}

const tensorsOf = (pair: Pair): Record<string, ArenaTensor> =>
  Object.fromEntries(
    LENGTHS.map((length, k) => [
      `t${k}`,
      { shape: [length], init: 'normal' as const, group: k % 2 === 0 ? 'even' : 'odd', ...pair },
    ]),
  );

gpuTest('whatever their dtypes, tensors are stepped as their twins', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  for (const pair of drawn(PAIRS, 3)) {
    const isHalf = pair.dtype !== 'f32';
    const settings = [
      {},
      ...(isHalf
        ? [{ stochasticRounding: true, seed: 5 }, { masterWeights: 'f32' as const }]
        : // Codes are made by divisions, which other adapters round otherwise.
          isSwiftShader(device)
          ? [{ stateDtype: 'int8' as const }]
          : []),
      ...(pair.dtype === 'bf16' ? [{ masterWeights: 'split' as const }] : []),
    ];
    for (const options of settings) {
      const what = JSON.stringify({ ...pair, ...options });
      const arena = track(await ParameterArena.create(device, tensorsOf(pair), { seed: 1 }));
      const config = { rule: exactRule(device, adam({ lr: 0.1 })), ...options };
      const params = await Promise.all(
        arena.params.map(async ({ name }) => ({
          name: name!,
          dtype: pair.dtype,
          data: await arena.read(name!),
        })),
      );
      const twin = new ReferenceOptimizer({ ...config, precision: 'f32', params });
      const optimizer = track(await Optimizer.create(device, { ...config, params: arena.params }));
      const dispatched = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
      for (let k = 0; k < 3; k++) {
        const gradients = LENGTHS.map((length, n) =>
          writeGrad(device, arena, `t${n}`, pair, random.gradients(length)),
        );
        // Readings are submitted at the call: together they take one of Firefox's ticks.
        const read = await Promise.all(LENGTHS.map((_, n) => arena.readGrad(`t${n}`)));
        for (const [n, want] of gradients.entries()) {
          expect(bitDifference(read[n]!, want), what).toBeUndefined();
        }
        dispatched.mockClear();
        optimizer.step();
        // Blocks of state hold the numbers of one tensor, and random words are a tensor's own.
        if (!('stateDtype' in options || 'seed' in options))
          expect(dispatched.mock.calls.length, what).toBe(1);
        twin.step(gradients);
      }
      dispatched.mockRestore();
      const slot = (config.rule.name === 'adam' ? 'exp_avg' : 'momentum_buffer') as 'exp_avg';
      await Promise.all(
        Object.keys(tensorsOf(pair)).map(async (name) => {
          const reads = [arena.read(name), optimizer.readParam(name), optimizer.readState(name, slot)];
          const [view, weights, state] = await Promise.all(reads);
          const want = Float32Array.from(twin.readParam(name));
          expect(bitDifference(view!, want), `${what} ${name}`).toBeUndefined();
          expect(bitDifference(weights!, want), `${what} ${name}`).toBeUndefined();
          const m = Float32Array.from(twin.readState(name, slot));
          expect(bitDifference(state!, m), what).toBeUndefined();
        }),
      );
    }
  }
});

gpuTest('norms over whole arenas are those of their elements', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  for (const pair of drawn(PAIRS, 3)) {
    const arena = track(await ParameterArena.create(device, tensorsOf(pair), { seed: 1 }));
    const gradients = LENGTHS.map((length, n) =>
      writeGrad(device, arena, `t${n}`, pair, random.weights(length)),
    );
    const params = arena.params;
    const clipped = track(
      await Optimizer.create(device, { rule: lamb({ lr: 0 }), params, maxGradNorm: 1, skipNonFinite: true }),
    );
    clipped.step();
    const { gradNorm, skipped } = await clipped.stats();
    const want = Math.hypot(...gradients.flatMap((values) => [...values]));
    // Sums of squares in trees: each rounds at most 25 times on the way.
    expect(Math.abs(gradNorm / want - 1), JSON.stringify(pair)).toBeLessThanOrEqual(26 * 2 ** -24);
    expect(skipped).toBe(0);
    arena.zeroGrad();
    const zeros = await Promise.all(LENGTHS.map((_, n) => arena.readGrad(`t${n}`)));
    expect(zeros).toEqual(LENGTHS.map((length) => new Float32Array(length)));
  }
});

const INITS: readonly Initializer[] = [
  'zeros',
  'ones',
  'normal',
  { kind: 'uniform', a: -3e-5, b: 1e5 },
  { kind: 'trunc_normal', mean: 1, std: 2, a: 0, b: 9 },
  'kaiming',
  'xavier',
];

gpuTest('initial weights are those of float32, rounded to the nearest', async ({ device, track }) => {
  for (const dtype of ['f16', 'bf16'] as const) {
    const spec = Object.fromEntries(
      INITS.flatMap((init, k) => [1, 2, 3, 4, 5, 1023].map((n) => [`t${k}.${n}`, { shape: [1, n], init }])),
    );
    const seed = inject('seed');
    const floats = track(await ParameterArena.create(device, spec, { seed }));
    const arena = track(await ParameterArena.create(device, spec, { seed, dtype, gradDtype: dtype }));
    await Promise.all(
      Object.keys(spec).map(async (name) => {
        const [exact, got] = await Promise.all([floats.read(name), arena.read(name)]);
        expect(bitDifference(got, roundedTo(dtype, exact)), `${dtype} ${name}`).toBeUndefined();
      }),
    );
    await arena.initialize('t0.3', 'normal', 7);
    await floats.initialize('t0.3', 'normal', 7);
    expect(bitDifference(await arena.read('t0.3'), roundedTo(dtype, await floats.read('t0.3')))).toBe(
      undefined,
    );
    // What is behind it stays as it is.
    expect(bitDifference(await arena.read('t0.4'), new Float32Array(4))).toBeUndefined();
    arena.load('t0.3', [1.0001, -0.1, 65519]);
    const loaded = roundedTo(dtype, Float32Array.of(1.0001, -0.1, 65519));
    expect(bitDifference(await arena.read('t0.3'), loaded)).toBeUndefined();
  }
});

gpuTest('an arena of 2-byte numbers takes half the memory', async ({ device, track }) => {
  const spec = { w: { shape: [4097] }, b: { shape: [1] } };
  const arena = track(await ParameterArena.create(device, spec, { dtype: 'f16', gradDtype: 'bf16' }));
  // To the next multiple of 256 bytes, and the last one to whole lanes.
  expect(arena.byteLength).toBe(2 * (33 * 256 + 8));
  expect([arena.view('w').size, arena.view('b').size, arena.view('b').offset]).toEqual([8196, 4, 8448]);
});

gpuTest('dtypes are mixed in one arena, and each kind is one dispatch', async ({ device, track }) => {
  const arena = track(
    await ParameterArena.create(
      device,
      {
        a: { shape: [5] },
        scale: { shape: [3], dtype: 'f32', gradDtype: 'f32' },
        b: { shape: [7] },
        bias: { shape: [3], dtype: 'f32', gradDtype: 'f32' },
      },
      { dtype: 'bf16', gradDtype: 'f16' },
    ),
  );
  expect(arena.params.map(({ name, dtype, gradDtype, length }) => [name, dtype, gradDtype, length])).toEqual([
    ['a', 'bf16', 'f16', 5],
    ['scale', undefined, undefined, undefined],
    ['b', 'bf16', 'f16', 7],
    ['bias', undefined, undefined, undefined],
  ]);
  for (const [name, value] of [
    ['a', 0x3c003c00],
    ['b', 0x3c003c00],
    ['scale', 0x3f800000],
    ['bias', 0x3f800000],
  ] as const) {
    const { buffer, offset, size } = arena.gradView(name);
    device.queue.writeBuffer(buffer, offset, new Uint32Array(size / 4).fill(value));
  }
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: arena.params }));
  const dispatched = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
  optimizer.step();
  expect(dispatched.mock.calls.length).toBe(2);
  dispatched.mockRestore();
  for (const [name, length] of [
    ['a', 5],
    ['scale', 3],
    ['b', 7],
    ['bias', 3],
  ] as const) {
    expect(await arena.read(name)).toEqual(new Float32Array(length).fill(-1));
  }
});

gpuTest('tensors that are left out, removed or moved leave others as they are', async ({ device, track }) => {
  for (const dtype of ['f16', 'bf16'] as const) {
    const shape = [3];
    const spec = { a: { shape }, b: { shape }, c: { shape } };
    const dtypes = { dtype, gradDtype: dtype };
    const [one, other] = [
      track(await ParameterArena.create(device, spec, dtypes)),
      track(await ParameterArena.create(device, spec, { ...dtypes, label: 'other' })),
    ];
    for (const name of ['a', 'b', 'c']) {
      one.load(name, [1, 2, 3]);
      for (const { buffer, offset } of [one.gradView(name), other.gradView(name)]) {
        const words = dtype === 'f16' ? [0x3c003c00, 0x3c00] : [0x3f803f80, 0x3f80];
        device.queue.writeBuffer(buffer, offset, Uint32Array.from(words));
      }
    }
    const optimizer = track(
      await Optimizer.create(device, { rule: momentum({ lr: 1 }), params: one.params }),
    );
    optimizer.step({ skip: ['b'] });
    optimizer.remove(['c']);
    optimizer.step({ skip: ['b'] });
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => one.read(name)));
    expect([...a!, ...b!, ...c!].map((value) => Math.round(value * 100) / 100)).toEqual(
      roundedTo(dtype, Float32Array.of(-1.9, -0.9, 0.1, 1, 2, 3, 0, 1, 2)).reduce<number[]>(
        (list, value) => [...list, Math.round(value * 100) / 100],
        [],
      ),
    );
    optimizer.rebind({ a: { data: other.view('a'), grad: other.gradView('a') } });
    optimizer.step({ skip: ['b'] });
    expect(bitDifference(await one.read('a'), a!)).toBeUndefined();
    expect((await other.read('a')).every((value) => value < -2)).toBe(true);
    expect([...(await other.read('b')), ...(await other.read('c'))]).toEqual([0, 0, 0, 0, 0, 0]);
    // What lies behind them was not written to, or is zero.
    const words = new Uint32Array((await readBuffer(device, other.view('b').buffer)).buffer);
    expect(words[1]! >>> 16).toBe(0);
  }
});

gpuTest('rows of them move, and go on from a checkpoint', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  for (const dtype of ['f16', 'bf16'] as const) {
    const [rowLength, rowCount] = [4, 5];
    const spec = { w: { shape: [rowCount, rowLength] }, v: { shape: [7] } };
    const make = async () => {
      const arena = track(await ParameterArena.create(device, spec, { dtype }));
      const params = arena.params.map((one) => (one.name === 'w' ? { ...one, rowLength } : one));
      const config = { rule: exactRule(device, adam({ lr: 0.1 })), masterWeights: 'f32' as const };
      return { arena, optimizer: track(await Optimizer.create(device, { ...config, params })) };
    };
    const [one, two] = [await make(), await make()];
    const pair = { dtype, gradDtype: 'f32' } as Pair;
    for (const { arena } of [one, two]) {
      for (const [name, n] of [
        ['w', 20],
        ['v', 7],
      ] as const) {
        writeGrad(device, arena, name, pair, new Random(n).weights(n));
      }
    }
    one.arena.load('w', random.weights(20));
    one.optimizer.step();
    const before = await one.arena.read('w');
    const { bytes } = await saveCheckpoint(one.optimizer, 'bytes');
    await loadCheckpoint(two.optimizer, bytes);
    one.optimizer.step();
    two.optimizer.step();
    for (const name of ['w', 'v']) {
      expect(bitDifference(await two.arena.read(name), await one.arena.read(name)), name).toBeUndefined();
      const [got, want] = await Promise.all(
        [two, one].map(({ optimizer }) => optimizer.readState(name, 'master')),
      );
      expect(bitDifference(got!, want!), name).toBeUndefined();
    }
    await loadCheckpoint(one.optimizer, bytes);
    const map = [4, FRESH, 0, 0];
    await one.optimizer.mapRows(['w'], { from: Uint32Array.from(map), rowCount: 4 });
    const rows = map.flatMap((row, k) => [
      ...before.subarray(rowLength * (row === FRESH ? k : row)).subarray(0, rowLength),
    ]);
    expect(bitDifference(await one.optimizer.readParam('w'), Float32Array.from(rows))).toBeUndefined();
  }
});

gpuTest('what no tensor can be is refused, and makes nothing', async ({ device }) => {
  const created = vi.spyOn(device, 'createBuffer');
  for (const [tensor, options, complaint] of [
    [{ dtype: 'f8' }, {}, 'tensor "w": dtype is "f8"; give "f32" or "f16" or "bf16"'],
    [{ gradDtype: 'i8' }, {}, 'tensor "w": gradDtype is "i8"'],
    [{}, { dtype: 'i32' }, 'arena: dtype is "i32"'],
    [{ gradScale: 2 }, {}, 'gradScale is 2 with gradDtype "f32", which has no scale'],
    [{ gradDtype: 'i32', gradScale: 0 }, {}, 'gradScale is 0'],
    [{ gradScale: 2 }, { gradDtype: 'f16' }, 'gradScale is 2 with gradDtype "f16"'],
  ] as const) {
    const error = await errorOf(() =>
      ParameterArena.create(device, { w: { shape: [1], ...tensor } as never }, options as never),
    );
    expect([error.code, error.message]).toEqual(['invalid-parameter', expect.stringContaining(complaint)]);
  }
  expect(created).not.toHaveBeenCalled();
  created.mockRestore();
});
