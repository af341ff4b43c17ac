import {
  type Scalar,
  type Tensor,
  type Variable,
  clone,
  keep,
  mul,
  variableGrads,
} from '@tensorflow/tfjs-core';

/**
 * As `tf.variableGrads`, with the gradients of the loss times a factor; `value` is the loss.
 *
 * @param scale the factor; it is disposed.
 */
export function scaledGradients(
  f: () => Scalar,
  varList: Variable[] | undefined,
  scale: Scalar,
): { value: Scalar; grads: Record<string, Tensor> } {
  let loss: Scalar | undefined;
  try {
    const { value: scaled, grads } = variableGrads(() => {
      loss = keep(f());
      return mul(loss, scale);
    }, varList);
    scaled.dispose();
    // Unlike what was kept, a clone is freed by the caller's tidy().
    return { value: clone(loss!), grads };
  } finally {
    loss?.dispose();
    scale.dispose();
  }
}
