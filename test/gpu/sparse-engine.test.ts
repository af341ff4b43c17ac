import { expect, inject, vi } from 'vitest';
import {
  Optimizer,
  type OptimizerSettings,
  OptimizerError,
  type Parameter,
  adam,
  lamb,
  lars,
  novograd,
  sgd,
} from '../../src/index.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { sparseGoldenCases } from '../fixtures/golden/sparse.js';
import { BoundedRun } from '../../proof/bounded-run.js';
import { bitDifference, checkWithinBound } from '../../proof/compare.js';
import { isCpuAdapter } from '../../src/kernel/shape.js';
import { gpuTest } from '../support/device.js';
import { readBuffer } from '../../proof/read-buffer.js';
import { Random } from '../../proof/random.js';
import { checkSparse, makeWords } from '../support/sparse-run.js';
import type { Track } from '../../proof/track.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

/** A table, its entries' buffers, and the parameter of them. */
function makeTable(
  device: GPUDevice,
  track: Track,
  weights: ArrayLike<number>,
  rowLength: number,
  rows: ArrayLike<number>,
  values: ArrayLike<number>,
) {
  const grad = { indices: makeWords(device, track, rows), values: makeBuffer(device, track, values) };
  return { name: 'table', data: makeBuffer(device, track, weights), rowLength, grad };
}

for (const golden of sparseGoldenCases) {
  gpuTest(`published numbers on the GPU: ${golden.name}`, async ({ device, track }) => {
    const { param, rowLength, grad } = golden;
    const rule = ruleFactories.find(([name]) => name === golden.rule)![1](golden.options);
    const table = makeTable(device, track, param, rowLength, grad.indices, grad.values);
    const optimizer = track(await Optimizer.create(device, { rule, params: [table] }));
    const bounded = new BoundedRun(rule, param, 0.5);
    for (const { step, param: want, tolerance } of golden.expected) {
      while ((await optimizer.stats()).step < step) {
        optimizer.step();
        bounded.stepRows(grad, rowLength);
      }
      const allowed = want.map((value, i) => ({ value, error: tolerance + bounded.weights[i]!.error }));
      checkWithinBound(await optimizer.readParam('table'), allowed, `${golden.source}, step ${step}`);
    }
  });
}

gpuTest('the norm is that of the sums, together with dense gradients', async ({ device, track }) => {
  // Row 1: (1 + 2, 0), row 0: (0, 4), an entry of no row, and 12 of a dense gradient.
  const table = makeTable(device, track, [0, 0, 0, 0], 2, [1, 0, 1, 9], [1, 0, 0, 4, 2, 0, 99, 99]);
  const params = [table, makeParameter(device, track, 'dense', [0], [12])];
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params, maxGradNorm: 6.5 }));
  optimizer.step();
  const { gradNorm, clipFactor } = await optimizer.stats();
  expect(gradNorm).toBe(13);
  expect(clipFactor).toBeCloseTo(0.5, 6);
  const got = await optimizer.readParam('table');
  expect([...got]).toEqual([0, -4, -3, 0].map((x) => expect.closeTo(x * clipFactor, 6)));
  // Fewer sums than before, of the same norm: (3, 4) and 12.
  device.queue.writeBuffer(table.grad.indices, 0, Uint32Array.of(0, 0, 0, 9));
  optimizer.step();
  expect((await optimizer.stats()).gradNorm).toBe(13);
});

gpuTest(
  'loss scale and gradScale are divided out, and values clamped after the sum',
  async ({ device, track }) => {
    const table = makeTable(device, track, [0, 0, 0], 1, [2, 2, 0], [8, 8, 16]);
    const config = {
      rule: sgd({ lr: 1 }),
      params: [table],
      lossScale: 8,
      gradScale: 0.5,
      maxGradValue: 0.75,
    };
    const optimizer = track(await Optimizer.create(device, config));
    optimizer.step();
    expect([...(await optimizer.readParam('table'))]).toEqual([-0.75, 0, -0.75]);
  },
);

