/** Columns of 2-byte numbers that share words, in the calls beside steps: saved, zeroed, moved, added up, bound anew, refused. */
import { expect, inject } from 'vitest';
import {
  Optimizer,
  type Parameter,
  ReferenceOptimizer,
  adam,
  loadCheckpoint,
  momentum,
  saveCheckpoint,
  sgd,
} from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeHalves, readHalves, roundedTo } from '../support/halves.js';
import { type HalfColumn, HalfStructs } from '../support/halves-in-structs.js';
import { FRESH, exactRule } from '../support/life-pair.js';
import { makeBuffer } from '../support/tensors.js';
import { LAYOUTS, Run, twinOf } from '../support/woven-run.js';

gpuTest('they are saved, zeroed and moved', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const [rowCount, room] = [5, 9];
  const layouts = [LAYOUTS[0]!, LAYOUTS[2]!, LAYOUTS[6]!];
  for (const dtype of ['f16', 'bf16'] as const) {
    for (const layout of layouts) {
      const what = `${layout.title}, ${dtype}`;
      const run = new Run(device, track, dtype, random, layout, rowCount, room);
      const config = { rule: exactRule(device, adam({ lr: 0.1 })) };
      const optimizer = track(await Optimizer.create(device, { ...config, params: run.params }));
      const twin = twinOf(run, config);
      twin.step(await run.renew(optimizer));
      optimizer.step();
      await run.check(optimizer, twin, what);
      const { bytes } = await saveCheckpoint(optimizer, 'bytes');
      const weights = await Promise.all(run.columns.map((_, k) => optimizer.readParam(`t${k}`)));
      const dict = twin.stateDict();
      optimizer.zeroGrad();
      run.expectGradients(run.columns.map(({ rowLength }) => new Float32Array(rowCount * rowLength)));
      await run.structs.check(`${what}, zeroed`);
      twin.step(await run.renew(optimizer));
      optimizer.step();
      await run.check(optimizer, twin, what);
      await loadCheckpoint(optimizer, bytes);
      for (const [k, column] of run.columns.entries()) run.structs.expect(column, weights[k]!);
      await run.structs.check(`${what}, loaded`);
      expect(
        bitDifference(
          await optimizer.readState('t0', Object.keys(dict.state['t0']!)[0]!),
          Float32Array.from(Object.values(dict.state['t0']!)[0]!),
        ),
      ).toBe(undefined);
      const map = [4, FRESH, 0, 0, 3, 1, FRESH];
      const names = run.columns.map((_, k) => `t${k}`);
      // What is behind the rows that there are is a fresh row's.
      const behind = run.columns.map(({ rowLength }) => random.weights(2 * rowLength));
      for (const [k, column] of run.columns.entries()) {
        const all = Float32Array.of(...weights[k]!, ...roundedTo(dtype, behind[k]!));
        run.structs.write(column, all);
        weights[k] = all;
      }
      await optimizer.mapRows(names, { from: Uint32Array.from(map), rowCount: map.length });
      for (const [k, column] of run.columns.entries()) {
        const { rowLength } = column;
        const rows = map.flatMap((from, row) => {
          const first = rowLength * (from === FRESH ? row : from);
          return [...weights[k]!.subarray(first, first + rowLength)];
        });
        run.structs.expect(column, Float32Array.from(rows));
        expect(bitDifference(await optimizer.readParam(`t${k}`), Float32Array.from(rows)), what).toBe(
          undefined,
        );
      }
      await run.structs.check(`${what}, mapped`);
    }
  }
});

