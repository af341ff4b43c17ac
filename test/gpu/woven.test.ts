/** Weights and gradients of 2 bytes as columns of structs of any number of them, stepped: what shares their words stays as it is. */
import { expect, inject } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  type Parameter,
  ReferenceOptimizer,
  adam,
  lamb,
} from '../../src/index.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { HalfStructs } from '../support/halves-in-structs.js';
import { exactRule } from '../support/life-pair.js';
import { makeBuffer } from '../support/tensors.js';
import { type Dtype, LAYOUTS, Run, twinOf } from '../support/woven-run.js';

gpuTest('columns are stepped as their twins, and nothing beside them', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const cases = [1, 2, 63, 130].flatMap((rowCount) =>
    LAYOUTS.flatMap((layout) => (['f16', 'bf16'] as const).map((dtype) => ({ layout, dtype, rowCount }))),
  );
  // Each layout with few rows and with many.
  for (const { layout, dtype, rowCount } of [
    ...drawn(cases.slice(0, cases.length / 2), 5),
    ...drawn(cases.slice(cases.length / 2), 3),
  ]) {
    const what = `${layout.title}, ${dtype}, ${rowCount} rows`;
    const run = new Run(device, track, dtype, random, layout, rowCount);
    const config = { rule: exactRule(device, adam({ lr: 0.1 })) };
    const optimizer = track(await Optimizer.create(device, { ...config, params: run.params }));
    const twin = twinOf(run, config);
    for (let k = 0; k < 3; k++) {
      twin.step(await run.renew(optimizer));
      optimizer.step();
    }
    await run.check(optimizer, twin, what);
  }
});

/** What is said of rows and of how numbers are kept, each with columns that share words. */
const FEATURES: readonly (readonly [string, Partial<OptimizerConfig>, Partial<Parameter>, Dtype[]])[] = [
  ['rounding by chance', { stochasticRounding: true, seed: 3 }, {}, ['f16', 'bf16']],
  ['float32 masters', { masterWeights: 'f32' }, {}, ['f16', 'bf16']],
  ['corrections', { masterWeights: 'split' }, {}, ['bf16']],
  ['state in 8 bits', { stateDtype: 'int8' }, {}, ['f16', 'bf16']],
  ['an average', { ema: { decay: 0.5 } }, {}, ['f16', 'bf16']],
  ['limits', {}, { constraint: { min: -0.5, max: 0.75 } }, ['f16', 'bf16']],
  ['rows of norm 1', {}, { constraint: 'unit-rows' }, ['f16', 'bf16']],
];

gpuTest('whatever is said of them', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const layouts = [LAYOUTS[2]!, LAYOUTS[3]!, LAYOUTS[6]!];
  const cases = FEATURES.flatMap(([title, config, of, dtypes]) =>
    layouts.flatMap((layout) => dtypes.map((dtype) => ({ title, config, of, dtype, layout }))),
  );
  for (const { title, config: settings, of, dtype, layout } of drawn(cases, 4)) {
    const run = new Run(device, track, dtype, random, layout, 37, 37, of);
    const config = { rule: exactRule(device, adam({ lr: 0.1 })), ...settings } as OptimizerConfig;
    const optimizer = track(await Optimizer.create(device, { ...config, params: run.params } as never));
    const twin = twinOf(run, config, of);
    for (let k = 0; k < 2; k++) {
      twin.step(await run.renew(optimizer));
      optimizer.step();
    }
    await run.check(optimizer, twin, `${title}, ${layout.title}, ${dtype}`);
  }
});

gpuTest('rows that are masked, and columns with rates of their own', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const rowCount = 65;
  const mask = Uint32Array.from({ length: rowCount }, () => random.integer(2));
  const rowMask = track(device.createBuffer({ size: 4 * rowCount, usage: 0x8c }));
  device.queue.writeBuffer(rowMask, 0, mask);
  const lrPerColumn = [1, 0.5, 2];
  for (const dtype of ['f16', 'bf16'] as const) {
    const run = new Run(device, track, dtype, random, LAYOUTS[2]!, rowCount, rowCount, {
      rowMask,
      lrPerColumn,
    });
    const config = { rule: exactRule(device, adam({ lr: 0.1 })) };
    const optimizer = track(await Optimizer.create(device, { ...config, params: run.params }));
    const twin = twinOf(run, config, { rowMask: mask, lrPerColumn });
    for (let k = 0; k < 2; k++) {
      twin.step(await run.renew(optimizer));
      optimizer.step();
    }
    await run.check(optimizer, twin, dtype);
  }
});

