import * as tf from '@tensorflow/tfjs-core';
import type { GpuSession } from '../gpu-session.js';
import type { Corpus } from '../../../lab/tasks/text/corpus.js';
import { TextTask } from '../../../lab/tasks/text/text-task.js';
import { type TextSizeName, textSizes } from '../../../lab/tasks/text/sizes.js';

const WARM_UP_STEPS = 3;
const TIMED_STEPS = 4;
/** An adapter that takes longer for loss and gradients of the small network would take seconds for the large one. */
const FAST_STEP_MS = 25;

/** The size that this device bears, by the time that it takes for a few steps of the small one. */
export async function chooseTextSize(session: GpuSession, corpus: Corpus): Promise<TextSizeName> {
  const { batchSize } = textSizes.small;
  const task = new TextTask(corpus, { ...textSizes.small, vocabularySize: corpus.alphabet.length });
  const model = task.createModel(0, (_name, shape, values) => tf.variable(tf.tensor(values, [...shape])));
  try {
    const batches = task.batches(batchSize, 0);
    const run = async (steps: number): Promise<number> => {
      const start = performance.now();
      for (let step = 0; step < steps; step++) {
        const batch = batches.next().value!;
        const { value, grads } = tf.variableGrads(() => model.loss(batch), [...model.variables]);
        tf.dispose([batch.inputs, batch.targets, value, grads]);
      }
      await session.finish();
      return (performance.now() - start) / steps;
    };
    // The first steps compile.
    await run(WARM_UP_STEPS);
    return (await run(TIMED_STEPS)) <= FAST_STEP_MS ? 'large' : 'small';
  } finally {
    session.flush();
    model.dispose();
    tf.dispose([...model.variables]);
    task.destroy();
  }
}
