import * as tf from '@tensorflow/tfjs-core';
import type { GpuSession } from './gpu-session.js';

/** One trainable tensor: a buffer that we own, and a tfjs variable that looks at the same bytes. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elementCount: number;
  /** Our kernels update this buffer in place; tfjs reads it through `variable`, without a copy. */
  readonly buffer: GPUBuffer;
  readonly variable: tf.Variable;
}

/** Makes a parameter with the given initial values. `name` must be unused on this device. */
export function createParameter(
  session: GpuSession,
  name: string,
  shape: readonly number[],
  values: Float32Array<ArrayBuffer>,
): Parameter {
  const buffer = session.device.createBuffer({
    label: `parameter ${name}`,
    size: values.byteLength,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  session.device.queue.writeBuffer(buffer, 0, values);
  const wrapped = tf.tensor({ buffer, zeroCopy: true }, [...shape], 'float32');
  const variable = tf.variable(wrapped, true, name);
  // The variable holds its own reference to the data.
  wrapped.dispose();
  return { name, shape, elementCount: values.length, buffer, variable };
}

/** Frees parameters. The session must have been flushed: tfjs may still have them in its queue. */
export function destroyParameters(parameters: readonly Parameter[]): void {
  for (const { buffer, variable } of parameters) {
    variable.dispose();
    buffer.destroy();
  }
}
