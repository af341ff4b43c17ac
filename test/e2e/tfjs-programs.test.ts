/**
 * Programs in the shape of tfjs's official examples, small: each is run with an optimizer of `tf.train` and, with one line changed, with
 * ours. The losses are the same but for rounding, and nothing is left behind.
 */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test, vi } from 'vitest';
import { Random } from '../../proof/random.js';
import { FusedOptimizer } from '../../src/adapters/tfjs/index.js';
import { type Rule, conventions, rules } from '../../src/index.js';
import { drawn } from '../support/draw.js';
import { watchBuffers } from '../support/live-buffers.js';
import { useTfjs } from '../support/tfjs-session.js';

const fixture = useTfjs();

/**
 * How far losses may be apart, relative. tfjs rounds 1 − 0.999 by half an ULP of 1, 3e-5 of it, and takes the root: 1.5e-5 of a step of
 * Adam; other roundings are less than a hundredth of that. What such a share of the steps adds to a loss is that share of what they
 * took off it, or less, which is no more than the first loss; and no loss here is below a quarter of that with Adam.
 */
const FURTHEST = 6e-5;

/** Trains with an optimizer, disposes all that it made but the optimizer, and returns its losses. */
type Program = (optimizer: tf.Optimizer, random: Random) => Promise<number[]>;

/** Compiles a model, fits it in batches of their order, and disposes it. */
async function fit(
  layers: tfl.layers.Layer[],
  optimizer: tf.Optimizer,
  loss: string,
  [xs, ys]: readonly [tf.Tensor, tf.Tensor],
): Promise<number[]> {
  const model = tfl.sequential({ layers });
  model.compile({ optimizer, loss });
  const losses: number[] = [];
  const onBatchEnd = async (_: number, logs?: tfl.Logs) => void losses.push(logs!['loss']!);
  await model.fit(xs, ys, {
    epochs: 3,
    batchSize: 16,
    shuffle: false,
    verbose: 0,
    callbacks: { onBatchEnd },
  });
  for (const weight of model.getWeights()) weight.dispose();
  tf.dispose([xs, ys]);
  return losses;
}

const from = (seed: number) => ({ kernelInitializer: tfl.initializers.glorotUniform({ seed }) });

/** A class for each row, one-hot; its inputs lie around a centre of its own. */
function blobs(random: Random, count: number, shape: number[], classes: number): [tf.Tensor, tf.Tensor] {
  const length = shape.reduce((product, n) => product * n, 1);
  const centres = Array.from({ length: classes }, () => random.weights(length));
  const labels = Array.from({ length: count }, () => random.integer(classes));
  const values = labels.flatMap((label) =>
    Array.from(random.weights(length), (x, i) => 0.5 * x + centres[label]![i]!),
  );
  const targets = labels.flatMap((label) => Array.from({ length: classes }, (_, k) => Number(k === label)));
  return [tf.tensor(values, [count, ...shape]), tf.tensor(targets, [count, classes])];
}

