/** What becomes of weights and gradients of 2 bytes in all calls beside the step, and which are refused. */
import { expect, inject } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  type Parameter,
  ReferenceOptimizer,
  adam,
  loadCheckpoint,
  saveCheckpoint,
  scheduleFreeSgd,
  sgd,
} from '../../src/index.js';
import { readSafetensors } from '../../src/safetensors/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { errorOf } from '../support/error-of.js';
import { makeHalves, readHalves, roundedTo } from '../support/halves.js';
import { FRESH, exactRule } from '../support/life-pair.js';
import { makeBuffer } from '../support/tensors.js';

const LENGTHS = [1, 2, 5, 257];

gpuTest('their norms are taken, limited and looked at for NaN', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  for (const dtype of drawn(['f16', 'bf16'] as const, 2)) {
    const tensors = LENGTHS.map((length, k) => ({
      name: `t${k}`,
      length,
      weights: roundedTo(dtype, random.weights(length)),
      gradients: roundedTo(dtype, random.weights(length)),
    }));
    for (const limit of [{ maxGradNorm: 0.5 }, { maxGradNormPerTensor: 0.25 }]) {
      const config = { rule: exactRule(device, adam({ lr: 0.1 })), skipNonFinite: true, ...limit };
      const params = tensors.map(({ name, length, weights, gradients }) => ({
        name,
        length,
        dtype,
        gradDtype: dtype,
        data: makeHalves(device, track, dtype, weights),
        grad: makeHalves(device, track, dtype, gradients),
      }));
      const optimizer = track(await Optimizer.create(device, { ...config, params }));
      const twin = new ReferenceOptimizer({
        ...config,
        precision: 'f32',
        params: tensors.map(({ name, weights }) => ({ name, dtype, data: weights.slice() })),
      });
      const gradients = tensors.map((tensor) => tensor.gradients);
      optimizer.step();
      twin.step(gradients);
      const norms = await optimizer.norms();
      for (const { name, gradients: g } of tensors) {
        const want = Math.hypot(...g);
        expect(Math.abs(norms[name]!.grad / want - 1), name).toBeLessThan(1e-5);
        const weights = Math.hypot(...(await optimizer.readParam(name)));
        expect(Math.abs(norms[name]!.param / weights - 1), name).toBeLessThan(1e-5);
      }
      if (limit.maxGradNorm !== undefined) {
        const all = Math.hypot(...gradients.flatMap((g) => [...g]));
        expect(Math.abs((await optimizer.stats()).gradNorm / all - 1)).toBeLessThan(1e-5);
      }
      // A NaN in the padding of an odd length counts nowhere; one among the elements does.
      const { grad } = params[2]!;
      device.queue.writeBuffer(grad, 8, Uint32Array.of(0xffff_0000));
      optimizer.step();
      twin.step(gradients.with(2, gradients[2]!.with(4, 0)));
      device.queue.writeBuffer(grad, 8, Uint32Array.of(0x0000_7fff));
      optimizer.step();
      expect((await optimizer.stats()).skipped).toBe(1);
      if (limit.maxGradNormPerTensor !== undefined) continue;
      for (const { name } of tensors) {
        const want = Float32Array.from(twin.readParam(name));
        const got = await optimizer.readParam(name);
        // The factor is found by another sum of squares: rounding to 2 bytes hides nearly all of that.
        const off = got.filter((value, i) => value !== want[i]).length;
        expect(off, `${dtype} ${name}`).toBeLessThanOrEqual(Math.ceil(got.length / 50));
      }
    }
  }
});

