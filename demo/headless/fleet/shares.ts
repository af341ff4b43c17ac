import { DigitTask } from '../../../lab/tasks/digit-task.js';
import { digitsFrom, fetchDigits } from '../../../lab/tasks/digits.js';
import type { Batch, Task } from '../../../lab/tasks/task.js';
import { fetchMobyDick } from '../../../lab/tasks/text/corpus.js';
import { textSizes } from '../../../lab/tasks/text/sizes.js';
import { TextTask } from '../../../lab/tasks/text/text-task.js';
import { digitLearningRates, textLearningRates, trainingDefaults } from '../../train/presets.js';
import type { FleetTask, PeerRequest } from './protocol.js';

/** A task with its share of the examples, and how it is trained. */
export interface SharedTask {
  readonly task: Task;
  readonly batchSize: number;
  /** Of the first step. */
  readonly lr: number;
}

/** Gets a share of the examples: shares of different indices have none in common. What is held out is the same for all. */
export async function openShare(name: FleetTask, share: PeerRequest['share']): Promise<SharedTask> {
  if (name === 'digits') {
    const { train, heldOut } = await fetchDigits();
    const [first, end] = rangeOf(share, train.count);
    const task = DigitTask.upload({ train: digitsFrom(train, first, end), heldOut });
    return { task, batchSize: trainingDefaults.batchSize, lr: digitLearningRates['adam']! };
  }
  const corpus = await fetchMobyDick();
  const train = corpus.train.slice(...rangeOf(share, corpus.train.length));
  const size = textSizes.small;
  const task = new TextTask({ ...corpus, train }, { ...size, vocabularySize: corpus.alphabet.length });
  return { task, batchSize: size.batchSize, lr: textLearningRates['adam']! };
}

/** Batches without end; the same seed gives the same ones. */
export function* endlessBatches({ task, batchSize }: SharedTask, seed: number): Generator<Batch, never> {
  for (let epoch = 1; ; epoch++) yield* task.batches(batchSize, seed * 1000 + epoch);
}

const rangeOf = ({ index, count }: PeerRequest['share'], length: number): [first: number, end: number] => [
  Math.floor((index * length) / count),
  Math.floor(((index + 1) * length) / count),
];
