import * as tf from '@tensorflow/tfjs-core';

/** Examples on the GPU; dispose both when done. */
export interface Batch {
  /** What the network sees. */
  readonly inputs: tf.Tensor;
  /** What it should say: one one-hot row per answer, as many rows as its logits have. */
  readonly targets: tf.Tensor2D;
}

/** A network that tfjs computes: outputs, loss and, by `tf.variableGrads`, gradients. */
export interface Model {
  /** All of its trainable tensors. How they move, and who frees them, is none of the model's business. */
  readonly variables: readonly tf.Variable[];
  /** Unnormalised scores of the classes, one row per answer. */
  logits(inputs: tf.Tensor): tf.Tensor2D;
  /** Mean cross-entropy of the batch, in nats. */
  loss(batch: Batch): tf.Scalar;
  /** Frees what it has besides its variables. */
  dispose(): void;
}

/** Makes a trainable tensor with these initial values. */
export type VariableFactory = (
  name: string,
  shape: readonly number[],
  values: Float32Array<ArrayBuffer>,
) => tf.Variable;

/** Something to learn: examples on the GPU, and the network for them. */
export interface Task {
  /** Examples that no training step sees. */
  readonly heldOut: Batch;
  /** Makes the network: the same seed gives the same weights. */
  createModel(seed: number, createVariable: VariableFactory): Model;
  /**
   * Steps between two evaluations.
   *
   * @throws Error when there are fewer examples than the batch wants.
   */
  stepsPerEpoch(batchSize: number): number;
  /** The batches of one epoch: the same seed gives the same ones, in the same order. */
  batches(batchSize: number, epochSeed: number): Iterable<Batch>;
  /** Frees the examples. */
  destroy(): void;
}

/** Softmax cross-entropy, averaged over all rows, in nats. */
export function meanCrossEntropy(logits: tf.Tensor2D, targets: tf.Tensor2D): tf.Scalar {
  return tf.losses.softmaxCrossEntropy<tf.Tensor2D, tf.Scalar>(targets, logits);
}

/** Loss and accuracy of a model, still on the GPU: mean cross-entropy in nats, and the share of rows that are right. */
export function evaluate(model: Model, { inputs, targets }: Batch): [loss: tf.Scalar, accuracy: tf.Scalar] {
  return tf.tidy(() => {
    const logits = model.logits(inputs);
    const right = tf.equal(tf.argMax(logits, 1), tf.argMax(targets, 1));
    return [meanCrossEntropy(logits, targets), tf.mean<tf.Scalar>(tf.cast(right, 'float32'))];
  });
}