gpuTest('micro-batches are added up in them, and zeroed', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  for (const gradDtype of ['f16', 'bf16'] as const) {
    const [length, room] = [5, 6];
    const sums = roundedTo(gradDtype, random.weights(room));
    const micro = roundedTo(gradDtype, random.weights(room));
    const grad = makeHalves(device, track, gradDtype, sums);
    const data = makeBuffer(device, track, random.weights(length));
    const microGrad = makeHalves(device, track, gradDtype, micro);
    const params: Parameter[] = [{ name: 'w', data, grad, microGrad, gradDtype, length }];
    const optimizer = track(await Optimizer.create(device, { rule: sgd(), params }));
    optimizer.accumulate();
    const want = roundedTo(
      gradDtype,
      sums.map((value, i) => (i < length ? Math.fround(value + micro[i]!) : value)),
    );
    expect(bitDifference(await readHalves(device, gradDtype, grad), want)).toBeUndefined();
    optimizer.zeroGrad();
    // What shares the last word stays.
    const zeros = want.map((value, i) => (i < length ? 0 : value));
    expect(bitDifference(await readHalves(device, gradDtype, grad), zeros)).toBeUndefined();
  }
});

gpuTest('rows of them lie apart, are masked and limited, move and are saved', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  for (const dtype of ['f16', 'bf16'] as const) {
    const [rowLength, rowCount, room] = [6, 5, 9];
    const weights = roundedTo(dtype, random.weights(room * rowLength));
    const gradients = roundedTo(dtype, random.weights(room * rowLength));
    /** Rows among words that are nobody's. */
    const apart = (values: Float32Array<ArrayBuffer>, stride: number): Float32Array<ArrayBuffer> => {
      const all = new Float32Array(room * stride).fill(7);
      for (let k = 0; k < room; k++) {
        all.set(values.subarray(k * rowLength, (k + 1) * rowLength), k * stride);
      }
      return all;
    };
    const rowMask = track(device.createBuffer({ size: 4 * room, usage: 0x8c }));
    const mask = Uint32Array.of(1, 0, 1, 1, 0, 1, 1, 1, 1);
    device.queue.writeBuffer(rowMask, 0, mask);
    const length = rowCount * rowLength;
    const data = makeHalves(device, track, dtype, apart(weights, 10));
    const lrPerColumn = [1, 2, 0.5, 1, 3, 0];
    const constraint = { min: -0.5, max: 0.75 };
    const shared = { name: 'w', rowLength, lrPerColumn, constraint, dtype };
    const params: Parameter[] = [
      {
        ...shared,
        length,
        gradDtype: dtype,
        rowMask,
        data: { buffer: data, byteStride: 20 },
        grad: { buffer: makeHalves(device, track, dtype, apart(gradients, 8)), byteStride: 16 },
      },
    ];
    const config = { rule: exactRule(device, adam({ lr: 0.1 })), stochasticRounding: true, seed: 3 };
    const optimizer = track(await Optimizer.create(device, { ...config, params }));
    const twin = new ReferenceOptimizer({
      ...config,
      precision: 'f32',
      params: [{ ...shared, rowMask: mask, data: weights.slice(0, length) }],
    });
    const compare = async (what: string): Promise<void> => {
      const want = Float32Array.from(twin.readParam('w'));
      expect(bitDifference(await optimizer.readParam('w'), want), `${dtype} ${what}`).toBeUndefined();
    };
    for (let k = 0; k < 2; k++) {
      optimizer.step();
      twin.step([gradients.subarray(0, length)]);
    }
    await compare('stepped');
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    await saveCheckpoint(
      optimizer,
      new WritableStream({ write: (chunk) => void chunks.push(chunk.slice()) }),
    );
    const before = await optimizer.readParam('w');
    const map = Uint32Array.of(4, 0, FRESH, 2, 2, 1, 3);
    await optimizer.mapRows(['w'], { from: map, rowCount: map.length });
    const rowOf = (values: Float32Array, row: number) => [
      ...values.subarray(row * rowLength, (row + 1) * rowLength),
    ];
    // The fresh row is what was there.
    const want = [...map].flatMap((row, k) => rowOf(before, row === FRESH ? k : row));
    expect(bitDifference(await optimizer.readParam('w'), Float32Array.from(want)), 'mapped').toBeUndefined();
    const between = (await readHalves(device, dtype, data)).filter((_, k) => k % 10 >= rowLength);
    expect(between.every((value) => value === 7)).toBe(true);
    await optimizer.mapRows(['w'], { from: Uint32Array.of(0, 1, 2, 3, 4), rowCount });
    await loadCheckpoint(optimizer, new Blob(chunks));
    optimizer.step();
    twin.step([gradients.subarray(0, length)]);
    await compare('resumed');
  }
});

