import * as tf from '@tensorflow/tfjs-core';
import { createRandom } from '../../../lab/random.js';
import type { Model } from '../../../lab/tasks/task.js';

/** What to write. */
export interface SampleRequest {
  /** The characters to go on from; as many as the model looks at, since the window moves with the text. */
  readonly prompt: ArrayLike<number>;
  /** How many characters to add. */
  readonly length: number;
  /** Divides the logits, above 0: near 0 the likeliest character each time, 1 the model's own odds, more is wilder. */
  readonly temperature: number;
  /** The same seed and model write the same text. */
  readonly seed: number;
  readonly vocabularySize: number;
}

/**
 * Lets a model write, character by character. Waits for the GPU once, at the end.
 *
 * Characters are drawn there too: the largest of logits/temperature + Gumbel noise is distributed as the softmax
 * (Gumbel 1954; Maddison et al. 2014), so only the noise comes from here.
 */
export async function sampleText(
  model: Model,
  { prompt, length, temperature, seed, vocabularySize }: SampleRequest,
): Promise<Int32Array> {
  const random = createRandom(seed);
  const contextLength = prompt.length;
  const written = tf.tidy(() => {
    // The half step keeps the uniform number off 0, and it never reaches 1: both would give infinite noise.
    const noise = tf.tensor2d(
      Float32Array.from({ length: length * vocabularySize }, () => -Math.log(-Math.log(random() + 2 ** -33))),
      [length, vocabularySize],
    );
    let window: tf.Tensor = tf.tensor2d(Int32Array.from(prompt), [1, contextLength], 'int32');
    const next: tf.Tensor[] = [];
    for (let at = 0; at < length; at++) {
      const drawn = tf.tidy(() => {
        const last = tf.slice(model.logits(window), [contextLength - 1, 0], [1, vocabularySize]);
        const scores = tf.add(tf.div(last, temperature), tf.slice(noise, [at, 0], [1, vocabularySize]));
        return tf.reshape(tf.argMax(scores, 1), [1, 1]);
      });
      next.push(drawn);
      const moved = tf.concat([tf.slice(window, [0, 1], [1, contextLength - 1]), drawn], 1);
      window.dispose();
      window = moved;
    }
    return tf.concat(next, 1);
  });
  try {
    return await written.data<'int32'>();
  } finally {
    written.dispose();
  }
}
