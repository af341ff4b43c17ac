import type * as tf from '@tensorflow/tfjs-core';

/** Something to be trained: its variables, and the loss of a batch. */
export interface Model {
  readonly variables: readonly tf.Variable[];
  /** The loss of batch k, the same for the same k; to be called in a `minimize`. */
  readonly loss: (k: number) => tf.Scalar;
  /** Frees what is no variable. */
  readonly destroy: () => void;
}