gpuTest('they are saved as they are, and go on elsewhere', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  for (const dtype of ['f16', 'bf16'] as const) {
    const length = 257;
    const weights = roundedTo(dtype, random.weights(length));
    const gradients = random.weights(length);
    const make = async (values: Float32Array<ArrayBuffer>): Promise<Optimizer> => {
      const data = makeHalves(device, track, dtype, values);
      const params = [{ name: 'w', dtype, length, data, grad: makeBuffer(device, track, gradients) }];
      return track(
        await Optimizer.create(device, { rule: adam({ lr: 0.1 }), params, stochasticRounding: true }),
      );
    };
    const one = await make(weights);
    one.step();
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    await saveCheckpoint(one, new WritableStream({ write: (chunk) => void chunks.push(chunk.slice()) }));
    const file = await readSafetensors(new Blob(chunks));
    expect(file.tensors.get('param.w')).toMatchObject({ dtype: dtype.toUpperCase(), shape: [length] });
    const other = await make(new Float32Array(length));
    await loadCheckpoint(other, new Blob(chunks));
    one.step();
    const moved = makeHalves(device, track, dtype, await other.readParam('w'));
    other.rebind({ w: { data: moved } });
    other.step();
    expect(bitDifference(await other.readParam('w'), await one.readParam('w'))).toBeUndefined();
  }
});

gpuTest('what shares the last word with them stays, whatever is loaded', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  for (const dtype of ['f16', 'bf16'] as const) {
    for (const length of [1, 3, 257]) {
      const make = async (values: Float32Array<ArrayBuffer>) => {
        const data = makeHalves(device, track, dtype, values);
        const grad = makeBuffer(device, track, new Float32Array(length));
        const params: Parameter[] = [{ name: 'w', dtype, length, data, grad }];
        return { data, optimizer: track(await Optimizer.create(device, { rule: sgd(), params })) };
      };
      const [saved, other] = [0, 1].map(() => roundedTo(dtype, random.weights(length + 1))) as [
        Float32Array<ArrayBuffer>,
        Float32Array<ArrayBuffer>,
      ];
      const { bytes } = await saveCheckpoint((await make(saved)).optimizer, 'bytes');
      const { data, optimizer } = await make(other);
      await loadCheckpoint(optimizer, bytes);
      const want = saved.with(length, other[length]!);
      expect(
        bitDifference(await readHalves(device, dtype, data), want),
        `${dtype} ${length}`,
      ).toBeUndefined();
    }
  }
});

gpuTest('tables with sparse gradients, and rows of norm 1, are of even rows', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const [rowLength, rowCount] = [6, 7];
  for (const dtype of ['f16', 'bf16'] as const) {
    const weights = roundedTo(dtype, random.weights(rowLength * rowCount));
    const values = random.weights(3 * rowLength);
    const indices = Uint32Array.of(5, 1, 5);
    const indexBuffer = track(device.createBuffer({ size: 12, usage: 0x88 }));
    device.queue.writeBuffer(indexBuffer, 0, indices);
    const dense = roundedTo(dtype, random.weights(rowLength * rowCount));
    const params: Parameter[] = [
      {
        name: 'table',
        rowLength,
        dtype,
        data: makeHalves(device, track, dtype, weights),
        grad: { indices: indexBuffer, values: makeBuffer(device, track, values) },
      },
      {
        name: 'units',
        rowLength,
        dtype,
        gradDtype: dtype,
        constraint: 'unit-rows',
        data: makeHalves(device, track, dtype, weights),
        grad: makeHalves(device, track, dtype, dense),
      },
    ];
    const rule = exactRule(device, adam({ lr: 0.1 }));
    const optimizer = track(await Optimizer.create(device, { rule, params }));
    const twin = new ReferenceOptimizer({
      rule,
      precision: 'f32',
      params: [
        { name: 'table', rowLength, dtype, data: weights.slice() },
        { name: 'units', rowLength, dtype, constraint: 'unit-rows', data: weights.slice() },
      ],
    });
    for (let k = 0; k < 2; k++) {
      optimizer.step();
      twin.step([{ indices, values }, dense]);
    }
    for (const name of ['table', 'units']) {
      const want = Float32Array.from(twin.readParam(name));
      expect(bitDifference(await optimizer.readParam(name), want), `${dtype} ${name}`).toBeUndefined();
    }
  }
});

