import * as tf from '@tensorflow/tfjs-core';
import { CLASS_COUNT, PIXEL_COUNT } from './digit-format.js';
import { createRandom, sampleNormals } from '../random.js';
import { meanCrossEntropy, type Model, type VariableFactory } from './task.js';

/** Width of the hidden layer. */
const HIDDEN_COUNT = 256;

/**
 * The network of the main job: 784 → 256 → 10, relu between, softmax cross-entropy on top; He-initialised.
 */
export function createDigitModel(seed: number, createVariable: VariableFactory): Model {
  const random = createRandom(seed);
  const layer = (name: string, inputCount: number, outputCount: number): [tf.Variable, tf.Variable] => [
    createVariable(
      `${name}.weight`,
      [inputCount, outputCount],
      sampleNormals(random, inputCount * outputCount, Math.sqrt(2 / inputCount)),
    ),
    createVariable(`${name}.bias`, [outputCount], new Float32Array(outputCount)),
  ];
  const [hiddenWeight, hiddenBias] = layer('hidden', PIXEL_COUNT, HIDDEN_COUNT);
  const [outputWeight, outputBias] = layer('output', HIDDEN_COUNT, CLASS_COUNT);

  const logits = (images: tf.Tensor): tf.Tensor2D =>
    tf.tidy(() => {
      // Not tf.fused.matMul: its gradient also computes that of the images, a third of the work.
      const hidden = tf.relu<tf.Tensor2D>(tf.add(tf.matMul(images, hiddenWeight), hiddenBias));
      return tf.add<tf.Tensor2D>(tf.matMul(hidden, outputWeight), outputBias);
    });
  return {
    variables: [hiddenWeight, hiddenBias, outputWeight, outputBias],
    logits,
    loss: ({ inputs, targets }) => tf.tidy(() => meanCrossEntropy(logits(inputs), targets)),
    dispose: () => {},
  };
}