gpuTest(
  'a NaN in the entry of a row skips the step; in one of no row, or past the count, it does not',
  async ({ device, track }) => {
    const count = makeWords(device, track, [3]);
    const table = makeTable(device, track, [0, 0], 1, [0, 1, 7, 1], [1, NaN, NaN, NaN]);
    const params = [{ ...table, grad: { ...table.grad, count } }];
    const optimizer = track(
      await Optimizer.create(device, { rule: sgd({ lr: 1 }), params, skipNonFinite: true }),
    );
    optimizer.step();
    expect(await optimizer.stats()).toMatchObject({ step: 0, skipped: 1 });
    expect([...(await optimizer.readParam('table'))]).toEqual([0, 0]);
    device.queue.writeBuffer(table.grad.values, 4, Float32Array.of(2));
    optimizer.step();
    expect(await optimizer.stats()).toMatchObject({ step: 1, skipped: 1 });
    expect([...(await optimizer.readParam('table'))]).toEqual([-1, -2]);
  },
);

gpuTest('a dynamic loss scale backs off on an infinite sum', async ({ device, track }) => {
  const table = makeTable(device, track, [0, 0], 1, [1, 1], [3e38, 3e38]);
  const config = { rule: adam(), params: [table], lossScale: { init: 8 } };
  const optimizer = track(await Optimizer.create(device, config));
  optimizer.step();
  expect(await optimizer.stats()).toMatchObject({ skipped: 1, lossScale: 4 });
});

gpuTest('many entries, controlled: the step is the uncontrolled one', async ({ device, track }) => {
  const seed = inject('seed');
  const run = (config: OptimizerSettings) => {
    const random = new Random(seed);
    const chooseRow = () => random.integer(500);
    const table = { rowCount: 500, rowLength: 8, entryCount: 700, chooseRow, steps: 3 };
    return checkSparse({ device, track, random, ...table, rule: adam(), config });
  };
  expect(bitDifference(await run({ maxGradNorm: 1e30, skipNonFinite: true }), await run({}))).toBeUndefined();
});

gpuTest(
  'a step makes nothing, and its dispatches follow from the entries, not from the table',
  async ({ device, track }) => {
    const dispatches: number[] = [];
    for (const rowCount of [1000, 100_000]) {
      const weights = new Float32Array(4 * rowCount);
      const table = makeTable(device, track, weights, 4, [5, 5, 7], new Float32Array(12));
      const optimizer = track(await Optimizer.create(device, { rule: adam(), params: [table] }));
      const spies = [
        vi.spyOn(device, 'createBuffer'),
        vi.spyOn(device, 'createBindGroup'),
        vi.spyOn(GPUCommandEncoder.prototype, 'clearBuffer'),
      ];
      const passes = vi.spyOn(GPUCommandEncoder.prototype, 'beginComputePass');
      const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
      optimizer.step();
      for (const spy of spies) expect(spy).not.toHaveBeenCalled();
      expect(passes).toHaveBeenCalledTimes(1);
      dispatches.push(dispatch.mock.calls.reduce((sum, [x, y = 1]) => sum + x * y, 0));
      for (const spy of [...spies, passes, dispatch]) spy.mockRestore();
    }
    // So few entries are a block, which is a workgroup per digit: of nine bits two on CPU adapters, of four bits three against five.
    expect(dispatches[1]! - dispatches[0]!).toBe(isCpuAdapter(device.adapterInfo) ? 0 : 2);
  },
);

gpuTest('a run with a table goes on from a state dict, and with a group more', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const weights = random.weights(60);
  const make = (name: string) => ({
    ...makeTable(device, track, weights, 3, [4, 19, 4, 0], random.gradients(12)),
    name,
  });
  const [a, b] = [make('a'), make('b')];
  const rule = adam({ lr: 0.1 });
  const whole = track(await Optimizer.create(device, { rule, params: [{ ...a, name: 'w' }] }));
  const first = track(await Optimizer.create(device, { rule, params: [{ ...b, name: 'w', grad: a.grad }] }));
  for (let step = 0; step < 4; step++) whole.step();
  for (let step = 0; step < 2; step++) first.step();
  const dict = await first.stateDict();
  expect(dict.state['w']!['exp_avg']).toHaveLength(60);
  const resumed = track(
    await Optimizer.create(device, { rule, params: [{ ...b, name: 'w', grad: a.grad }] }),
  );
  await resumed.loadStateDict(dict);
  const added = { ...makeTable(device, track, weights, 3, [1], [1, 2, 3]), name: 'added' };
  await resumed.addGroup({ params: [added] });
  for (let step = 0; step < 2; step++) resumed.step();
  expect(bitDifference(await resumed.readParam('w'), await whole.readParam('w'))).toBeUndefined();
  const moved = await resumed.readParam('added');
  // Two steps of Adam against a constant gradient go 2η, whatever its size.
  expect(Array.from(moved.subarray(3, 6))).toEqual(
    Array.from(weights.subarray(3, 6), (w) => expect.closeTo(w - 0.2, 5)),
  );
});

