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

/** A task, and how Adam trains it, at a rate that falls along a cosine to 0. */
export interface QualityTask {
  /** Of the first step. */
  readonly lr: number;
  readonly batchSize: number;
  readonly steps: number;
  open(files: TaskFiles): Task;
}

const digitTask = (files: TaskFiles) => DigitTask.upload(splitDigits(files.digits));

export const TASKS: Readonly<Record<string, QualityTask>> = {
  // 784 → 256 → 10.
  digits: {
    lr: 0.003,
    batchSize: 64,
    steps: 250,
    open: digitTask,
  },
  // Moby-Dick, and a transformer of two layers, 32 wide; nats a character.
  text: {
    lr: 0.003,
    batchSize: 8,
    steps: 300,
    open: ({ text }) => {
      const corpus = createCorpus(text);
      return new TextTask(corpus, { ...textSizes.small, vocabularySize: corpus.alphabet.length });
    },
  },
  // Digits through 12 numbers, by eight layers; nats a digit.
  autoencoder: {
    lr: 0.002,
    batchSize: 32,
    steps: 400,
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
