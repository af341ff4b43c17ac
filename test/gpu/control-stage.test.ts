import { expect, inject } from 'vitest';
import { Random } from '../../proof/random.js';
import { readBuffer } from '../../proof/read-buffer.js';
import type { Track } from '../../proof/track.js';
import { correction, layoutOf } from '../../src/kernel/rule-layout.js';
import type { PlanTensor } from '../../src/plan/pieces.js';
import { FEWEST_GATHERED, withGathered } from '../../src/plan/reduction.js';
import { adam } from '../../src/rules/adam.js';
import { nadam } from '../../src/rules/nadam.js';
import { sgd } from '../../src/rules/sgd.js';
import { LENGTHS, NORM_TOLERANCE, exactNorm } from '../support/control-tensors.js';
import { makeControlRun } from '../support/control-run.js';
import { gpuTest } from '../support/device.js';
import { copyStorage } from '../support/read-storage.js';
import { makeBuffer } from '../support/tensors.js';

/** Tensors whose gradients lie each in a buffer of its own, at an offset. */
function makeTensors(
  device: GPUDevice,
  track: Track,
  gradients: readonly ArrayLike<number>[],
  rowOf: (k: number) => number = () => 0,
  phaseOf: (k: number) => number = () => 0,
): PlanTensor<GPUBuffer>[] {
  return gradients.map((values, index) => {
    const phase = phaseOf(index);
    const buffer = makeBuffer(device, track, [...Array(phase).fill(NaN), ...Array.from(values)]);
    const elementCount = values.length;
    return {
      index,
      row: rowOf(index),
      data: [{ buffer: makeBuffer(device, track, [0]), byteOffset: 0, elementCount }],
      grad: [{ buffer, byteOffset: 4 * phase, elementCount }],
    };
  });
}

for (const scale of [1, 1e-25, 1e25]) {
  gpuTest(`the norm of gradients around ${scale}, wherever they lie`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const gradients = LENGTHS.map((length) => random.weights(length).map((x) => scale * x));
    for (const phases of [0, 1, 2, 3]) {
      const tensors = makeTensors(
        device,
        track,
        gradients,
        () => 0,
        (k) => (k * phases) % 4,
      );
      const run = makeControlRun(device, track, sgd(), tensors, { maxGradNorm: 1 });
      run.step();
      const { gradNorm, step } = await run.readHead();
      expect(Math.abs(gradNorm / exactNorm(gradients) - 1)).toBeLessThan(NORM_TOLERANCE);
      expect(step).toBe(1);
      run.step();
      expect((await run.readHead()).gradNorm).toBe(gradNorm);
    }
  });
}

gpuTest(
  'gradients of inactive rows count neither in the norm nor as non-finite',
  async ({ device, track }) => {
    const gradients = [[3], [NaN, 1], [4, 0, 0], [Infinity]];
    const tensors = makeTensors(device, track, gradients, (k) => k % 2);
    const run = makeControlRun(device, track, adam(), tensors, { maxGradNorm: 1, skipNonFinite: true });
    run.step(undefined, (row) => row === 0);
    expect(await run.readHead()).toMatchObject({ step: 1, skipped: 0, gradNorm: 5 });
    expect(await Promise.all([0, 1, 2, 3].map(run.readCount))).toEqual([1, 0, 1, 0]);
    const rows = await run.stepAndReadRows();
    expect(await run.readHead()).toMatchObject({ step: 1, skipped: 1, gradNorm: NaN });
    expect(rows.map(({ isActive }) => isActive)).toEqual([false, false]);
    expect(await Promise.all([0, 1, 2, 3].map(run.readCount))).toEqual([1, 0, 1, 0]);
  },
);

gpuTest('each row gets its own count, and corrections by the rates in force', async ({ device, track }) => {
  const tensors = makeTensors(device, track, [[1], [1], [1], [1], [1]], (k) => [0, 5, 5, 9, 0][k]!);
  const run = makeControlRun(device, track, adam(), tensors, { skipNonFinite: true });
  const same = layoutOf(adam()).corrections.map(({ rate }) => rate);
  const ofRow = (rows: Awaited<ReturnType<typeof run.stepAndReadRows>>, k: number) => rows[k]!;
  const expectCorrections = (got: number[], want: number[]) =>
    got.forEach((value, k) => expect(Math.abs(value / want[k]! - 1)).toBeLessThan(2 ** -23));
  for (let step = 0; step < 3; step++) run.step(undefined, (row) => row !== 5);
  const rows = await run.stepAndReadRows();
  expect([0, 5, 9].map((k) => ofRow(rows, k).count)).toEqual([4, 1, 4]);
  expect([0, 5, 9].map((k) => ofRow(rows, k).t)).toEqual([4, 1, 4]);
  // A row without a tensor is left as the host wrote it.
  expect(ofRow(rows, 1)).toMatchObject({ isActive: true, count: 7, t: 7, multiplier: 7 });
  expectCorrections(
    ofRow(rows, 0).corrections,
    same.map((rate) => correction(rate, 4)),
  );
  expectCorrections(
    ofRow(rows, 5).corrections,
    same.map((rate) => correction(rate, 1)),
  );
  // Other rates from now on, of one row: as if they had been so from the first step on.
  const other = [
    { beta: 0.5, damping: 0 },
    { beta: 0.75, damping: 0 },
  ];
  const changed = await run.stepAndReadRows(undefined, undefined, (row) => (row === 9 ? other : same));
  expectCorrections(
    ofRow(changed, 9).corrections,
    other.map(({ beta }) => 1 - beta ** 5),
  );
  expectCorrections(
    ofRow(changed, 0).corrections,
    same.map((rate) => correction(rate, 5)),
  );
});

