/** Weights and gradients of 2 bytes as columns of structs of any number of them: what shares their words stays as it is. */
import { expect, inject } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  type Parameter,
  ReferenceOptimizer,
  adam,
  lamb,
  loadCheckpoint,
  momentum,
  saveCheckpoint,
  sgd,
} from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { errorOf } from '../support/error-of.js';
import { makeHalves, readHalves, roundedTo } from '../support/halves.js';
import { type HalfColumn, HalfStructs } from '../support/halves-in-structs.js';
import { FRESH, exactRule } from '../support/life-pair.js';
import { makeBuffer } from '../support/tensors.js';

type Floats = Float32Array<ArrayBuffer>;
type Dtype = 'f16' | 'bf16';

/** Halves of a struct, those before the first one, and its columns: of weights, and of their gradients. */
interface Layout {
  readonly title: string;
  readonly stride: number;
  readonly lead: number;
  /** Where each column begins in the struct, and its halves. */
  readonly data: readonly (readonly [start: number, rowLength: number])[];
  /** The same of gradients; absent: in a buffer of their own, of float32. */
  readonly grad?: readonly number[];
}

const LAYOUTS: readonly Layout[] = [
  { title: 'three of one each', stride: 3, lead: 0, data: [0, 1, 2].map((start) => [start, 1] as const) },
  { title: 'one and its gradient', stride: 2, lead: 1, data: [[0, 1]], grad: [1] },
  { title: 'of seven, gradients among them', stride: 7, lead: 0, data: [[0, 3]], grad: [3] },
  {
    title: 'of whole words, within them',
    stride: 12,
    lead: 1,
    data: [
      [0, 5],
      [6, 4],
    ],
  },
  { title: 'odd rows of whole words', stride: 4, lead: 0, data: [[0, 3]] },
  { title: 'even rows of odd structs', stride: 5, lead: 0, data: [[0, 2]] },
  { title: 'rows without gaps', stride: 3, lead: 1, data: [[0, 3]] },
  { title: 'long rows', stride: 67, lead: 0, data: [[1, 64]] },
];

/** Weights in structs, their gradients, and the twin of an optimizer over them. */
class Run {
  readonly columns: readonly HalfColumn[];
  readonly params: readonly Parameter[];
  readonly structs: HalfStructs;
  readonly weights: Floats[];
  readonly #gradColumns: readonly (HalfColumn | undefined)[];
  readonly #gradBuffers: readonly GPUBuffer[];

  constructor(
    private readonly device: GPUDevice,
    track: Parameters<typeof makeBuffer>[1],
    dtype: Dtype,
    private readonly random: Random,
    { stride, lead, data, grad }: Layout,
    private readonly rowCount: number,
    room = rowCount,
    of: Partial<Parameter> = {},
  ) {
    const half = stride * room + lead + 3;
    this.structs = new HalfStructs(device, track, dtype, rowCount, half);
    this.columns = data.map(([start, rowLength]) => ({ start: lead + start, stride, rowLength }));
    this.#gradColumns = this.columns.map(({ rowLength }, k) =>
      grad ? { start: lead + grad[k]!, stride, rowLength } : undefined,
    );
    this.#gradBuffers = this.columns.map(({ rowLength }) =>
      makeBuffer(device, track, new Float32Array(rowLength * room)),
    );
    this.weights = this.columns.map((column) =>
      this.structs.write(column, random.weights(column.rowLength * rowCount)),
    );
    this.params = this.columns.map((column, k): Parameter => {
      const own = this.#gradColumns[k];
      return {
        name: `t${k}`,
        dtype,
        rowLength: column.rowLength,
        length: rowCount * column.rowLength,
        data: this.structs.range(column, room),
        grad: own ? this.structs.range(own, room) : this.#gradBuffers[k]!,
        ...(own && { gradDtype: dtype }),
        ...of,
      };
    });
  }

  /** Other gradients for the same weights: of the GPU, and as they are there. */
  async renew(optimizer: Optimizer): Promise<Floats[]> {
    for (const [k, column] of this.columns.entries())
      this.structs.expect(column, await optimizer.readParam(`t${k}`));
    return this.columns.map(({ rowLength }, k) => {
      const values = this.random.gradients(rowLength * this.rowCount);
      const own = this.#gradColumns[k];
      if (own) return this.structs.write(own, values);
      this.device.queue.writeBuffer(this.#gradBuffers[k]!, 0, values);
      return values;
    });
  }

  /** Says what gradients among the weights are to be, of rows that are there. */
  expectGradients(gradients: readonly Floats[]): void {
    for (const [k, column] of this.#gradColumns.entries())
      if (column) this.structs.expect(column, gradients[k]!);
  }

  writeGradients(gradients: readonly Floats[]): void {
    for (const [k, column] of this.#gradColumns.entries())
      if (column) this.structs.write(column, gradients[k]!);
  }

  /** Checks weights against the twin's, and all else of the structs. */
  async check(optimizer: Optimizer, twin: ReferenceOptimizer, what: string): Promise<void> {
    for (const [k, column] of this.columns.entries()) {
      const want = Float32Array.from(twin.readParam(`t${k}`));
      expect(bitDifference(await optimizer.readParam(`t${k}`), want), `${what} t${k}`).toBeUndefined();
      this.structs.expect(column, want);
    }
    await this.structs.check(what);
  }
}

const twinOf = (run: Run, config: Pick<OptimizerConfig, 'rule'>, of: object = {}): ReferenceOptimizer =>
  new ReferenceOptimizer({
    ...config,
    precision: 'f32',
    params: run.params.map(({ name, dtype, rowLength }, k) => ({
      name: name!,
      dtype: dtype!,
      rowLength: rowLength!,
      data: run.weights[k]!.slice(),
      ...of,
    })),
  });

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
