import * as tf from '@tensorflow/tfjs-core';
import { CLASS_COUNT, PIXEL_COUNT } from './digit-format.js';
import type { GpuSession } from './gpu-session.js';
import { createParameter, destroyParameters, type Parameter } from './parameter.js';
import { createRandom, sampleNormal } from './random.js';

/** Width of the hidden layer. */
const HIDDEN_COUNT = 256;

/**
 * The network of the main job: 784 → 256 → 10, relu between, softmax cross-entropy on top.
 * tfjs computes outputs, loss and gradients; how the parameters move is none of its business.
 */
export class DigitModel {
  private constructor(
    /** Hidden weights and bias, then output weights and bias. */
    readonly parameters: readonly Parameter[],
  ) {}

  /** Makes the network with He-initialised weights: the same seed gives the same weights. */
  static create(session: GpuSession, seed: number): DigitModel {
    const random = createRandom(seed);
    const layer = (name: string, inputCount: number, outputCount: number): Parameter[] => {
      const deviation = Math.sqrt(2 / inputCount);
      const weights = Float32Array.from(
        { length: inputCount * outputCount },
        () => sampleNormal(random) * deviation,
      );
      return [
        createParameter(session, `${name}.weight`, [inputCount, outputCount], weights),
        createParameter(session, `${name}.bias`, [outputCount], new Float32Array(outputCount)),
      ];
    };
    return new DigitModel([
      ...layer('hidden', PIXEL_COUNT, HIDDEN_COUNT),
      ...layer('output', HIDDEN_COUNT, CLASS_COUNT),
    ]);
  }

  /** The unnormalised scores of the ten classes, one row a digit. */
  logits(images: tf.Tensor2D): tf.Tensor2D {
    const [hiddenWeight, hiddenBias, outputWeight, outputBias] = this.parameters.map(
      (p) => p.variable as unknown,
    ) as [tf.Tensor2D, tf.Tensor1D, tf.Tensor2D, tf.Tensor1D];
    return tf.tidy(() => {
      // Not tf.fused.matMul: its gradient also computes that of the images, a third of the work.
      const hidden = tf.relu<tf.Tensor2D>(tf.add(tf.matMul(images, hiddenWeight), hiddenBias));
      return tf.add<tf.Tensor2D>(tf.matMul(hidden, outputWeight), outputBias);
    });
  }

  /** Mean cross-entropy of the digits against their one-hot labels, in nats. */
  loss(images: tf.Tensor2D, oneHotLabels: tf.Tensor2D): tf.Scalar {
    return tf.tidy(() =>
      tf.losses.softmaxCrossEntropy<tf.Tensor2D, tf.Scalar>(oneHotLabels, this.logits(images)),
    );
  }

  /** The loss and its gradients, one a parameter, in the order of `parameters`. */
  gradients(images: tf.Tensor2D, oneHotLabels: tf.Tensor2D): { loss: tf.Scalar; gradients: tf.Tensor[] } {
    const { value, grads } = tf.variableGrads(
      () => this.loss(images, oneHotLabels),
      this.parameters.map((parameter) => parameter.variable),
    );
    return { loss: value, gradients: this.parameters.map(({ name }) => grads[name] as tf.Tensor) };
  }

  /** Frees the parameters. Flush the session first. */
  destroy(): void {
    destroyParameters(this.parameters);
  }
}