gpuTest('a rate that rises, from a restored record', async ({ device, track }) => {
  const rule = nadam({ momentumDecay: 0.01 });
  const rates = layoutOf(rule).corrections.map(({ rate }) => rate);
  expect(rates.some(({ damping }) => damping > 0)).toBe(true);
  const tensors = makeTensors(device, track, [[1], [1], [1]], (k) => k);
  const run = makeControlRun(device, track, rule, tensors, { skipNonFinite: true });
  for (let step = 0; step < 6; step++) run.step(undefined, (row) => row === 2);
  run.control.restore(
    { step: 40, skipped: 3, consecutiveSkips: 1, growthTracker: 0, lossScale: 1 },
    new Map([
      [0, { count: 30, rates }],
      [1, { count: 0, rates }],
    ]),
  );
  const rows = await run.stepAndReadRows();
  expect(await run.readHead()).toMatchObject({ step: 41, skipped: 3, consecutiveSkips: 0 });
  expect(rows.map(({ count }) => count)).toEqual([31, 1, 7]);
  rows.forEach(({ corrections, count }) =>
    corrections.forEach((got, k) =>
      expect(Math.abs(got / correction(rates[k]!, count) - 1)).toBeLessThan(2 ** -23),
    ),
  );
});

gpuTest('records beyond the first chunk are counted, and those of before stay', async ({ device, track }) => {
  const few = makeTensors(device, track, [[1], [1], [1]], (k) => k);
  const run = makeControlRun(device, track, adam(), few, { skipNonFinite: true });
  run.step();
  const before = run.control.recordSpan(1).buffer;
  const many = Array.from({ length: 900 }, (_, index) => ({ ...few[index % 3]!, index }));
  const { stage } = run.makeStage(many);
  expect(run.control.recordSpan(1).buffer).toBe(before);
  run.step(stage, (row) => row !== 1);
  const looks = [0, 1, 255, 256, 257, 767, 768, 769, 899];
  expect(await Promise.all(looks.map(run.readCount))).toEqual(
    looks.map((index) => Number(index < 3) + Number(index % 3 !== 1)),
  );
});

gpuTest(
  'short gradients of their own are gathered, bit for bit, in few dispatches',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const gradients = Array.from({ length: FEWEST_GATHERED + 9 }, (_, k) =>
      random.gradients(1 + ((37 * k) % 61)),
    );
    // A subnormal, a negative zero, and a NaN with a payload: copies keep them.
    gradients[3]!.set([1e-42, -0]);
    const phaseOf = (k: number) => (k % 3 === 0 ? 1 : 0);
    const tensors = makeTensors(device, track, gradients, () => 0, phaseOf);
    const run = makeControlRun(device, track, adam(), tensors, { maxGradNorm: 1 });
    const { reduction } = run;
    expect(reduction.gathered.size).toBe(gradients.length);
    const capacity = device.limits.maxStorageBuffersPerShaderStage - 1;
    expect(reduction.dispatches.length).toBeLessThanOrEqual(Math.ceil(gradients.length / capacity) + 2);
    run.step();
    expect(Math.abs((await run.readHead()).gradNorm / exactNorm(gradients) - 1)).toBeLessThan(NORM_TOLERANCE);
    const copy = await copyStorage(device, run.workspace.size);
    run.step(undefined, undefined, undefined, (encoder) => copy.encode(encoder, run.workspace));
    const words = await copy.read();
    for (const tensor of withGathered(tensors, reduction.gathered, run.workspace)) {
      const { byteOffset, elementCount } = tensor.grad![0]!;
      const got = words.slice(byteOffset / 4, byteOffset / 4 + elementCount);
      expect(got).toEqual(new Uint32Array(gradients[tensor.index]!.buffer));
    }
  },
);

