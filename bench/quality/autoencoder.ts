import * as tf from '@tensorflow/tfjs-core';
import { PIXEL_COUNT } from '../../lab/tasks/digit-format.js';
import type { Model, VariableFactory } from '../../lab/tasks/task.js';
import { createRandom, sampleNormals } from '../../lab/random.js';

/** Widths on the way to the code, and back. */
const WIDTHS = [PIXEL_COUNT, 128, 64, 32, 12, 32, 64, 128, PIXEL_COUNT];
const CODE = WIDTHS.indexOf(12);

/**
 * A deep autoencoder of digits, the usual hard case of optimizers (Hinton & Salakhutdinov 2006; Martens 2010), smaller: relu between its layers,
 * the code of 12 numbers linear, and the cross-entropy of each pixel as loss, summed over a digit, in nats. It ignores the targets of a batch.
 */
export function createAutoencoder(seed: number, createVariable: VariableFactory): Model {
  const random = createRandom(seed);
  const layers = WIDTHS.slice(1).map((outputCount, layer) => {
    const inputCount = WIDTHS[layer]!;
    const weights = sampleNormals(random, inputCount * outputCount, Math.sqrt(2 / inputCount));
    return {
      weight: createVariable(`${layer}.weight`, [inputCount, outputCount], weights),
      bias: createVariable(`${layer}.bias`, [outputCount], new Float32Array(outputCount)),
    };
  });
  const logits = (images: tf.Tensor): tf.Tensor2D =>
    tf.tidy(() => {
      let flow = images as tf.Tensor2D;
      for (const [layer, { weight, bias }] of layers.entries()) {
        const sum = tf.add<tf.Tensor2D>(tf.matMul(flow, weight), bias);
        flow = layer + 1 === CODE || layer + 1 === layers.length ? sum : tf.relu(sum);
      }
      return flow;
    });
  return {
    variables: layers.flatMap(({ weight, bias }) => [weight, bias]),
    logits,
    loss: ({ inputs }) =>
      tf.tidy(() => {
        const scores = logits(inputs);
        // −x·log σ(s) − (1−x)·log(1−σ(s)) = softplus(s) − x·s.
        const entropies = tf.sub(tf.softplus(scores), tf.mul(inputs, scores));
        return tf.mul<tf.Scalar>(tf.mean(entropies), PIXEL_COUNT);
      }),
    dispose: () => {},
  };
}
