/** Tables of structs through all that a run does beside stepping: norms, zeroing, evaluating, reading, rebinding. */
import { expect, inject } from 'vitest';
import { Optimizer, ReferenceOptimizer, adam, lamb, sgd } from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { checkTableParity } from '../../proof/table-parity.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeWords } from '../support/sparse-run.js';
import { watchBuffers } from '../support/live-buffers.js';
import { makeBuffer, readFloats } from '../support/tensors.js';

const GAP = -77;

/** Rows of 3 behind two numbers of somebody else's, with one more between them. */
const FIRST = 2;
const LENGTH = 3;
const STRIDE = 6;

/** Values as the column of structs, and where they are. */
function makeColumn(device: GPUDevice, track: Track, values: ArrayLike<number>) {
  const rowCount = values.length / LENGTH;
  const host = new Float32Array(STRIDE * rowCount).fill(GAP);
  const put = (next: ArrayLike<number>) => {
    for (let i = 0; i < next.length; i++) {
      host[FIRST + STRIDE * Math.floor(i / LENGTH) + (i % LENGTH)] = next[i]!;
    }
  };
  put(values);
  const buffer = makeBuffer(device, track, host);
  return {
    buffer,
    range: { buffer, offset: 4 * FIRST, byteStride: 4 * STRIDE },
    /** What the buffer should hold with other values. */
    holding: (next: ArrayLike<number>) => {
      put(next);
      return host.slice();
    },
    write: (next: ArrayLike<number>) => {
      put(next);
      device.queue.writeBuffer(buffer, 0, host);
    },
  };
}

function expectSame(device: GPUDevice, got: Float32Array, want: ArrayLike<number>, what: string): void {
  if (isSwiftShader(device)) expect(bitDifference(got, Float32Array.from(want)), what).toBeUndefined();
  else expect([...got], what).toEqual(Array.from(want, (x) => expect.closeTo(x, 4)));
}

gpuTest(
  'the norm and the search for NaN see the rows that are stepped, and nothing between',
  async ({ device, track }) => {
    const data = makeColumn(device, track, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const grad = makeColumn(device, track, [0, 3, 0, NaN, Infinity, NaN, 0, 0, 4]);
    const mask = makeWords(device, track, [1, 0, 2]);
    const other = {
      name: 'other',
      data: makeBuffer(device, track, [1]),
      grad: makeBuffer(device, track, [12]),
    };
    const table = { name: 'table', data: data.range, grad: grad.range, rowLength: LENGTH, rowMask: mask };
    const config = { rule: sgd({ lr: 1 }), maxGradNorm: 6.5, skipNonFinite: true, params: [table, other] };
    const optimizer = track(await Optimizer.create(device, config));
    optimizer.step();
    const first = optimizer.stats();
    const moved = optimizer.readParam('table');
    device.queue.writeBuffer(mask, 0, Uint32Array.of(1, 1, 1));
    optimizer.step();
    const second = optimizer.stats();
    optimizer.step({ skip: ['table'] });
    const third = optimizer.stats();
    expect(await first).toMatchObject({ step: 1, skipped: 0, gradNorm: 13 });
    expect([...(await moved)]).toEqual([1, 0.5, 3, 4, 5, 6, 7, 8, 7].map((x) => expect.closeTo(x, 5)));
    expect(await second).toMatchObject({ step: 1, skipped: 1 });
    expect(await third).toMatchObject({ step: 2, skipped: 1, gradNorm: 12 });
    const whole = await readFloats(device, data.buffer);
    expect(bitDifference(whole, data.holding(await optimizer.readParam('table')))).toBeUndefined();
  },
);

gpuTest('zeroGrad zeroes columns, wherever they lie by then', async ({ device, track }) => {
  const values = [1, 2, 3, 4, 5, 6];
  const [grad, next] = [makeColumn(device, track, values), makeColumn(device, track, values)];
  const data = makeBuffer(device, track, values);
  const plain = { data: makeBuffer(device, track, [1]), grad: makeBuffer(device, track, [5]) };
  const params = [{ name: 'w', data, grad: grad.range, rowLength: LENGTH }, plain];
  const optimizer = track(await Optimizer.create(device, { rule: sgd(), params }));
  optimizer.zeroGrad();
  expect([...(await readFloats(device, grad.buffer))]).toEqual([...grad.holding(values.map(() => 0))]);
  expect([...(await readFloats(device, plain.grad))]).toEqual([0]);
  // What is encoded stays right, whatever comes before it is submitted.
  grad.write(values);
  const encoder = device.createCommandEncoder();
  optimizer.zeroGrad(encoder);
  optimizer.rebind({ w: { grad: next.range } });
  optimizer.zeroGrad();
  device.queue.submit([encoder.finish()]);
  expect([...(await readFloats(device, grad.buffer))]).toEqual([...grad.holding(values.map(() => 0))]);
  expect([...(await readFloats(device, next.buffer))]).toEqual([...next.holding(values.map(() => 0))]);
});

gpuTest('averages are served and read, and readings are of their moment', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const weights = random.weights(LENGTH * 21);
  const data = makeColumn(device, track, weights);
  const grad = makeColumn(device, track, random.gradients(weights.length));
  const table = { name: 'w', data: data.range, grad: grad.range, rowLength: LENGTH };
  const options = { rule: adam({ lr: 0.1 }), ema: { decay: 0.5 } };
  const optimizer = track(await Optimizer.create(device, { ...options, params: [table] }));
  const params = [{ name: 'w', data: weights.slice() }];
  const twin = new ReferenceOptimizer({ ...options, precision: 'f32', params });
  const wanted: [string, Promise<Float32Array>, ArrayLike<number>][] = [];
  const look = (what: string) => wanted.push([what, optimizer.readParam('w'), twin.readParam('w')]);
  look('at first');
  for (let step = 0; step < 2; step++) {
    const gradients = random.gradients(weights.length);
    grad.write(gradients);
    optimizer.step();
    twin.step([gradients]);
    look(`step ${step}`);
  }
  wanted.push(['ema', optimizer.readEma('w'), twin.readState('w', 'ema')]);
  optimizer.eval();
  twin.eval();
  look('eval');
  const served = readFloats(device, data.buffer);
  optimizer.train();
  twin.train();
  look('train');
  for (const [what, got, want] of wanted) expectSame(device, await got, want, what);
  expectSame(device, await served, data.holding(twin.readState('w', 'ema')), 'what lies between');
});

