/** Gradients in fixed point: every rule, wherever its tensors lie, and all calls beside the step. */
import { expect, inject } from 'vitest';
import { fixedPoint } from '../../src/codecs/i32.js';
import { Optimizer, type Parameter, ReferenceOptimizer, adam, momentum, sgd } from '../../src/index.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { bitDifference } from '../../proof/compare.js';
import { checkParity } from '../../proof/parity.js';
import { Random } from '../../proof/random.js';
import { readBuffer } from '../../proof/read-buffer.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { errorOf } from '../support/error-of.js';
import { exactRule } from '../support/life-pair.js';
import { makeBuffer } from '../support/tensors.js';
import { checkTogether } from '../support/together.js';

const LENGTHS = [1, 3, 4, 5, 63, 64, 65, 255, 256, 257, 1023, 4099];
const SCALES = [65_536, 1000, 1, 0.3];

function makeInts(device: GPUDevice, track: Track, values: Int32Array<ArrayBuffer>): GPUBuffer {
  return makeBuffer(device, track, new Float32Array(values.buffer));
}

/** Integers of all sizes: of more bits than a float32 has, too. */
const integers = (random: Random, length: number): Int32Array<ArrayBuffer> =>
  Int32Array.from({ length }, () => (random.uniform() - 0.5) * 2 ** (1 + random.integer(32)));

// A part of them by the seed: each compiles kernels of its own.
gpuTest('every rule steps by them as its twin does', async ({ device, track }) => {
  const cases = drawn(
    ruleFactories.flatMap(([name, factory], k) =>
      [0, 1, 2, 3].map((dataOffset) => ({
        name,
        factory,
        dtype: (['f32', 'f16', 'bf16'] as const)[(k + dataOffset) % 3]!,
        gradScale: SCALES[(k + dataOffset) % 4]!,
        dataOffset,
        gradOffset: (dataOffset + 1 + (k % 3)) % 4,
      })),
    ),
    8,
  );
  await checkTogether(
    cases,
    ({ name, dtype, gradScale, dataOffset, gradOffset }) =>
      JSON.stringify({ name, dtype, gradScale, dataOffset, gradOffset }),
    async ({ factory, dtype, gradScale, dataOffset, gradOffset }) => {
      await checkParity({
        device,
        track,
        rule: factory(),
        dtype,
        gradDtype: 'i32',
        gradScale,
        layouts: LENGTHS.map((length) => ({ length, dataOffset, gradOffset })),
        oneBuffer: false,
        steps: 3,
        random: new Random(inject('seed')),
        boundedElements: 8,
      });
    },
  );
});

gpuTest('they are read as the reference reads them, whatever they are', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const rule = sgd({ lr: 0.5 });
  for (const gradScale of SCALES) {
    const grads = integers(random, 1001);
    grads.set([2 ** 31 - 1, -(2 ** 31), 2 ** 24 + 1, -(2 ** 24) - 1, 0, 2 ** 25 + 2, 2 ** 25 + 6, -1]);
    const weights = new Float32Array(grads.length);
    const [data, grad] = [makeBuffer(device, track, weights), makeInts(device, track, grads)];
    const params: Parameter[] = [{ name: 'w', data, grad, gradDtype: 'i32', gradScale }];
    const optimizer = track(await Optimizer.create(device, { rule, params }));
    const twin = new ReferenceOptimizer({
      rule,
      precision: 'f32',
      params: [{ name: 'w', data: weights, gradDtype: 'i32', gradScale }],
    });
    optimizer.step();
    twin.step([grads]);
    const want = Float32Array.from(twin.readParam('w'));
    expect(bitDifference(await optimizer.readParam('w'), want), `${gradScale}`).toBeUndefined();
    const read = fixedPoint(gradScale).decode(grads.slice().buffer, grads.length);
    expect(
      bitDifference(
        want,
        read.map((g) => 0 - 0.5 * g),
      ),
    ).toBeUndefined();
  }
});

