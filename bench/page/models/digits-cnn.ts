import * as tf from '@tensorflow/tfjs-core';
import { CLASS_COUNT } from '../../../lab/tasks/digit-format.js';
import { DigitTask } from '../../../lab/tasks/digit-task.js';
import { fetchDigits, firstDigits } from '../../../lab/tasks/digits.js';
import { meanCrossEntropy } from '../../../lab/tasks/task.js';
import type { Model } from './model.js';

/** On a CPU adapter tfjs's backward pass takes most of a second for as few. */
const BATCH = 8;
const BATCH_COUNT = 40;
const SIDE = 28;

/** Two convolutions with stride 2 and a dense layer, 9098 weights in six variables, on handwritten digits. */
export async function createDigitsCnn(): Promise<Model> {
  const { train, heldOut } = await fetchDigits();
  const digits = DigitTask.upload({
    train: firstDigits(train, BATCH * BATCH_COUNT),
    heldOut: firstDigits(heldOut, BATCH),
  });
  const batches = [...digits.batches(BATCH, 1)];
  digits.destroy();
  const weights = (shape: number[], fanIn: number, seed: number): tf.Variable =>
    tf.tidy(() => tf.variable(tf.truncatedNormal(shape, 0, Math.sqrt(2 / fanIn), 'float32', seed)));
  const zeros = (length: number): tf.Variable => tf.tidy(() => tf.variable(tf.zeros([length])));
  const [filter1, bias1] = [weights([3, 3, 1, 8], 9, 1), zeros(8)] as const;
  const [filter2, bias2] = [weights([3, 3, 8, 16], 72, 2), zeros(16)] as const;
  const [dense, bias3] = [weights([7 * 7 * 16, CLASS_COUNT], 784, 3), zeros(CLASS_COUNT)] as const;
  const layer = (x: tf.Tensor4D, filter: tf.Variable, bias: tf.Variable): tf.Tensor4D =>
    tf.relu(tf.add(tf.conv2d(x, filter as unknown as tf.Tensor4D, 2, 'same'), bias));
  return {
    variables: [filter1, bias1, filter2, bias2, dense, bias3],
    loss: (k) => {
      const { inputs, targets } = batches[k % BATCH_COUNT]!;
      const x = tf.reshape(inputs, [BATCH, SIDE, SIDE, 1]) as tf.Tensor4D;
      const features = layer(layer(x, filter1, bias1), filter2, bias2);
      const logits = tf.add(
        tf.matMul(tf.reshape(features, [BATCH, -1]), dense as unknown as tf.Tensor2D),
        bias3,
      );
      return meanCrossEntropy(logits as tf.Tensor2D, targets);
    },
    destroy: () => tf.dispose(batches.map(({ inputs, targets }) => [inputs, targets])),
  };
}