gpuTest('a loss scale backs off to 2⁻²⁴ and no further, and grows from there', async ({ device, track }) => {
  const [bad, good] = [makeTensors(device, track, [[Infinity]]), makeTensors(device, track, [[1]])];
  const options = { lossScale: { init: 2 ** -22, growthInterval: 1 } };
  const run = makeControlRun(device, track, adam(), bad, options);
  const scales: number[] = [];
  for (let step = 0; step < 4; step++) {
    run.step();
    scales.push(Math.log2((await run.readHead()).lossScale));
  }
  expect(scales).toEqual([-23, -24, -24, -24]);
  const { stage } = run.makeStage(good);
  run.step(stage);
  expect((await run.readHead()).lossScale).toBe(2 ** -23);
  expect(new Float32Array((await readBuffer(device, run.control.lossScaleBuffer)).buffer)[0]).toBe(2 ** -23);
  // One that began below stays there.
  run.control.restore(
    { step: 1, skipped: 4, consecutiveSkips: 0, growthTracker: 0, lossScale: 2 ** -30 },
    new Map(),
  );
  run.step();
  expect((await run.readHead()).lossScale).toBe(2 ** -30);
});

gpuTest('a loss scale near the end of float32 grows no further', async ({ device, track }) => {
  const options = { lossScale: { init: 2 ** 124, growthInterval: 1 } };
  const run = makeControlRun(device, track, sgd(), makeTensors(device, track, [[1]]), options);
  const scales: number[] = [];
  for (let step = 0; step < 4; step++) {
    run.step();
    scales.push(Math.log2((await run.readHead()).lossScale));
  }
  expect(scales).toEqual([125, 126, 126, 126]);
});

gpuTest(
  'no more steps in a row are skipped than allowed; NaN wins over infinity',
  async ({ device, track }) => {
    const tensors = makeTensors(device, track, [[1, Infinity], [NaN]], (k) => k);
    const config = { skipNonFinite: true, maxConsecutiveSkips: 2, maxGradNorm: 3 };
    const run = makeControlRun(device, track, sgd(), tensors, config);
    for (let step = 0; step < 2; step++) run.step();
    expect(await run.readHead()).toMatchObject({ skipped: 2, step: 0, gradNorm: NaN, clipFactor: NaN });
    const rows = await run.stepAndReadRows(undefined, (row) => row === 0);
    expect(rows[0]).toMatchObject({ isActive: true, multiplier: 0 });
    expect(await run.readHead()).toMatchObject({ step: 1, skipped: 2, gradNorm: Infinity, clipFactor: 0 });
    // A fourth one is skipped or not as the third: only a finite one ends the row.
    run.step();
    expect(await run.readHead()).toMatchObject({ step: 2, skipped: 2, consecutiveSkips: 2 });
  },
);

gpuTest(
  'one huge gradient and many nearly as large: scaled sums meet ordinary ones',
  async ({ device, track }) => {
    const gradients = [Float32Array.of(1.1 * 2 ** 44), new Float32Array(5000).fill(0.9 * 2 ** 44)];
    const run = makeControlRun(device, track, sgd(), makeTensors(device, track, gradients), {
      maxGradNorm: 1,
    });
    run.step();
    const { gradNorm } = await run.readHead();
    expect(Math.abs(gradNorm / exactNorm(gradients) - 1)).toBeLessThan(NORM_TOLERANCE);
  },
);

gpuTest('rebind: gradients elsewhere on the same grid, and back', async ({ device, track }) => {
  const tensors = makeTensors(device, track, [[3], [4, 0], [0]]);
  const run = makeControlRun(device, track, sgd(), tensors, { maxGradNorm: 1 });
  const [[old]] = [tensors[1]!.grad!];
  const buffer = makeBuffer(device, track, [...Array(64).fill(NaN), 0, 12, 0, 0]);
  const change = (grad: object) => new Map([[1, { ...tensors[1]!, grad: [{ ...old!, ...grad }] }]]);
  const makeChange = run.stage.prepareRebind(change({ buffer, byteOffset: 256 }));
  run.step();
  expect((await run.readHead()).gradNorm).toBe(5);
  makeChange();
  run.step();
  expect((await run.readHead()).gradNorm).toBeCloseTo(Math.hypot(3, 12), 5);
  expect(() => run.stage.prepareRebind(change({ byteOffset: 4 }))).toThrow('same offsets modulo 256');
  expect(() => run.stage.prepareRebind(change({ elementCount: 3 }))).toThrow('another reduction');
  run.stage.prepareRebind(change({}))();
  run.step();
  expect((await run.readHead()).gradNorm).toBe(5);
});

gpuTest('the norm has the same bits whenever it is computed', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const gradients = LENGTHS.map((length) => random.gradients(length));
  const norms = new Set<number>();
  for (let k = 0; k < 3; k++) {
    const tensors = makeTensors(
      device,
      track,
      gradients,
      () => 0,
      (i) => i % 4,
    );
    const run = makeControlRun(device, track, sgd(), tensors, { maxGradNorm: 1 });
    run.step();
    norms.add((await run.readHead()).gradNorm);
  }
  expect(norms.size).toBe(1);
});