gpuTest('a gradient of zeros leaves weights as they are, whatever they are', async ({ device, track }) => {
  const special = [
    0,
    -0,
    1,
    -1,
    2 ** -24,
    -(2 ** -14),
    3 * 2 ** -24,
    65504,
    -65504,
    Infinity,
    -Infinity,
    NaN,
    1e-30,
    1e30,
  ];
  for (const dtype of ['f16', 'bf16'] as const) {
    for (const rounding of [{}, { stochasticRounding: true }]) {
      const weights = roundedTo(dtype, Float32Array.from(special));
      const data = makeHalves(device, track, dtype, weights);
      const grad = makeHalves(device, track, dtype, new Float32Array(special.length));
      const params: Parameter[] = [{ data, grad, dtype, gradDtype: dtype }];
      const optimizer = track(
        await Optimizer.create(device, { rule: adam({ eps: 1e-8 }), params, ...rounding }),
      );
      optimizer.step();
      const got = await optimizer.readParam('param0');
      // A subnormal float32 may be flushed where it is computed with.
      const kept = weights.map((w) => (Math.abs(w) < 2 ** -126 ? w / Infinity : w));
      expect(bitDifference(got, kept), dtype).toBeUndefined();
    }
  }
});

gpuTest('what they cannot be is refused', async ({ device, track }) => {
  const data = makeHalves(device, track, 'f16', new Float32Array(24));
  const grad = makeBuffer(device, track, new Float32Array(24));
  const make = async (parameter: object, config: object = {}): Promise<string> => {
    const params = [{ name: 'w', data, grad, dtype: 'f16', ...parameter }] as Parameter[];
    const given = { rule: sgd(), params, ...config } as OptimizerConfig;
    return (await errorOf(() => Optimizer.create(device, given))).message;
  };
  expect(await make({ dtype: 'f8' })).toContain('dtype is "f8"; give "f32" or "f16" or "bf16"');
  expect(await make({ gradDtype: 'i16' })).toContain('gradDtype is "i16"');
  expect(await make({ data: { buffer: data, offset: 2 } })).toContain('multiple of 4');
  expect(
    await make({ grad: { buffer: data, offset: 24 }, data: { buffer: data, size: 12 }, length: 6 }),
  ).toContain('different dtypes in one buffer');
  expect(
    await make({
      data: [
        { buffer: data, size: 12 },
        { buffer: data, offset: 12 },
      ],
    }),
  ).toContain('multiples of 4');
  const odd = { rowLength: 3 };
  expect(await make({ ...odd, constraint: 'unit-rows' })).toContain('even rows only');
  const ofGradients = { dtype: 'f32', data: grad, grad: data, gradDtype: 'f16', length: 24 };
  expect(await make({ ...ofGradients, ...odd, constraint: 'unit-rows' })).toContain('gradDtype "f32"');
  const sparse = { indices: grad, values: grad };
  expect(await make({ rowLength: 1, grad: sparse, gradDtype: 'f16' })).toContain('sparse grad');
  expect(await make({ rowLength: 1, grad: sparse })).toContain('even rows only');
  const byChance = { stochasticRounding: true };
  expect(await make({ rowLength: 6, constraint: 'unit-rows' }, byChance)).toContain('unit-rows');
  expect(await make(ofGradients, byChance)).toContain('all weights are float32');
  const params: Parameter[] = [{ name: 'w', data, grad, dtype: 'f16', rowLength: 3, length: 24 }];
  const optimizer = track(await Optimizer.create(device, { rule: scheduleFreeSgd(), params }));
  expect((await errorOf(() => optimizer.eval())).message).toContain('weights of 2 bytes');
});
