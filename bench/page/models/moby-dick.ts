import * as tf from '@tensorflow/tfjs-core';
import { fetchMobyDick } from '../../../lab/tasks/text/corpus.js';
import { textSizes } from '../../../lab/tasks/text/sizes.js';
import { TextTask } from '../../../lab/tasks/text/text-task.js';
import type { Model } from './model.js';

/** The demo's small transformer on characters of Moby-Dick, 20 variables; the same batches for all. */
export async function createMobyDick(): Promise<Model> {
  const corpus = await fetchMobyDick();
  const { batchSize, ...size } = textSizes.small;
  const task = new TextTask(corpus, { ...size, vocabularySize: corpus.alphabet.length });
  const batches = [...task.batches(batchSize, 1)];
  task.destroy();
  const model = task.createModel(1, (_name, shape, values) => tf.variable(tf.tensor(values, [...shape])));
  return {
    variables: model.variables,
    loss: (k) => model.loss(batches[k % batches.length]!),
    destroy: () => {
      model.dispose();
      tf.dispose(batches.map(({ inputs, targets }) => [inputs, targets]));
    },
  };
}