gpuTest('rebind takes columns of another buffer, and no other stride', async ({ device, track }) => {
  const [data, grad] = [
    [1, 2, 3, 4, 5, 6],
    [1, 1, 1, 2, 2, 2],
  ].map((v) => makeColumn(device, track, v)) as [
    ReturnType<typeof makeColumn>,
    ReturnType<typeof makeColumn>,
  ];
  const moved = makeColumn(device, track, [10, 20, 30, 40, 50, 60]);
  const rowMask = makeWords(device, track, [0, 1]);
  const table = { name: 'w', data: data.range, grad: grad.range, rowLength: LENGTH, rowMask };
  for (const skipNonFinite of [false, true]) {
    const config = { rule: sgd({ lr: 1 }), skipNonFinite, params: [table] };
    const optimizer = track(await Optimizer.create(device, config));
    const wide = { ...moved.range, byteStride: 4 * STRIDE + 4, size: 4 * (STRIDE + 1) + 12 };
    for (const role of ['data', 'grad']) {
      const error = await errorOf(() => optimizer.rebind({ w: { [role]: { ...wide, offset: 0 } } }));
      expect(error.message).toMatch(/other kernels are needed|another reduction is needed/);
    }
    const inMask = await errorOf(() =>
      optimizer.rebind({ w: { data: { buffer: rowMask, offset: 0, size: 4, byteStride: 24 } } }),
    );
    expect(inMask.message).toContain('less than a row of 3');
    optimizer.rebind({ w: { data: moved.range } });
    optimizer.step();
    const got = await readFloats(device, moved.buffer);
    const want = skipNonFinite ? [10, 20, 30, 36, 46, 56] : [10, 20, 30, 38, 48, 58];
    expect([...got]).toEqual([...moved.holding(want)]);
  }
  expect([...(await readFloats(device, data.buffer))]).toEqual([...data.holding([1, 2, 3, 4, 5, 6])]);
});