gpuTest('zeroGrad clears the values and leaves the indices', async ({ device, track }) => {
  const table = makeTable(device, track, [0, 0], 1, [1, 0], [3, 4]);
  const optimizer = track(await Optimizer.create(device, { rule: sgd(), params: [table] }));
  optimizer.zeroGrad();
  expect([...(await readBuffer(device, table.grad.values))]).toEqual([0, 0]);
  expect([...(await readBuffer(device, table.grad.indices))]).toEqual([1, 0]);
});

gpuTest('table, values, indices and count may lie in one buffer', async ({ device, track }) => {
  const words = new Uint32Array(16);
  new Float32Array(words.buffer).set([1, 2, 3, 4], 1);
  new Float32Array(words.buffer).set([1, 1, 9, 9], 6);
  words.set([1, 0], 11);
  words[14] = 1;
  const buffer = makeWords(device, track, words);
  const grad = {
    values: { buffer, offset: 24, size: 16 },
    indices: { buffer, offset: 44, size: 8 },
    count: { buffer, offset: 56, size: 4 },
  };
  const params = [{ name: 'table', data: { buffer, offset: 4, size: 16 }, rowLength: 2, grad }];
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params }));
  optimizer.step();
  expect([...(await optimizer.readParam('table'))]).toEqual([1, 2, 2, 3]);
});

/** Each a change of a table of 4 rows of 2 with 3 entries that is refused, and what the error says. */
const refused: Record<
  string,
  (table: ReturnType<typeof makeTable>, make: (n: number, usage?: number) => GPUBuffer) => unknown
> = {
  'rowLength is undefined': ({ name, data, grad }) => ({ name, data, grad }),
  'rowLength is 1.5': (table) => ({ ...table, rowLength: 1.5 }),
  '8 elements are not a whole number of rows of 3': (table) => ({ ...table, rowLength: 3 }),
  'grad.indices has 3 entries but grad.values has 8 elements; give 3 × 2': (table, make) => ({
    ...table,
    grad: { ...table.grad, values: make(8) },
  }),
  'grad.indices is undefined': ({ grad: { values }, ...table }) => ({ ...table, grad: { values } }),
  'grad.values is undefined': ({ grad: { indices }, ...table }) => ({ ...table, grad: { indices } }),
  'unknown option "size"': (table) => ({ ...table, grad: { ...table.grad, size: 3 } }),
  'grad.count is 3': (table) => ({ ...table, grad: { ...table.grad, count: 3 } }),
  'grad.indices: buffer "test" has usage 0x8, without STORAGE': (table, make) => ({
    ...table,
    grad: { ...table.grad, indices: make(3, GPUBufferUsage.COPY_DST) },
  }),
  'grad.indices of parameter "table" (bytes 0 to 12) overlaps data': (table) => ({
    ...table,
    grad: { ...table.grad, indices: { buffer: table.data, size: 12 } },
  }),
  'overlaps data of parameter "table"': (table) => ({
    ...table,
    grad: { ...table.grad, values: { buffer: table.data, offset: 8 } },
  }),
  'data is an array of 2 ranges': (table, make) => ({ ...table, data: [table.data, make(8)] }),
  'length is 9; give an integer from 1 to 8': (table) => ({ ...table, length: 9 }),
  'microGrad is given with a sparse grad': (table, make) => ({ ...table, microGrad: make(8) }),
};

