import {
  type Scalar,
  type Tensor,
  type Variable,
  clone,
  keep,
  mul,
  scalar,
  tensor,
  variableGrads,
} from '@tensorflow/tfjs-core';

/**
 * As `tf.variableGrads`, with the gradients of the loss times a factor; `value` is the loss.
 *
 * @param scale the factor, or where it lies.
 */
export function scaledGradients(
  f: () => Scalar,
  varList: Variable[] | undefined,
  scale: number | GPUBuffer,
): { value: Scalar; grads: Record<string, Tensor> } {
  const factor =
    typeof scale === 'number' ? scalar(scale) : tensor({ buffer: scale, zeroCopy: true }, [], 'float32');
  let loss: Scalar | undefined;
  try {
    const { value: scaled, grads } = variableGrads(() => {
      loss = keep(f());
      return mul(loss, factor);
    }, varList);
    scaled.dispose();
    // Unlike what was kept, a clone is freed by the caller's tidy().
    return { value: clone(loss!), grads };
  } finally {
    loss?.dispose();
    factor.dispose();
  }
}