gpuTest('the rows of a sparse gradient are stepped where they lie', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const weights = random.weights(LENGTH * 40);
  const data = makeColumn(device, track, weights);
  const indices = Uint32Array.from({ length: 16 }, () => random.integer(40));
  const values = random.gradients(LENGTH * 16);
  const options = { rowLength: LENGTH, constraint: 'unit-rows' as const, lrPerColumn: [1, 0.5, 1] };
  const grad = { indices: makeWords(device, track, indices), values: makeBuffer(device, track, values) };
  const params = [{ ...options, name: 'w', data: data.range, grad }];
  const rule = adam({ lr: 0.1 });
  const optimizer = track(await Optimizer.create(device, { rule, params }));
  const twin = new ReferenceOptimizer({
    rule,
    precision: 'f32',
    params: [{ ...options, name: 'w', data: weights.slice() }],
  });
  for (let step = 0; step < 3; step++) {
    optimizer.step();
    twin.step([{ indices, values }]);
  }
  expectSame(device, await readFloats(device, data.buffer), data.holding(twin.readParam('w')), 'weights');
  expectSame(device, await optimizer.readState('w', 'exp_avg'), twin.readState('w', 'exp_avg'), 'exp_avg');
});

gpuTest('columns in several buffers, with gradients that are added up', async ({ device, track }) => {
  const weights = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  const parts = [weights.slice(0, 6), weights.slice(6)].map((part) => makeColumn(device, track, part));
  const grad = makeColumn(
    device,
    track,
    weights.map(() => 1),
  );
  const micro = makeColumn(device, track, weights);
  const table = {
    name: 'w',
    data: parts.map(({ range }) => range),
    grad: grad.range,
    microGrad: micro.range,
    rowLength: LENGTH,
    rowMask: makeWords(device, track, [1, 0, 1]),
    lrPerColumn: [1, 0, 2],
  };
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [table] }));
  optimizer.accumulate();
  optimizer.step();
  expect([...(await optimizer.readParam('w'))]).toEqual([-1, 2, -5, 4, 5, 6, -1, 8, -11]);
  expect([...(await readFloats(device, grad.buffer))]).toEqual([...grad.holding(weights.map((g) => g + 1))]);
  expect([...(await readFloats(device, parts[1]!.buffer))]).toEqual([...parts[1]!.holding([-1, 8, -11])]);
});

gpuTest('rules with norms take them of the rows that are stepped', async ({ device, track }) => {
  const tables = [{ rowLength: 4, dataGap: 1, masked: 0.5 }];
  const random = new Random(inject('seed'));
  const run = { device, track, tables, rowCount: 37, oneBuffer: false, steps: 3, random };
  await checkTableParity({ ...run, rule: lamb({ lr: 0.1 }) });
});

gpuTest('nor do rules with norms see ordinary numbers of the other rows', async ({ device, track }) => {
  const stepped = [1, 100].map(async (other) => {
    const w = {
      name: 'w',
      data: makeBuffer(device, track, [1, 2, 3, 4, 5, 6]),
      grad: makeBuffer(device, track, [0.1, 0.2, 0.3, other, other, other]),
      rowLength: 3,
      rowMask: makeWords(device, track, [1, 0]),
    };
    const optimizer = track(await Optimizer.create(device, { rule: lamb({ lr: 0.1 }), params: [w] }));
    optimizer.step();
    return [...(await optimizer.readParam('w'))];
  });
  const [one, another] = await Promise.all(stepped);
  expect(one).toEqual(another);
  expect(one!.slice(0, 3)).not.toEqual([1, 2, 3]);
});

gpuTest('a row that is not finite, and one of zeros, keeps its bits', async ({ device, track }) => {
  const weights = [3, 0, 4, 0, 0, 0, NaN, 1, 1, Infinity, 1, -1, 3e38, 3e38, 0, 1e-30, 0, 0];
  const data = makeColumn(device, track, weights);
  const grad = makeColumn(device, track, new Float32Array(weights.length));
  const table = { data: data.range, grad: grad.range, rowLength: LENGTH, constraint: 'unit-rows' as const };
  const optimizer = track(await Optimizer.create(device, { rule: sgd(), params: [table] }));
  optimizer.step();
  const want = [0.6, 0, 0.8, ...weights.slice(3, 12), Math.SQRT1_2, Math.SQRT1_2, 0, 1, 0, 0];
  const got = await readFloats(device, data.buffer);
  expect([...got]).toEqual(
    Array.from(data.holding(want), (x) => (Number.isFinite(x) && x !== 0 ? expect.closeTo(x, 6) : x)),
  );
});