const programs: Record<string, readonly [rule: Rule, theirs: () => tf.Optimizer, Program]> = {
  'polynomial-regression-core': [
    rules.sgd({ ...conventions.tfjs.sgd, lr: 0.5 }),
    () => tf.train.sgd(0.5),
    async (optimizer, random) => {
      const coefficients = Array.from({ length: 4 }, () =>
        tf.tidy(() => tf.variable(tf.scalar(random.uniform()))),
      );
      const [a, b, c, d] = coefficients as [tf.Variable, tf.Variable, tf.Variable, tf.Variable];
      const xs = tf.tensor1d(random.weights(100));
      const ys = tf.tidy(() => tf.add(tf.mul(tf.pow(xs, 3), -0.8), tf.sub(tf.mul(xs, 0.9), 0.2)));
      const losses: number[] = [];
      for (let k = 0; k < 20; k++) {
        const loss = optimizer.minimize(() => {
          const cubic = tf.add(tf.mul(a, tf.pow(xs, 3)), tf.mul(b, tf.square(xs)));
          return tf.losses.meanSquaredError(ys, tf.add(cubic, tf.add(tf.mul(c, xs), d)));
        }, true)!;
        losses.push((await loss.data())[0]!);
        loss.dispose();
      }
      tf.dispose([...coefficients, xs, ys]);
      return losses;
    },
  ],
  'boston-housing': [
    rules.momentum({ ...conventions.tfjs.momentum, lr: 0.01, momentum: 0.9 }),
    () => tf.train.momentum(0.01, 0.9),
    async (optimizer, random) => {
      const layers = [
        tfl.layers.dense({ units: 50, activation: 'sigmoid', inputShape: [12], ...from(1) }),
        tfl.layers.dense({ units: 50, activation: 'sigmoid', ...from(2) }),
        tfl.layers.dense({ units: 1, ...from(3) }),
      ];
      const xs = tf.tensor(random.weights(48 * 12), [48, 12]);
      return fit(layers, optimizer, 'meanSquaredError', [xs, tf.tidy(() => tf.sum(tf.square(xs), 1, true))]);
    },
  ],
  iris: [
    rules.adam({ ...conventions.tfjs.adam, lr: 0.01 }),
    () => tf.train.adam(0.01),
    async (optimizer, random) => {
      const layers = [
        tfl.layers.dense({ units: 10, activation: 'sigmoid', inputShape: [4], ...from(1) }),
        tfl.layers.dense({ units: 3, activation: 'softmax', ...from(2) }),
      ];
      return fit(layers, optimizer, 'categoricalCrossentropy', blobs(random, 48, [4], 3));
    },
  ],
  'mnist-cnn': [
    rules.rmsprop({ ...conventions.tfjs.rmsprop, lr: 0.001 }),
    () => tf.train.rmsprop(0.001),
    async (optimizer, random) => {
      const layers = [
        tfl.layers.conv2d({
          filters: 8,
          kernelSize: 3,
          activation: 'relu',
          inputShape: [12, 12, 1],
          ...from(1),
        }),
        tfl.layers.maxPooling2d({ poolSize: 2, strides: 2 }),
        tfl.layers.conv2d({ filters: 16, kernelSize: 3, activation: 'relu', ...from(2) }),
        tfl.layers.flatten(),
        tfl.layers.dense({ units: 10, activation: 'softmax', ...from(3) }),
      ];
      return fit(layers, optimizer, 'categoricalCrossentropy', blobs(random, 48, [12, 12, 1], 10));
    },
  ],
  'addition-rnn': [
    rules.adagrad({ ...conventions.tfjs.adagrad, lr: 0.05 }),
    () => tf.train.adagrad(0.05),
    async (optimizer, random) => {
      const layers = [
        tfl.layers.simpleRNN({
          units: 8,
          inputShape: [4, 6],
          recurrentInitializer: tfl.initializers.glorotUniform({ seed: 4 }),
          ...from(1),
        }),
        tfl.layers.dense({ units: 6, activation: 'softmax', ...from(2) }),
      ];
      return fit(layers, optimizer, 'categoricalCrossentropy', blobs(random, 32, [4, 6], 6));
    },
  ],
};

// Most of the time goes into tfjs's own kernels, which are the same every time: one by the seed will do.
for (const [name, [rule, theirs, program]] of drawn(Object.entries(programs), 5)) {
  test(`${name}: losses as with tf.train, and nothing is left`, async () => {
    const errors = vi.spyOn(console, 'error');
    const buffers = watchBuffers(fixture.session.device);
    const ours = () => buffers.labels.filter((label) => label.startsWith('webgpu-optim'));
    const run = async (make: () => tf.Optimizer) => {
      const { numTensors } = tf.memory();
      const optimizer = make();
      const losses = await program(optimizer, new Random(1));
      optimizer.dispose();
      return { losses, left: tf.memory().numTensors - numTensors };
    };
    const want = await run(theirs);
    const got = await run(() => new FusedOptimizer(rule));
    const differences = got.losses.map((loss, k) => Math.abs(loss / want.losses[k]! - 1));
    // The weights of the first one are the same.
    expect(differences[0]).toBe(0);
    expect(Math.max(...differences)).toBeLessThan(FURTHEST);
    expect(want.losses.at(-1)).toBeLessThan(want.losses[0]!);
    expect([got.left, ours(), errors.mock.calls]).toEqual([0, [], []]);
    buffers.destroy();
    errors.mockRestore();
  });
}
