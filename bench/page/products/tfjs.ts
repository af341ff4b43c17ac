import * as tf from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import '@tensorflow/tfjs-backend-webgpu';
import { watchErrors } from '../../../lab/measuring/page/device.js';
import type { MatrixRequest } from '../../suites/matrix-work.js';
import type { SuiteContestant } from '../suite-page.js';
import { COEFFICIENTS, checkOrthogonal, wideStacks } from './stacks.js';

const backend = (): WebGPUBackend => tf.backend() as WebGPUBackend;

/** TensorFlow.js on its WebGPU backend, on a device of its own: the matrices of a shape are one tensor of three axes. */
export async function tfjs({ stacks, iterations }: MatrixRequest): Promise<SuiteContestant> {
  await tf.setBackend('webgpu');
  watchErrors(backend().device, 'TensorFlow.js');
  const wide = wideStacks(stacks);
  const inputs = wide.map(({ short, long, count, values }) => tf.tensor3d(values, [count, short, long]));
  const [a, b, c] = COEFFICIENTS;
  const iterate = (x: tf.Tensor): tf.Tensor => {
    const gram = tf.matMul(x, x, false, true);
    const polynomial = tf.add(tf.mul(gram, b), tf.mul(tf.matMul(gram, gram), c));
    return tf.add(tf.mul(x, a), tf.matMul(polynomial, x));
  };
  const run = (): tf.Tensor[] =>
    tf.tidy(() =>
      inputs.map((input) => {
        let x: tf.Tensor = input;
        for (let k = 0; k < iterations; k++) x = iterate(x);
        return x;
      }),
    );
  const first = run();
  for (const [s, stack] of wide.entries()) checkOrthogonal(stack, await first[s]!.data());
  tf.dispose(first);
  return {
    step: () => tf.dispose(run()),
    finish: async () => {
      backend().ensureCommandEncoderReady();
      backend().endComputePassEncoder();
      backend().submitQueue();
      await backend().queue.onSubmittedWorkDone();
    },
    destroy: () => tf.dispose(inputs),
  };
}
