import * as tf from '@tensorflow/tfjs-core';
import { CLASS_COUNT, PIXEL_COUNT } from './digit-format.js';
import { createDigitModel } from './digit-model.js';
import type { DigitSet, DigitSplit } from './digits.js';
import { createRandom, shuffledIndices } from '../random.js';
import type { Batch, Model, Task, VariableFactory } from './task.js';

/** To tell digits: they live on the GPU, so that a batch costs no upload but its row numbers. */
export class DigitTask implements Task {
  private constructor(
    private readonly trainCount: number,
    private readonly train: Batch,
    readonly heldOut: Batch,
  ) {}

  /** Uploads the digits. */
  static upload({ train, heldOut }: DigitSplit): DigitTask {
    return new DigitTask(train.count, uploadSet(train), uploadSet(heldOut));
  }

  createModel(seed: number, createVariable: VariableFactory): Model {
    return createDigitModel(seed, createVariable);
  }

  stepsPerEpoch(batchSize: number): number {
    const steps = Math.floor(this.trainCount / batchSize);
    if (steps === 0) {
      throw new Error(`A batch of ${batchSize} is more than the ${this.trainCount} digits to train on.`);
    }
    return steps;
  }

  /** All digits in random order; rows beyond the last whole batch sit this epoch out. */
  *batches(batchSize: number, epochSeed: number): Generator<Batch> {
    const order = shuffledIndices(this.trainCount, createRandom(epochSeed));
    for (let start = 0; start + batchSize <= this.trainCount; start += batchSize) {
      const rows = tf.tensor1d(order.slice(start, start + batchSize), 'int32');
      const batch = {
        inputs: tf.gather(this.train.inputs, rows),
        targets: tf.gather(this.train.targets, rows),
      };
      rows.dispose();
      yield batch;
    }
  }

  destroy(): void {
    tf.dispose([this.train.inputs, this.train.targets, this.heldOut.inputs, this.heldOut.targets]);
  }
}

/** The class that a model takes each digit for. Waits for the GPU. */
export async function predictDigits(model: Model, digits: DigitSet): Promise<Int32Array> {
  const classes = tf.tidy(() => tf.argMax(model.logits(uploadImages(digits)), 1));
  try {
    return await classes.data<'int32'>();
  } finally {
    classes.dispose();
  }
}

function uploadSet(digits: DigitSet): Batch {
  const oneHot = new Float32Array(digits.count * CLASS_COUNT);
  for (const [row, label] of digits.labels.entries()) {
    oneHot[row * CLASS_COUNT + label] = 1;
  }
  return { inputs: uploadImages(digits), targets: tf.tensor2d(oneHot, [digits.count, CLASS_COUNT]) };
}

/** Grey levels scaled to [0, 1]. */
function uploadImages({ count, pixels }: DigitSet): tf.Tensor2D {
  return tf.tensor2d(
    Float32Array.from(pixels, (level) => level / 255),
    [count, PIXEL_COUNT],
  );
}