for (const [message, change] of Object.entries(refused)) {
  gpuTest(`create refuses a table, and makes nothing: ${message}`, async ({ device, track }) => {
    const table = makeTable(device, track, new Float32Array(8), 2, [0, 1, 2], new Float32Array(6));
    const params = [change(table, (n, usage) => makeBuffer(device, track, new Float32Array(n), usage))];
    const createBuffer = vi.spyOn(device, 'createBuffer');
    await expect(Optimizer.create(device, { rule: sgd(), params: params as Parameter[] })).rejects.toThrow(
      message,
    );
    expect(createBuffer).not.toHaveBeenCalled();
    createBuffer.mockRestore();
  });
}

gpuTest('create refuses averages of a table, and one that no binding holds', async ({ device, track }) => {
  const table = makeTable(device, track, new Float32Array(8), 2, [0], new Float32Array(2));
  for (const average of [
    { ema: { decay: 0.9 } },
    { swa: { start: 1, period: 1 } },
    { lookahead: { every: 2, alpha: 0.5 } },
  ]) {
    const error = await Optimizer.create(device, { rule: sgd(), params: [table], ...average }).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(OptimizerError);
    expect((error as OptimizerError).code).toBe('invalid-config');
    expect((error as OptimizerError).message).toContain('parameter "table" has a sparse gradient');
  }
  const limit = device.limits.maxStorageBufferBindingSize;
  const usage = GPUBufferUsage.STORAGE;
  const make = (size: number) => track(device.createBuffer({ label: 'table', size, usage }));
  // Values that fit, but for where they begin: bindings begin at multiples of 256 bytes.
  const rowLength = limit / 4 - 1;
  const grad = { ...table.grad, values: { buffer: make(limit + 4), offset: 8, size: 4 * rowLength } };
  for (const wrong of [
    { ...table, data: make(limit + 8) },
    { ...table, rowLength, data: make(4 * rowLength), grad },
  ]) {
    const error = await Optimizer.create(device, { rule: sgd(), params: [wrong] }).catch((e: unknown) => e);
    expect((error as OptimizerError).code).toBe('limit-exceeded');
    expect((error as OptimizerError).message).toContain(`maxStorageBufferBindingSize is ${limit}`);
  }
});

gpuTest(
  'create refuses a table where the rule measures tensors, and makes nothing',
  async ({ device, track }) => {
    const table = makeTable(device, track, new Float32Array(8), 2, [0], new Float32Array(2));
    const dense = makeParameter(device, track, 'dense', [1], [1]);
    const createBuffer = vi.spyOn(device, 'createBuffer');
    for (const rule of [lars(), lamb(), novograd()]) {
      const error = await Optimizer.create(device, { rule, params: [dense, table] }).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(OptimizerError);
      expect((error as OptimizerError).code).toBe('invalid-config');
      expect((error as OptimizerError).message).toContain(`${rule.name} measures all weights`);
      expect((error as OptimizerError).message).toContain('parameter "table" has a sparse gradient');
    }
    expect(createBuffer).not.toHaveBeenCalled();
    createBuffer.mockRestore();
  },
);

gpuTest(
  'create names the table whose buffers the device rejects, and leaves nothing',
  async ({ device, track }) => {
    for (const role of ['indices', 'values', 'data'] as const) {
      const table = makeTable(device, track, new Float32Array(8), 2, [0], new Float32Array(2));
      const buffer = role === 'data' ? table.data : table.grad[role];
      buffer.destroy();
      const createBuffer = vi.spyOn(device, 'createBuffer');
      const destroyed = vi.spyOn(GPUBuffer.prototype, 'destroy');
      const error = await Optimizer.create(device, { rule: adam(), params: [table] }).catch(
        (e: unknown) => e,
      );
      const created = createBuffer.mock.results.map(({ value }) => value as GPUBuffer);
      const freed = new Set(destroyed.mock.instances as unknown as GPUBuffer[]);
      createBuffer.mockRestore();
      destroyed.mockRestore();
      expect((error as OptimizerError).code).toBe('invalid-parameter');
      expect((error as OptimizerError).message).toContain('parameter "table": the device rejects');
      expect(created.filter((made) => !freed.has(made)).map(({ label }) => label)).toEqual([]);
    }
  },
);
