import { DigitTask } from '../../lab/tasks/digit-task.js';
import { splitDigits } from '../../lab/tasks/digits.js';
import type { Task } from '../../lab/tasks/task.js';
import { createCorpus } from '../../lab/tasks/text/corpus.js';
import { textSizes } from '../../lab/tasks/text/sizes.js';
import { TextTask } from '../../lab/tasks/text/text-task.js';
import { createAutoencoder } from './autoencoder.js';

/** Files that tasks are made of. */
export interface TaskFiles {
  readonly digits: Uint8Array;
  readonly text: string;
}

/** A task, and how it is trained: Adam, or what the command asks for, at a rate that falls along a cosine to 0. */
export interface QualityTask {
  readonly title: string;
  /** Of the first step. */
  readonly lr: number;
  readonly batchSize: number;
  readonly steps: number;
  /** What the loss is told in. */
  readonly unit: string;
  open(files: TaskFiles): Task;
}

const digitTask = (files: TaskFiles) => DigitTask.upload(splitDigits(files.digits));

export const TASKS: Readonly<Record<string, QualityTask>> = {
  digits: {
    title: 'Digits: 784 → 256 → 10',
    lr: 0.003,
    batchSize: 64,
    steps: 250,
    unit: 'nats',
    open: digitTask,
  },
  text: {
    title: 'Moby-Dick: a transformer of two layers, 32 wide',
    lr: 0.003,
    batchSize: 8,
    steps: 300,
    unit: 'nats a character',
    open: ({ text }) => {
      const corpus = createCorpus(text);
      return new TextTask(corpus, { ...textSizes.small, vocabularySize: corpus.alphabet.length });
    },
  },
  autoencoder: {
    title: 'Digits through 12 numbers: an autoencoder of eight layers',
    lr: 0.002,
    batchSize: 32,
    steps: 400,
    unit: 'nats a digit',
    open: (files) => {
      const task = digitTask(files);
      // Its own loss takes no targets.
      return {
        heldOut: task.heldOut,
        createModel: createAutoencoder,
        stepsPerEpoch: (batchSize) => task.stepsPerEpoch(batchSize),
        batches: (batchSize, seed) => task.batches(batchSize, seed),
        destroy: () => task.destroy(),
      };
    },
  },
};