gpuTest('norms are those of the columns', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  for (const dtype of ['f16', 'bf16'] as const) {
    const layout = { ...LAYOUTS[3]!, stride: 23, grad: [11, 17] };
    const run = new Run(device, track, dtype, random, layout, 130);
    for (const settings of [{ maxGradNorm: 0.5 }, { maxGradNormPerTensor: 0.25 }]) {
      const config = { rule: lamb({ lr: 0 }), skipNonFinite: true, ...settings };
      const optimizer = track(await Optimizer.create(device, { ...config, params: run.params }));
      const gradients = await run.renew(optimizer);
      const finite = gradients.map((values) => values.map((value) => (Math.abs(value) < 1e4 ? value : 1)));
      const norms = async (): Promise<void> => {
        const got = await optimizer.norms();
        for (const [k, values] of run.weights.entries()) {
          const [param, grad] = [values, finite[k]!].map((list) => Math.hypot(...list)) as [number, number];
          // Sums of up to 650 squares in trees.
          expect(Math.abs(got[`t${k}`]!.param / param - 1)).toBeLessThan(14 * 2 ** -24);
          expect(Math.abs(got[`t${k}`]!.grad / grad - 1)).toBeLessThan(14 * 2 ** -24);
        }
      };
      run.writeGradients(finite);
      await norms();
      optimizer.step();
      expect((await optimizer.stats()).skipped).toBe(0);
      run.writeGradients(finite.map((values, k) => (k === 1 ? values.with(5, NaN) : values)));
      optimizer.step();
      expect((await optimizer.stats()).skipped).toBe(1);
      run.writeGradients(finite);
      await run.structs.check(`${dtype} ${JSON.stringify(settings)}`);
    }
  }
});

gpuTest('one of them without gaps, in the buffer of the other', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const [rowCount, rowLength, length] = [65, 3, 195];
  const dense = { start: 0, stride: rowLength, rowLength };
  const apart = { start: 199, stride: 7, rowLength };
  for (const dtype of ['f16', 'bf16'] as const) {
    for (const [data, grad] of [
      [dense, apart],
      [apart, dense],
    ] as const) {
      const structs = new HalfStructs(device, track, dtype, rowCount, 200 + 7 * rowCount);
      const weights = structs.write(data, random.weights(length));
      const gradients = structs.write(grad, random.weights(length));
      const ranges = [data, grad].map((column) =>
        column === dense ? { buffer: structs.buffer, size: 2 * (length + 1) } : structs.range(column),
      );
      const rule = exactRule(device, adam({ lr: 0.1 }));
      const shared = { name: 'w', dtype, rowLength };
      const params: Parameter[] = [
        { ...shared, gradDtype: dtype, length, data: ranges[0]!, grad: ranges[1]! },
      ];
      const optimizer = track(await Optimizer.create(device, { rule, params }));
      const twin = new ReferenceOptimizer({ rule, precision: 'f32', params: [{ ...shared, data: weights }] });
      for (let k = 0; k < 2; k++) {
        optimizer.step();
        twin.step([gradients]);
      }
      structs.expect(data, Float32Array.from(twin.readParam('w')));
      await structs.check(`${dtype} ${data === dense}`);
    }
  }
});

gpuTest('tables with sparse gradients', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const [rowLength, rowCount] = [3, 7];
  for (const dtype of ['f16', 'bf16'] as const) {
    const structs = new HalfStructs(device, track, dtype, rowCount, 5 * rowCount + 2);
    const column = { start: 1, stride: 5, rowLength };
    const weights = structs.write(column, random.weights(rowLength * rowCount));
    const values = random.weights(3 * rowLength);
    const indices = Uint32Array.of(5, 1, 5);
    const indexBuffer = track(device.createBuffer({ size: 12, usage: 0x88 }));
    device.queue.writeBuffer(indexBuffer, 0, indices);
    const grad = { indices: indexBuffer, values: makeBuffer(device, track, values) };
    const rule = exactRule(device, adam({ lr: 0.1 }));
    const params: Parameter[] = [{ name: 'w', dtype, rowLength, data: structs.range(column), grad }];
    const optimizer = track(await Optimizer.create(device, { rule, params }));
    const twin = new ReferenceOptimizer({
      rule,
      precision: 'f32',
      params: [{ name: 'w', dtype, rowLength, data: weights }],
    });
    for (let k = 0; k < 2; k++) {
      optimizer.step();
      twin.step([{ indices, values }]);
    }
    structs.expect(column, Float32Array.from(twin.readParam('w')));
    await structs.check(dtype);
  }
});
