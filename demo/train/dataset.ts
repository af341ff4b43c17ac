import * as tf from '@tensorflow/tfjs-core';
import { CLASS_COUNT, PIXEL_COUNT } from './digit-format.js';
import type { DigitSet } from './digits.js';
import { createRandom, shuffledIndices } from './random.js';

/** A batch on the GPU; dispose both when done. */
export interface Batch {
  readonly images: tf.Tensor2D;
  readonly oneHotLabels: tf.Tensor2D;
}

/** Digits that live on the GPU, so that a batch costs no upload but its row numbers. */
export class GpuDigits {
  private constructor(
    readonly count: number,
    readonly images: tf.Tensor2D,
    readonly labels: tf.Tensor1D,
    readonly oneHotLabels: tf.Tensor2D,
  ) {}

  /** Uploads digits, grey levels scaled to [0, 1]. */
  static upload({ count, pixels, labels }: DigitSet): GpuDigits {
    const oneHot = new Float32Array(count * CLASS_COUNT);
    for (const [row, label] of labels.entries()) {
      oneHot[row * CLASS_COUNT + label] = 1;
    }
    return new GpuDigits(
      count,
      tf.tensor2d(
        Float32Array.from(pixels, (level) => level / 255),
        [count, PIXEL_COUNT],
      ),
      tf.tensor1d(Int32Array.from(labels), 'int32'),
      tf.tensor2d(oneHot, [count, CLASS_COUNT]),
    );
  }

  /** All batches of one epoch in random order; rows beyond the last whole batch sit this epoch out. */
  *batches(batchSize: number, epochSeed: number): Generator<Batch> {
    const order = shuffledIndices(this.count, createRandom(epochSeed));
    for (let start = 0; start + batchSize <= this.count; start += batchSize) {
      const rows = tf.tensor1d(order.slice(start, start + batchSize), 'int32');
      const batch = {
        images: tf.gather(this.images, rows),
        oneHotLabels: tf.gather(this.oneHotLabels, rows),
      };
      rows.dispose();
      yield batch;
    }
  }

  destroy(): void {
    tf.dispose([this.images, this.labels, this.oneHotLabels]);
  }
}
