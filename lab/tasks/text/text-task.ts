import * as tf from '@tensorflow/tfjs-core';
import { createRandom } from '../../random.js';
import type { Batch, Model, Task, VariableFactory } from '../task.js';
import type { Corpus } from './corpus.js';
import { createTransformer, type TransformerConfig } from './transformer.js';

/** An epoch is the time between two evaluations; the whole text would be thousands of batches. */
const STEPS_PER_EPOCH = 25;
/** Enough to compare two networks, which see the same ones. */
const HELD_OUT_CHARACTERS = 1024;

/** To tell the next character of a text. */
export class TextTask implements Task {
  readonly heldOut: Batch;

  /** Uploads the held-out part; windows of the rest travel with each batch, a few kilobytes. */
  constructor(
    private readonly corpus: Corpus,
    private readonly config: TransformerConfig,
  ) {
    const { heldOut } = corpus;
    const count = Math.ceil(HELD_OUT_CHARACTERS / config.contextLength);
    const distance = Math.floor((heldOut.length - config.contextLength - 1) / count);
    this.heldOut = this.batchOf(
      heldOut,
      Array.from({ length: count }, (_, window) => window * distance),
    );
  }

  createModel(seed: number, createVariable: VariableFactory): Model {
    return createTransformer(seed, this.config, createVariable);
  }

  stepsPerEpoch(): number {
    return STEPS_PER_EPOCH;
  }

  /** Windows of the text, from anywhere. */
  *batches(batchSize: number, epochSeed: number): Generator<Batch> {
    const { train } = this.corpus;
    const random = createRandom(epochSeed);
    for (let step = 0; step < STEPS_PER_EPOCH; step++) {
      const starts = Array.from({ length: batchSize }, () =>
        Math.floor(random() * (train.length - this.config.contextLength)),
      );
      yield this.batchOf(train, starts);
    }
  }

  destroy(): void {
    tf.dispose([this.heldOut.inputs, this.heldOut.targets]);
  }

  /** Windows as inputs, and for each character of theirs, the one after it as target. */
  private batchOf(text: Uint8Array, starts: readonly number[]): Batch {
    const { contextLength, vocabularySize } = this.config;
    const windows = (shift: number): Int32Array =>
      Int32Array.from(
        { length: starts.length * contextLength },
        (_, at) => text[starts[Math.floor(at / contextLength)]! + (at % contextLength) + shift]!,
      );
    return {
      inputs: tf.tensor2d(windows(0), [starts.length, contextLength], 'int32'),
      targets: tf.tidy(() =>
        tf.oneHot(tf.tensor1d(windows(1), 'int32'), vocabularySize, 1, 0, 'float32'),
      ) as tf.Tensor2D,
    };
  }
}