gpuTest('their norms are taken and limited', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const gradScale = 4096;
  const tensors = [1, 2, 5, 257].map((length, k) => ({
    name: `t${k}`,
    weights: random.weights(length),
    grads: Int32Array.from(random.weights(length), (g) => g * gradScale),
  }));
  for (const limit of [
    { maxGradNorm: 0.5, gradScale: 0.5 },
    { maxGradNormPerTensor: 0.25 },
    { maxGradValue: 0.1, skipNonFinite: true },
  ]) {
    const config = { rule: exactRule(device, adam({ lr: 0.1 })), ...limit };
    const optimizer = track(
      await Optimizer.create(device, {
        ...config,
        params: tensors.map(({ name, weights, grads }) => ({
          name,
          gradDtype: 'i32' as const,
          gradScale,
          data: makeBuffer(device, track, weights),
          grad: makeInts(device, track, grads),
        })),
      }),
    );
    const twin = new ReferenceOptimizer({
      ...config,
      precision: 'f32',
      params: tensors.map(({ name, weights }) => ({
        name,
        gradDtype: 'i32' as const,
        gradScale,
        data: weights.slice(),
      })),
    });
    const norms = await optimizer.norms();
    for (const { name, grads } of tensors) {
      const want = Math.hypot(...grads) / gradScale;
      // The norm of one is that of the unscaled gradient.
      const got = norms[name]!.grad / (limit.gradScale ?? 1);
      expect(Math.abs(got - want), name).toBeLessThanOrEqual(1e-5 * want);
    }
    optimizer.step();
    twin.step(tensors.map(({ grads }) => grads));
    for (const { name } of tensors) {
      const want = Float32Array.from(twin.readParam(name));
      const got = await optimizer.readParam(name);
      // The factor is found by another sum of squares.
      got.forEach((w, i) =>
        expect(Math.abs(w - want[i]!)).toBeLessThanOrEqual(1e-5 * Math.abs(want[i]!) + 1e-6),
      );
    }
    expect((await optimizer.stats()).skipped).toBe(0);
  }
});

gpuTest('micro-batches of integers are added up as integers, and zeroed', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  for (const gradScale of [65_536, 1000]) {
    const sums = Int32Array.from({ length: 257 }, () => random.integer(2 ** 21) - 2 ** 20);
    const micro = Int32Array.from({ length: 257 }, () => random.integer(2 ** 21) - 2 ** 20);
    const [grad, microGrad] = [makeInts(device, track, sums), makeInts(device, track, micro)];
    const data = makeBuffer(device, track, random.weights(257));
    const params: Parameter[] = [{ name: 'w', data, grad, microGrad, gradDtype: 'i32', gradScale }];
    const optimizer = track(await Optimizer.create(device, { rule: sgd(), params }));
    optimizer.accumulate();
    const words = await readBuffer(device, grad);
    expect([...new Int32Array(words.buffer)]).toEqual([...sums].map((sum, i) => sum + micro[i]!));
    // What is too much stays as much as there may be.
    device.queue.writeBuffer(grad, 0, Int32Array.of(2_000_000_000, -2_000_000_000));
    device.queue.writeBuffer(microGrad, 0, Int32Array.of(2_000_000_000, -2_000_000_000));
    optimizer.accumulate();
    const [most, least] = new Int32Array((await readBuffer(device, grad)).buffer);
    expect([most, least]).toEqual([2_147_483_520, -2_147_483_648]);
    optimizer.zeroGrad();
    expect(new Set(await readBuffer(device, grad))).toEqual(new Set([0]));
  }
});

gpuTest('rows of them lie apart, are masked, and are named', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  for (const [rowLength, gradScale] of [
    [4, 1024],
    [3, 1000],
  ] as const) {
    const rowCount = 40;
    const length = rowLength * rowCount;
    const grads = Int32Array.from({ length }, () => random.integer(2 ** 12) - 2 ** 11);
    const apart = new Int32Array(10 * rowCount).fill(7);
    for (let row = 0; row < rowCount; row++) {
      apart.set(grads.subarray(row * rowLength, (row + 1) * rowLength), 10 * row);
    }
    const mask = Uint32Array.from({ length: rowCount }, (_, row) => row % 3);
    const rowMask = track(device.createBuffer({ size: 4 * rowCount, usage: 0x8c }));
    device.queue.writeBuffer(rowMask, 0, mask);
    const indices = Uint32Array.from({ length: 100 }, (_, k) => (k < 70 ? 7 : random.integer(rowCount)));
    const values = Int32Array.from({ length: 100 * rowLength }, () => random.integer(2 ** 12) - 2 ** 11);
    const indexBuffer = track(device.createBuffer({ size: 400, usage: 0x88 }));
    device.queue.writeBuffer(indexBuffer, 0, indices);
    const weights = random.weights(length);
    const shared = { rowLength, gradDtype: 'i32' as const, gradScale };
    const params: Parameter[] = [
      {
        name: 'apart',
        ...shared,
        rowMask,
        data: makeBuffer(device, track, weights),
        grad: { buffer: makeInts(device, track, apart), byteStride: 40 },
      },
      {
        name: 'table',
        ...shared,
        data: makeBuffer(device, track, weights),
        grad: { indices: indexBuffer, values: makeInts(device, track, values) },
      },
    ];
    const rule = exactRule(device, adam({ lr: 0.1 }));
    const optimizer = track(await Optimizer.create(device, { rule, params }));
    const twin = new ReferenceOptimizer({
      rule,
      precision: 'f32',
      params: [
        { name: 'apart', ...shared, rowMask: mask, data: weights.slice() },
        { name: 'table', ...shared, data: weights.slice() },
      ],
    });
    for (let k = 0; k < 2; k++) {
      optimizer.step();
      twin.step([grads, { indices, values }]);
    }
    for (const name of ['apart', 'table']) {
      const want = Float32Array.from(twin.readParam(name));
      expect(bitDifference(await optimizer.readParam(name), want), `${name} ${rowLength}`).toBeUndefined();
    }
    expect(optimizer.memory().gradients).toBe(4 * (length + 100 * rowLength));
    const map = Uint32Array.from({ length: rowCount }, (_, row) => rowCount - 1 - row);
    await optimizer.mapRows(['table'], { from: map, rowCount });
    optimizer.zeroGrad();
    const cleared = await readBuffer(device, (params[0]!.grad as { buffer: GPUBuffer }).buffer);
    // Not what lies between rows.
    expect([...cleared.subarray(0, 10)]).toEqual([
      ...new Int32Array(rowLength),
      ...new Int32Array(10 - rowLength).fill(7),
    ]);
  }
});

