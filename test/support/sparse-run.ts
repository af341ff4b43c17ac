import {
  Optimizer,
  type OptimizerSettings,
  type Parameter,
  ReferenceOptimizer,
  type Rule,
} from '../../src/index.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import type { ReferenceSparseGradient } from '../../src/reference/tensor/sum-rows.js';
import { BoundedRun } from '../../proof/bounded-run.js';
import { bitDifference, checkWithinBound } from '../../proof/compare.js';
import type { Track } from '../../proof/track.js';
import { isSwiftShader } from '../../proof/adapter.js';
import type { Random } from '../../proof/random.js';
import { makeBuffer } from './tensors.js';

/** A table with a sparse gradient, on the GPU and as reference. */
export interface SparseCase {
  readonly device: GPUDevice;
  readonly track: Track;
  readonly rule: Rule;
  readonly random: Random;
  readonly rowCount: number;
  readonly rowLength: number;
  readonly entryCount: number;
  /** The row of an entry. */
  readonly chooseRow: (k: number) => number;
  readonly steps: number;
  /** Per step, what the count says; default: there is no count. */
  readonly counts?: readonly number[];
  /** Elements that data and values lie behind a vec4 boundary. */
  readonly offset?: number;
  readonly config?: OptimizerSettings;
}

/** A buffer of words. */
export function makeWords(
  device: GPUDevice,
  track: Track,
  words: ArrayLike<number>,
  usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
): GPUBuffer {
  return makeBuffer(device, track, new Float32Array(Uint32Array.from(words).buffer), usage, 'test words');
}

/** Values in a buffer, with some others in front and behind them; writes them anew on request. */
function makeRange(
  { device, track, offset = 0 }: SparseCase,
  values: Float32Array<ArrayBuffer>,
): { range: GPUBufferBinding; write: (next: Float32Array<ArrayBuffer>) => void } {
  const padded = new Float32Array(values.length + offset + 3).fill(NaN);
  padded.set(values, offset);
  const buffer = makeBuffer(device, track, padded);
  return {
    range: { buffer, offset: 4 * offset, size: values.byteLength },
    write: (next) => device.queue.writeBuffer(buffer, 4 * offset, next),
  };
}

/** The entries of a step. */
function makeEntries({ random, rowLength, entryCount, chooseRow }: SparseCase): {
  indices: Uint32Array<ArrayBuffer>;
  values: Float32Array<ArrayBuffer>;
} {
  return {
    indices: Uint32Array.from({ length: entryCount }, (_, k) => chooseRow(k)),
    values: random.gradients(entryCount * rowLength),
  };
}

/**
 * Runs a rule over a table on the GPU and as reference, and compares weights and state: on SwiftShader with the float32
 * twin bit for bit, and within the derived bound everywhere.
 *
 * @returns the weights.
 */
export async function checkSparse(run: SparseCase): Promise<Float32Array<ArrayBuffer>> {
  const { device, track, rule, random, rowCount, rowLength, steps, counts } = run;
  const weights = random.weights(rowCount * rowLength);
  const entries = makeEntries(run);
  const data = makeRange(run, weights);
  const values = makeRange(run, entries.values);
  // Indices and count out of phase as well.
  const indices = makeWords(device, track, [7, ...entries.indices]);
  const count = makeWords(device, track, [9, 9, 9, 0]);
  const parameter: Parameter = {
    name: 'table',
    data: data.range,
    rowLength,
    grad: {
      indices: { buffer: indices, offset: 4 },
      values: values.range,
      ...(counts && { count: { buffer: count, offset: 12 } }),
    },
  };
  const optimizer = track(await Optimizer.create(device, { ...run.config, rule, params: [parameter] }));
  const { maxGradNormPerTensor } = run.config ?? {};
  const bounds = new BoundedRun(rule, weights, 0, maxGradNormPerTensor ? { maxGradNormPerTensor } : {});
  const twin = new ReferenceOptimizer({
    ...(run.config as object),
    rule,
    precision: 'f32',
    params: [{ name: 'table', data: weights, rowLength }],
  });
  const touched = new Set<number>();
  const initial = weights.slice();
  for (let step = 0; step < steps; step++) {
    const next = step === 0 ? entries : makeEntries(run);
    device.queue.writeBuffer(indices, 4, next.indices);
    values.write(next.values);
    const gradient: ReferenceSparseGradient = { ...next, ...(counts && { count: counts[step]! }) };
    if (counts) device.queue.writeBuffer(count, 12, Uint32Array.of(counts[step]!));
    next.indices.slice(0, gradient.count).forEach((row) => touched.add(row));
    optimizer.step();
    twin.step([gradient]);
    bounds.stepRows(gradient, rowLength);
  }
  const exact = isSwiftShader(device);
  const got = await optimizer.readParam('table');
  checkWithinBound(got, bounds.weights, 'weights');
  if (exact) expectSameBits(got, twin.readParam('table'), 'weights');
  for (const { name: slot } of layoutOf(rule).slots) {
    const state = await optimizer.readState('table', slot);
    checkWithinBound(state, bounds.state(slot), slot);
    if (exact) expectSameBits(state, twin.readState('table', slot), slot);
  }
  const isUntouched = (i: number) => !touched.has(Math.floor(i / rowLength));
  const same = bitDifference(
    got.filter((_, i) => isUntouched(i)),
    initial.filter((_, i) => isUntouched(i)),
  );
  if (same !== undefined) throw new Error(`rows that no entry names changed: ${same}`);
  return got;
}

function expectSameBits(got: Float32Array, want: ArrayLike<number>, what: string): void {
  const difference = bitDifference(got, Float32Array.from(want));
  if (difference !== undefined) throw new Error(`${what}: ${difference}`);
}
