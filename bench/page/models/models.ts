import * as tf from '@tensorflow/tfjs-core';
import type { TfjsModel } from '../../suites/tfjs.js';
import { createDigitsCnn } from './digits-cnn.js';
import type { Model } from './model.js';
import { createMobyDick } from './moby-dick.js';

/** One dense tensor, whose loss is as cheap as can be: what is measured is the step. */
function createDense(elementCount: number): Model {
  const values = tf.randomUniform([elementCount], -1, 1, 'float32', 1);
  const variable = tf.variable(values);
  values.dispose();
  return {
    variables: [variable],
    loss: () => tf.mean(tf.square(variable)),
    destroy: () => undefined,
  };
}

/** Tensors with next to nothing to compute, of which there are many: what is measured is what each of them costs the host. */
function createMany(count: number, elementCount: number): Model {
  const variables = Array.from({ length: count }, () =>
    tf.tidy(() => tf.variable(tf.randomUniform([elementCount], -1, 1, 'float32', 1))),
  );
  return {
    variables,
    loss: () =>
      tf.tidy(() =>
        variables
          .map((variable) => tf.mean<tf.Scalar>(tf.square(variable)))
          .reduce((sum, each) => tf.add(sum, each)),
      ),
    destroy: () => undefined,
  };
}

/** Every model, by name; the benchmark's command line takes these. */
export const models: Readonly<Record<TfjsModel, () => Model | Promise<Model>>> = {
  'dense-1e6': () => createDense(1e6),
  '500x100': () => createMany(500, 100),
  'digits-cnn': createDigitsCnn,
  'moby-dick': createMobyDick,
};