gpuTest('they are rebound, and two scales do not share a dispatch', async ({ device, track }) => {
  const rule = momentum({ lr: 0.5, momentum: 0.5 });
  const weights = new Float32Array(5);
  const grads = Int32Array.of(1, 2, 3, 4, -5);
  const make = (name: string, gradScale: number): Parameter => ({
    name,
    data: makeBuffer(device, track, weights),
    grad: makeInts(device, track, grads),
    gradDtype: 'i32',
    gradScale,
  });
  const params = [make('a', 2), make('b', 8), make('c', 2), make('d', 8)];
  const optimizer = track(await Optimizer.create(device, { rule, params }));
  optimizer.step();
  for (const [name, scale] of [
    ['a', 2],
    ['b', 8],
    ['c', 2],
    ['d', 8],
  ] as const) {
    expect([...(await optimizer.readParam(name))]).toEqual([...grads].map((g) => (-0.5 * g) / scale));
  }
  optimizer.rebind({ a: { grad: makeInts(device, track, Int32Array.of(8, 8, 8, 8, 8)) } });
  optimizer.step();
  expect((await optimizer.readParam('a'))[0]).toBe(-0.25 - 0.125 - 2);
});

gpuTest('what they cannot be is refused', async ({ device, track }) => {
  const data = makeBuffer(device, track, new Float32Array(8));
  const grad = makeBuffer(device, track, new Float32Array(8));
  const make = async (parameter: object): Promise<string> => {
    const own = { name: 'w', gradDtype: 'i32', ...parameter } as { name: string };
    const { message } = await errorOf(() =>
      Optimizer.create(device, { rule: sgd(), params: [{ data, grad, ...own }] }),
    );
    const params = [{ data: new Float32Array(8), ...own }];
    expect(() => new ReferenceOptimizer({ rule: sgd(), params })).toThrow(message);
    return message;
  };
  for (const gradScale of [0, -1, NaN, Infinity, 1e39, 1e-39, '8', null]) {
    expect(await make({ gradScale })).toContain(
      'give what gradients were multiplied with: a finite number > 0 that float32 can hold',
    );
  }
  expect(await make({ gradDtype: 'f32', gradScale: 2 })).toContain('gradScale is 2 with gradDtype "f32"');
  expect(await make({ gradDtype: 'i16', gradScale: 2 })).toContain('gradScale is 2 with gradDtype "i16"');
  expect(await make({ gradDtype: 'i8' })).toContain(
    'gradDtype is "i8"; give "f32" or "f16" or "bf16" or "i32"',
  );
  const weights: Parameter = { name: 'w', data, grad, dtype: 'i32' as 'f32' };
  expect(
    (await errorOf(() => Optimizer.create(device, { rule: sgd(), params: [weights] }))).message,
  ).toContain('dtype is "i32"; give "f32" or "f16" or "bf16"');
  const one: Parameter = {
    name: 'w',
    data: { buffer: data, size: 16 },
    grad: { buffer: data, offset: 16, size: 16 },
    gradDtype: 'i32',
  };
  expect((await errorOf(() => Optimizer.create(device, { rule: sgd(), params: [one] }))).message).toContain(
    'different dtypes in one buffer',
  );
  const twin = new ReferenceOptimizer({
    rule: sgd(),
    params: [{ name: 'w', data: new Float32Array(2), gradDtype: 'i32' }],
  });
  expect(() => twin.step([[1, 0.5]])).toThrow('value 1 is 0.5; give integers of 32 bits');
});