gpuTest(
  'micro-batches are added to them, and they come to lie in other buffers',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const [rowCount, rowLength, length] = [65, 3, 195];
    const [at, weightsAt, microAt] = [1, 4, 0].map((start) => ({ start, stride: 7, rowLength })) as [
      HalfColumn,
      HalfColumn,
      HalfColumn,
    ];
    for (const dtype of ['f16', 'bf16'] as const) {
      const [structs, others, micro] = [8, 8, 0].map(
        (more) => new HalfStructs(device, track, dtype, rowCount, 7 * rowCount + more),
      ) as [HalfStructs, HalfStructs, HalfStructs];
      const weights = structs.write(weightsAt, random.weights(length));
      const sums = structs.write(at, random.weights(length));
      const added = micro.write(microAt, random.weights(length));
      const params: Parameter[] = [
        {
          name: 'w',
          dtype,
          gradDtype: dtype,
          rowLength,
          data: structs.range(weightsAt),
          grad: structs.range(at),
          microGrad: micro.range(microAt),
        },
      ];
      const config = { rule: exactRule(device, adam({ lr: 0.1 })) };
      const optimizer = track(await Optimizer.create(device, { ...config, params }));
      optimizer.accumulate();
      const want = roundedTo(
        dtype,
        sums.map((value, k) => value + added[k]!),
      );
      structs.expect(at, want);
      await structs.check(`${dtype} sums`);
      await micro.check(`${dtype} micro`);
      const moved = others.write(weightsAt, weights);
      const gradients = others.write(at, random.gradients(length));
      const { microGrad: _, ...plain } = params[0]!;
      const moving = track(await Optimizer.create(device, { ...config, params: [plain] }));
      moving.rebind({ w: { data: others.range(weightsAt), grad: others.range(at) } });
      const twin = new ReferenceOptimizer({
        ...config,
        precision: 'f32',
        params: [{ name: 'w', dtype, data: moved }],
      });
      moving.step();
      twin.step([gradients]);
      others.expect(weightsAt, Float32Array.from(twin.readParam('w')));
      await others.check(`${dtype} elsewhere`);
      await structs.check(`${dtype} left`);
      const error = await errorOf(() =>
        moving.rebind({ w: { data: others.range({ start: 2, stride: 8, rowLength: 3 }) } }),
      );
      expect(error.code).toBe('invalid-parameter');
    }
  },
);

gpuTest('rows without gaps, of an odd number of halves, move', async ({ device, track }) => {
  for (const dtype of ['f16', 'bf16'] as const) {
    for (const rowLength of [1, 3, 65]) {
      const rowCount = 5;
      const random = new Random(rowLength);
      const weights = roundedTo(dtype, random.weights(rowLength * rowCount + 1));
      const data = makeHalves(device, track, dtype, weights);
      const grad = makeBuffer(device, track, random.weights(rowLength * rowCount));
      const params: Parameter[] = [{ name: 'w', dtype, rowLength, length: rowLength * rowCount, data, grad }];
      const optimizer = track(await Optimizer.create(device, { rule: momentum(), params }));
      const map = [3, 0, 4, 4, 1];
      await optimizer.mapRows(['w'], { from: Uint32Array.from(map), rowCount });
      const want = [
        ...map.flatMap((row) => [...weights.subarray(row * rowLength, (row + 1) * rowLength)]),
        weights.at(-1)!,
      ];
      expect(
        bitDifference((await readHalves(device, dtype, data)).slice(0, want.length), Float32Array.from(want)),
      ).toBe(undefined);
    }
  }
});

gpuTest('which places are refused', async ({ device, track }) => {
  const data = makeHalves(device, track, 'f16', new Float32Array(24));
  const grad = makeBuffer(device, track, new Float32Array(24));
  const make = async (parameter: object): Promise<string> => {
    const params = [
      { name: 'w', data, grad, dtype: 'f16', rowLength: 1, length: 4, ...parameter },
    ] as Parameter[];
    return (await errorOf(() => Optimizer.create(device, { rule: sgd(), params }))).message;
  };
  expect(await make({ data: { buffer: data, offset: 2 } })).toContain(
    'offset is 2 bytes; give a multiple of 4',
  );
  expect(await make({ data: { buffer: data, offset: 3, byteStride: 6 } })).toContain(
    'offset is 3 bytes; give a multiple of 2',
  );
  expect(await make({ data: { buffer: data, byteStride: 5 } })).toContain(
    'byteStride is 5 bytes; give a multiple of 2',
  );
  expect(await make({ dtype: 'f32', data: { buffer: grad, byteStride: 6 } })).toContain(
    'byteStride is 6 bytes; give a multiple of 4',
  );
  const short = track(device.createBuffer({ size: 14, usage: 0x8c }));
  expect(await make({ data: { buffer: short, offset: 0, byteStride: 4 } })).toContain('make the buffer');
  const two = (offset: number) =>
    ({
      name: `w${offset}`,
      dtype: 'f16',
      rowLength: 2,
      length: 8,
      grad,
      data: { buffer: data, offset, byteStride: 6 },
    }) as Parameter;
  const error = await errorOf(() => Optimizer.create(device, { rule: sgd(), params: [two(0), two(2)] }));
  expect(error.message).toContain('overlaps');
  track(
    await Optimizer.create(device, { rule: sgd(), params: [two(0), { ...two(4), rowLength: 1, length: 7 }] }),
  );
  // One may end where another one begins, within a word.
  const [before, behind] = [
    { ...two(0), length: 4 },
    { ...two(10), data: { buffer: data, offset: 10, byteStride: 8 }, length: 4 },
  ];
  track(await Optimizer.create(device, { rule: sgd(), params: [before, behind] }));
});
