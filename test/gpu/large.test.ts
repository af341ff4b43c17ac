import { expect, inject } from 'vitest';
import { type BufferRange, Optimizer, ReferenceOptimizer, type Rule, adam, sgd } from '../../src/index.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { BoundedRun } from '../../proof/bounded-run.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { bitDifference, checkWithinBound } from '../../proof/compare.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { gpuTest } from '../support/device.js';
import { isFirefox } from '../support/runtime.js';
import { isTurn } from '../support/draw.js';
import { checkParity } from '../../proof/parity.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { makeBuffer } from '../support/tensors.js';

const PAST_ONE_DIMENSION = 65_535 * 256 + 1;
const usage = 0x8c; // STORAGE | COPY_SRC | COPY_DST

/** Weights and gradients come again after so many elements: a prime, so that no wrong index falls on an equal one. */
const PERIOD = 65_521;

/** `length` values that repeat those of `block`. */
function repeat(block: Float32Array, length: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i += block.length)
    values.set(block.subarray(0, Math.min(block.length, length - i)), i);
  return values;
}

/** Whether it is this run's turn, and this browser's: each of so many cases takes half a minute in one of them. */
const isOurTurn = (index: number, share: number): boolean =>
  isTurn(2 * index + (isFirefox ? 1 : 0), 2 * share);

/**
 * What a kernel does with the place of an element follows from what it binds, and each rule takes seconds: one of those
 * that bind the same, another for each seed, and every second kind in one browser, the others in the other one.
 */
const MEASURED = 'measured as a whole';
const kinds = ruleFactories.map(([, factory]) => {
  const rule = factory();
  return layoutOf(rule).tensor ? MEASURED : `${layoutOf(rule).slots.length} slots`;
});
const wanted = [...new Set(kinds)].filter((kind, k) =>
  // Outside of SwiftShader bits are no proof, and a tensor that is measured takes half a minute.
  kind === MEASURED ? !isFirefox && isTurn(0, 2) : isTurn(k + (isFirefox ? 1 : 0), 2),
);
const largeRules = wanted.map((kind) => {
  const alike = ruleFactories.filter((_, k) => kinds[k] === kind);
  return alike[inject('seed') % alike.length]!;
});

// Against a twin of one period; of the whole tensor where that is measured as a whole.
for (const [name, factory] of largeRules) {
  gpuTest(`${name} over ${PAST_ONE_DIMENSION} elements`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const rule = factory();
    if (layoutOf(rule).tensor === undefined) await checkByPeriod(rule, device, track, random);
    else await checkWhole(rule, device, track, random);
  });
}

async function checkWhole(rule: Rule, device: GPUDevice, track: Track, random: Random): Promise<void> {
  const block = random.gradients(PERIOD);
  await checkParity({
    device,
    track,
    rule,
    layouts: [{ length: PAST_ONE_DIMENSION, dataOffset: 0, gradOffset: 0 }],
    oneBuffer: false,
    steps: 2,
    random,
    boundedElements: 1024,
    makeWeights: (length) => repeat(block, length),
    makeGradients: (length) => repeat(block, length),
  });
}

async function checkByPeriod(rule: Rule, device: GPUDevice, track: Track, random: Random): Promise<void> {
  const [weights, gradients] = [random.weights(PERIOD), random.gradients(PERIOD)];
  const make = (block: Float32Array) => makeBuffer(device, track, repeat(block, PAST_ONE_DIMENSION));
  const params = [{ name: 'w', data: make(weights), grad: make(gradients) }];
  const optimizer = track(await Optimizer.create(device, { rule, params }));
  const twin = new ReferenceOptimizer({
    rule,
    precision: 'f32',
    params: [{ name: 'w', data: weights.slice() }],
  });
  const bounded = new BoundedRun(rule, weights.subarray(0, 1024));
  for (let step = 0; step < 2; step++) {
    optimizer.step();
    twin.step([gradients]);
    bounded.step(gradients.subarray(0, 1024));
  }
  const checkRepeats = (got: Float32Array, first: Float32Array, what: string) => {
    expect(got.length).toBe(PAST_ONE_DIMENSION);
    for (let start = 0; start < got.length; start += PERIOD) {
      const part = got.subarray(start, start + PERIOD);
      expect(bitDifference(part, first.subarray(0, part.length)), `${what} from ${start}`).toBeUndefined();
    }
  };
  const got = await optimizer.readParam('w');
  checkWithinBound(got.subarray(0, 1024), bounded.weights, 'w');
  checkRepeats(
    got,
    isSwiftShader(device) ? new Float32Array(twin.readParam('w')) : got.slice(0, PERIOD),
    'w',
  );
  for (const { name: slot } of layoutOf(rule).slots) {
    const state = await optimizer.readState('w', slot);
    const first = isSwiftShader(device)
      ? new Float32Array(twin.readState('w', slot))
      : state.slice(0, PERIOD);
    checkRepeats(state, first, slot);
  }
}

/** As {@link PERIOD}, of tensors that take longer to fill: the largest prime below 2²⁰. */
const LONG_PERIOD = 1_048_573;

/** Cheap, never the same for two neighbours, and exact in float32. */
const pattern = Float32Array.from(
  { length: LONG_PERIOD },
  (_, i) => ((i * 2_654_435_761) >>> 8) / 2 ** 23 - 1,
);