gpuTest('nothing is left behind', async ({ device, track }) => {
  const values = [1, 2, 3, 4, 5, 6];
  const [data, grad, next] = [1, 2, 3].map(() => makeColumn(device, track, values)) as [
    ReturnType<typeof makeColumn>,
    ReturnType<typeof makeColumn>,
    ReturnType<typeof makeColumn>,
  ];
  const live = track(watchBuffers(device));
  const table = { name: 'w', data: data.range, grad: grad.range, rowLength: LENGTH, lrPerColumn: [1, 2, 1] };
  const optimizer = await Optimizer.create(device, { rule: adam(), params: [table] });
  optimizer.zeroGrad();
  await optimizer.readParam('w');
  const before = live.count;
  for (let k = 0; k < 4; k++) {
    optimizer.rebind({ w: { grad: (k % 2 === 0 ? next : grad).range } });
    optimizer.zeroGrad();
    await optimizer.readParam('w');
  }
  expect(live.labels.length - before).toBe(0);
  optimizer.destroy();
  expect(live.labels).toEqual([]);
});

gpuTest('rates per column follow what is set', async ({ device, track }) => {
  const weights = [1, 2, 3, 4, 5, 6];
  const [data, grad] = [weights, weights].map((values) => makeColumn(device, track, values)) as [
    ReturnType<typeof makeColumn>,
    ReturnType<typeof makeColumn>,
  ];
  const rule = sgd({ lr: 0.5, weightDecay: 0.25, weightDecayMode: 'decoupled' });
  const options = { name: 'w', rowLength: LENGTH, lrPerColumn: [1, 0.5, 0] };
  const params = [{ ...options, data: data.range, grad: grad.range }];
  const optimizer = track(await Optimizer.create(device, { rule, params }));
  const twin = new ReferenceOptimizer({
    rule,
    precision: 'f32',
    params: [{ ...options, data: Float32Array.from(weights) }],
  });
  for (const change of [{}, { weightDecayMode: 'raw' }, { lr: 0.25, weightDecay: 0 }] as const) {
    for (const { groups } of [optimizer, twin]) groups[0]!.set(change);
    optimizer.step();
    twin.step([weights]);
  }
  expectSame(device, await optimizer.readParam('w'), twin.readParam('w'), 'weights');
});

