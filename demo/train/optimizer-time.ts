import * as tf from '@tensorflow/tfjs-core';
import { whenVisible } from '../site/visibility.js';
import type { GpuSession } from './gpu-session.js';
import { createParameter, destroyParameters, type Parameter } from './parameter.js';
import type { Updater, UpdaterFactory } from './updater.js';

const FIRST_ROUND_STEPS = 10;
/** Firefox looks for finished work every 100 ms only; a round this long keeps that below a tenth. */
const MIN_ROUND_MS = 1000;

/**
 * Milliseconds that one optimizer step takes on this device, on scratch tensors of the same shapes.
 *
 * Why not inside the training loop: a step there is asynchronous and overlaps with what tfjs does
 * before and after it, waiting for it would slow down what it measures, and Chrome rounds GPU
 * timestamps to 0.1 ms, more than a whole step on a fast card. So steps run back to back, and the
 * wall clock runs until the GPU has done them all. It covers encoding, submitting and the kernels, and
 * treats our engine and `tf.train` alike. It is a little kind to both: the tensors may still be in a
 * cache that training would have filled with something else.
 */
export async function measureOptimizerMs(
  session: GpuSession,
  parameters: readonly Parameter[],
  createUpdater: UpdaterFactory,
): Promise<number> {
  const scratch = parameters.map(({ name, shape, elementCount }) =>
    createParameter(session, `scratch.${name}`, shape, new Float32Array(elementCount)),
  );
  // Ordinary magnitudes: neither zero nor subnormal, which some devices compute slower.
  const gradients = parameters.map(({ variable }) => tf.tidy(() => tf.mul(tf.onesLike(variable), 1e-3)));
  let updater: Updater | undefined;
  try {
    updater = await createUpdater(session, scratch);
    const { apply } = updater;
    const step = (): void => apply(gradients);
    // The first round also compiles; it only tells how many steps a long enough round needs.
    await elapsedMs(session, step, FIRST_ROUND_STEPS);
    let stepCount = FIRST_ROUND_STEPS;
    for (;;) {
      const ms = await elapsedMs(session, step, stepCount);
      if (ms >= MIN_ROUND_MS) {
        return ms / stepCount;
      }
      stepCount = Math.ceil(stepCount * Math.min(10, (1.2 * MIN_ROUND_MS) / ms));
    }
  } finally {
    session.flush();
    tf.dispose(gradients);
    updater?.destroy();
    destroyParameters(scratch);
  }
}

async function elapsedMs(session: GpuSession, step: () => void, stepCount: number): Promise<number> {
  await whenVisible();
  const start = performance.now();
  for (let i = 0; i < stepCount; i++) {
    step();
  }
  await session.finish();
  const ms = performance.now() - start;
  // A lost device has finished in no time.
  session.assertHealthy();
  return ms;
}