/** Writes values over and over into ranges, which are one behind the other. */
function fill(
  device: GPUDevice,
  ranges: readonly GPUBufferBinding[],
  values: Float32Array<ArrayBuffer>,
): void {
  let next = 0;
  for (const { buffer, offset, size } of ranges) {
    for (let done = 0; done < size!;) {
      const count = Math.min(values.length - next, (size! - done) / 4);
      device.queue.writeBuffer(buffer, offset! + done, values, next, count);
      done += 4 * count;
      next = (next + count) % values.length;
    }
  }
}

async function checkOneStep(
  device: GPUDevice,
  track: <T extends { destroy(): void }>(resource: T) => T,
  length: number,
  data: GPUBufferBinding[],
  grad: GPUBufferBinding[],
  rule: Rule,
): Promise<void> {
  // The bound of an element with the largest weight and gradient there are: every other one's is smaller.
  const worst = new BoundedRun(rule, [1]);
  worst.step([0.125]);
  // The twin is within it too, so the two may be twice as far apart.
  const tolerance = 2 * worst.weights[0]!.error;
  const gradients = pattern.map((value) => 0.125 * value);
  fill(device, data, pattern);
  fill(device, grad, gradients);
  const one = (ranges: GPUBufferBinding[]): BufferRange | BufferRange[] =>
    ranges.length === 1 ? ranges[0]! : ranges;
  const params = [{ name: 'w', data: one(data), grad: one(grad) }];
  const optimizer = track(await Optimizer.create(device, { rule, params }));
  optimizer.step();
  const got = await optimizer.readParam('w');
  expect(got.length).toBe(length);
  const weights = pattern.slice();
  const twin = new ReferenceOptimizer({ rule, precision: 'f32', params: [{ data: weights }] });
  twin.step([gradients]);
  for (let start = 0; start < length; start += LONG_PERIOD) {
    const piece = got.subarray(start, start + LONG_PERIOD);
    const want = weights.subarray(0, piece.length);
    if (isSwiftShader(device)) expect(bitDifference(piece, want), `from ${start}`).toBeUndefined();
    else {
      const wrong = piece.findIndex((value, k) => !(Math.abs(value - want[k]!) <= tolerance));
      expect(wrong, `from ${start}: got ${piece[wrong]}, want ${want[wrong]}`).toBe(-1);
    }
  }
}

// One of three for each seed, in one of the browsers: most of the time goes into filling and reading gigabytes.
if (isOurTurn(0, 3)) {
  gpuTest('a tensor past the binding limit, in one buffer', async ({ device, track }) => {
    const length = device.limits.maxStorageBufferBindingSize / 4 + 1_000_003;
    const make = (label: string) => [
      {
        buffer: track(device.createBuffer({ label, size: 4 * length + 4, usage })),
        offset: 4,
        size: 4 * length,
      },
    ];
    expect(4 * length).toBeGreaterThan(device.limits.maxStorageBufferBindingSize);
    await checkOneStep(device, track, length, make('data'), make('grad'), sgd({ lr: 0.5 }));
  });
}

if (isOurTurn(1, 3)) {
  gpuTest('a tensor past the buffer limit, in several buffers', async ({ device, track }) => {
    const length = device.limits.maxBufferSize / 4 + 257;
    const cut = (label: string, first: number) =>
      [first, length - first].map((count, k) => ({
        buffer: track(device.createBuffer({ label: `${label}[${k}]`, size: 4 * count, usage })),
        offset: 0,
        size: 4 * count,
      }));
    expect(4 * length).toBeGreaterThan(device.limits.maxBufferSize);
    // Data and gradients are cut at different places, neither at a multiple of four.
    const [data, grad] = [cut('data', 33_554_435), cut('grad', 41_000_001)];
    await checkOneStep(device, track, length, data, grad, sgd({ lr: 0.5 }));
  });
}

gpuTest('Adam, whose tensor and state come in ragged pieces', async ({ device, track }) => {
  const lengths = [1, 5, 4096, 70_001, 3, 2];
  const length = lengths.reduce((sum, n) => sum + n, 0);
  const cut = (label: string, counts: number[]) =>
    counts.map((count, k) => ({
      buffer: track(device.createBuffer({ label: `${label}[${k}]`, size: 4 * count + 12, usage })),
      offset: 4 * (k % 3),
      size: 4 * count,
    }));
  const [data, grad] = [cut('data', lengths), cut('grad', lengths.toReversed())];
  await checkOneStep(device, track, length, data, grad, adam());
});

if (isOurTurn(2, 3)) {
  gpuTest('data and gradients past the binding limit, in one buffer', async ({ device, track }) => {
    // Together they are too long for one binding, and rounding offsets down would make two of them overlap.
    const length = device.limits.maxStorageBufferBindingSize / 8 + 4_097;
    const buffer = track(device.createBuffer({ label: 'both', size: 8 * length, usage }));
    const data = [{ buffer, offset: 0, size: 4 * length }];
    const grad = [{ buffer, offset: 4 * length, size: 4 * length }];
    await checkOneStep(device, track, length, data, grad, sgd({ lr: 0.5 }));
  });
}
