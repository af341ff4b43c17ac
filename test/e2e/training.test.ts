import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DigitSplit, fetchDigits } from '../../lab/tasks/digits.js';
import { GpuSession } from '../../demo/train/gpu-session.js';
import type { OptimizerChoice } from '../../demo/train/optimizer-choice.js';
import { type CallRecorder, recordCalls } from './record-calls.js';
import { trainShortly } from './training.js';

/** The bound that the issue sets for the losses of the first steps. */
const LOSS_TOLERANCE = 1e-4;
const COMPARED_STEPS = 20;

let session: GpuSession;
let digits: DigitSplit;

beforeAll(async () => {
  digits = await fetchDigits();
  session = await GpuSession.open();
});
afterAll(() => session.close());

const adam: OptimizerChoice = { source: 'webgpu-optim', rule: 'adam' };

/** The other rules are compared with theirs in tfjs-trajectory.test.ts. */
test('adam has the losses of tf.train.adam for 20 steps', async () => {
  // Not the demo's first rate: it amplifies rounding differences from step to step, and this is about the formula.
  const options = {
    maxSteps: COMPARED_STEPS,
    reportEvery: COMPARED_STEPS,
    decay: 'none',
    batchSize: 64,
  } as const;
  const ours = await trainShortly(session, digits, { ...adam, lr: 1e-3, tfjsFormula: true }, options);
  const theirs = await trainShortly(session, digits, { source: 'tfjs', rule: 'adam', lr: 1e-3 }, options);

  expect(ours.losses).toHaveLength(COMPARED_STEPS);
  const deviations = ours.losses.map((loss, step) => Math.abs(loss - (theirs.losses[step] as number)));
  for (const [step, deviation] of deviations.entries()) {
    expect(
      deviation,
      `step ${step + 1}: ours ${ours.losses[step]}, tf.train.adam ${theirs.losses[step]}`,
    ).toBeLessThan(LOSS_TOLERANCE);
  }
  // Twenty equal losses would also come from an optimizer that does nothing.
  expect(ours.losses.at(-1)).toBeLessThan((ours.losses[0] as number) - 0.1);
});

describe('a short run', () => {
  test('learns', async () => {
    const { losses, summary } = await trainShortly(session, digits, adam, { maxSteps: 50, measure: true });
    expect(losses).toHaveLength(50);
    expect(mean(losses.slice(-10))).toBeLessThan(mean(losses.slice(0, 10)) / 2);
    expect(summary.accuracy).toBeGreaterThan(0.8);
    expect(summary.steps).toBe(50);
    expect(summary.stepMs).toBeGreaterThan(summary.optimizerMs);
    expect(summary.optimizerMs).toBeGreaterThan(0);
  });

  test('repeats itself for the same seed, and only for that', async () => {
    const options = { maxSteps: 3, seed: 7 };
    const first = await trainShortly(session, digits, adam, options);
    const second = await trainShortly(session, digits, adam, options);
    const other = await trainShortly(session, digits, adam, { ...options, seed: 8 });
    expect(second.losses).toEqual(first.losses);
    expect(other.losses).not.toEqual(first.losses);
  });

  test('keeps no tensors, neither from step to step nor afterwards', async () => {
    const before = tf.memory().numTensors;
    const counts: number[] = [];
    await trainShortly(session, digits, adam, {
      maxSteps: 6,
      reportEvery: 2,
      onReport: () => counts.push(tf.memory().numTensors),
    });
    expect(new Set(counts).size).toBe(1);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('says so when the batch is larger than the data', async () => {
    await expect(
      trainShortly(session, digits, adam, { maxSteps: 1, batchSize: digits.train.count + 1 }),
    ).rejects.toThrow(/8001 .* 8000/);
  });

  test('says which rules there are when one is unknown', async () => {
    const unknown: OptimizerChoice = { source: 'webgpu-optim', rule: 'adagard' };
    await expect(trainShortly(session, digits, unknown, { maxSteps: 1 })).rejects.toThrow(
      /"adagard".*adagrad/,
    );
  });

  test('leaves nothing behind when it cannot be prepared', async () => {
    const before = tf.memory().numTensors;
    await expect(trainShortly(session, digits, { ...adam, lr: -1 }, { maxSteps: 1 })).rejects.toThrow(/-1/);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('the training loop', () => {
  const STEPS = 12;
  const REPORT_EVERY = 4;
  /** Bytes of the weights of both layers. Biases are no larger than other things that are copied. */
  const WEIGHT_BYTES = [4 * 784 * 256, 4 * 256 * 10];
  let maps: CallRecorder;
  let copies: CallRecorder;
  let writes: CallRecorder;

  beforeAll(async () => {
    const recorders: CallRecorder[] = [];
    try {
      await trainShortly(session, digits, adam, {
        maxSteps: STEPS,
        reportEvery: REPORT_EVERY,
        beforeLoop() {
          maps = recordCalls(GPUBuffer.prototype, 'mapAsync');
          copies = recordCalls(GPUCommandEncoder.prototype, 'copyBufferToBuffer');
          writes = recordCalls(GPUQueue.prototype, 'writeBuffer');
          recorders.push(maps, copies, writes);
        },
      });
    } finally {
      for (const recorder of recorders) recorder.restore();
    }
  });

  test('reads back once a reporting interval and once for the accuracy', () => {
    expect(maps.calls).toHaveLength(STEPS / REPORT_EVERY + 1);
  });

  test('reads nothing but losses and scores: a few bytes each', () => {
    const sizes = maps.calls.map(({ target }) => (target as GPUBuffer).size);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(REPORT_EVERY * Float32Array.BYTES_PER_ELEMENT);
  });

  test('copies no parameter and no gradient: nothing of their size', () => {
    const touched = copies.calls
      .map(({ args }) => [args[0], args[2]] as [GPUBuffer, GPUBuffer])
      // A batch on its way from the CPU may have the size of weights.
      .filter(([source]) => (source.usage & GPUBufferUsage.MAP_WRITE) === 0)
      .flat();
    expect(touched.filter((buffer) => labelOf(buffer).startsWith('parameter '))).toEqual([]);
    // The gradients' buffers are tfjs's and have no label, but their size; it pools buffers by exact size.
    expect(touched.filter(({ size }) => WEIGHT_BYTES.includes(size))).toEqual([]);
  });

  test('writes no parameter from the CPU', () => {
    expect(writes.calls.length).toBeGreaterThan(0);
    const labels = writes.calls.map(({ args }) => labelOf(args[0]));
    expect(labels.filter((label) => label.startsWith('parameter '))).toEqual([]);
  });
});

function labelOf(buffer: unknown): string {
  expect(buffer).toBeInstanceOf(GPUBuffer);
  return (buffer as GPUBuffer).label;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