gpuTest('rows of columns move, and with them their state', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const FRESH = 0xffff_ffff;
  const [before, after] = [4, 6];
  const weights = random.weights(LENGTH * before);
  const gradients = [before, after, after].map((rows) => random.gradients(LENGTH * rows));
  const data = makeColumn(device, track, [...weights, 9, 8, 7, 6, 5, 4]);
  const grad = makeColumn(device, track, [...gradients[0]!, 0, 0, 0, 0, 0, 0]);
  const next = makeColumn(device, track, new Float32Array(LENGTH * after).fill(3));
  const others = [10, 20, 30, 40, 50, 60];
  const room = makeBuffer(device, track, others);
  const rowMask = makeWords(device, track, [1, 1, 1, 1, 0, 1]);
  const params = [
    { name: 'w', data: data.range, grad: grad.range, rowLength: LENGTH, rowMask, length: LENGTH * before },
    { name: 'plain', data: room, grad: makeBuffer(device, track, others), rowLength: 1, length: before },
  ];
  const rule = adam({ lr: 0.1 });
  const optimizer = track(await Optimizer.create(device, { rule, params }));
  const make = (rows: ArrayLike<number>, mask: number[]) =>
    new ReferenceOptimizer({
      rule,
      precision: 'f32',
      params: [{ name: 'w', data: Float32Array.from(rows), rowLength: LENGTH, rowMask: mask }],
    });
  const twin = make(weights, [1, 1, 1, 1]);
  optimizer.step();
  twin.step([gradients[0]!]);
  const map = (from: number[], old: ArrayLike<number>, fresh: ArrayLike<number>): number[] =>
    from.flatMap((row, k) =>
      [0, 1, 2].map((c) => (row === FRESH ? fresh[LENGTH * k + c]! : old[LENGTH * row + c]!)),
    );
  // In place, then into another buffer.
  let twins = twin;
  let fresh: number[] = [...twin.readParam('w'), 9, 8, 7, 6, 5, 4];
  const maps = [
    [3, FRESH, 0, 0, 2, FRESH],
    [5, 4, FRESH, 2, 1, 0],
  ];
  for (const [k, from] of maps.entries()) {
    const moves = { from: Uint32Array.from(from), rowCount: after };
    await optimizer.mapRows(['w', 'plain'], k === 0 ? moves : { ...moves, data: { w: next.range } });
    const mapped = make(map(from, twins.readParam('w'), fresh), [1, 1, 1, 1, 0, 1]);
    const dict = mapped.stateDict();
    for (const slot of ['exp_avg', 'exp_avg_sq'] as const) {
      const zeros = new Float32Array(LENGTH * after);
      dict.state['w']![slot] = Float32Array.from(map(from, twins.readState('w', slot), zeros));
    }
    mapped.loadStateDict({ ...dict, step: k + 1 });
    grad.write(gradients[k + 1]!);
    optimizer.step();
    mapped.step([gradients[k + 1]!]);
    expectSame(device, await optimizer.readParam('w'), mapped.readParam('w'), `weights ${k}`);
    expectSame(
      device,
      await optimizer.readState('w', 'exp_avg'),
      mapped.readState('w', 'exp_avg'),
      `state ${k}`,
    );
    const { buffer, holding } = k === 0 ? data : next;
    expectSame(device, await readFloats(device, buffer), holding(mapped.readParam('w')), 'what lies between');
    twins = mapped;
    fresh = Array.from({ length: LENGTH * after }, () => 3);
  }
  const wide = { w: { ...data.range, byteStride: 4 * STRIDE } };
  const error = await errorOf(() =>
    optimizer.mapRows(['w', 'plain'], { from: new Uint32Array(7), rowCount: 7, data: wide }),
  );
  expect(error.message).toContain('data of parameter "w" has room for 18 elements, but 7 rows of 3 need 21');
});

gpuTest('rows that are more than the mask has come with another one', async ({ device, track }) => {
  const floats = (count: number) => makeBuffer(device, track, new Float32Array(count));
  const grad = (...values: number[]) => makeBuffer(device, track, values);
  const param = {
    name: 'w',
    data: floats(4),
    grad: grad(1, 1, NaN, 1),
    rowLength: 2,
    rowMask: makeWords(device, track, [1, 0]),
  };
  const config = { rule: sgd({ lr: 1 }), skipNonFinite: true, maxGradNorm: 1e9 };
  const optimizer = track(await Optimizer.create(device, { ...config, params: [param] }));
  optimizer.step();
  const first = optimizer.stats();
  const more = { from: Uint32Array.of(0, 1, 0xffff_ffff), rowCount: 3, data: { w: floats(8) } };
  const next = { ...more, grad: { w: grad(2, 2, 3, 3, NaN, NaN, 4, 4) } };
  const { message } = await errorOf(() => optimizer.mapRows(['w'], next));
  expect(message).toContain(
    'rowMask of parameter "w" has room for 2 elements, but 3 rows of 1 need 3; give a',
  );
  const mask = makeWords(device, track, [0, 1, 0, 0, 1]);
  const rowMask = { w: { buffer: mask, offset: 4 } };
  void optimizer.mapRows(['w'], { ...next, rowMask });
  optimizer.step();
  const second = optimizer.stats();
  // Within the room of that one.
  void optimizer.mapRows(['w'], { from: Uint32Array.of(1, 0, 2, 2), rowCount: 4 });
  optimizer.step();
  expect(await first).toMatchObject({ step: 1, skipped: 0, gradNorm: Math.fround(Math.SQRT2) });
  expect(await second).toMatchObject({ step: 2, skipped: 0, gradNorm: Math.fround(Math.sqrt(8)) });
  expect(await optimizer.stats()).toMatchObject({ step: 3, skipped: 0 });
  expect([...(await optimizer.readParam('w'))]).toEqual([-2, -2, -3, -3, 0, 0, -4, -4]);
});
