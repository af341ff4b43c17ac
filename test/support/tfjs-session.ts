import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { GpuSession } from '../../demo/train/gpu-session.js';
import { FusedOptimizer, type FusedOptimizerOptions } from '../../src/adapters/tfjs/index.js';
import type { Rule } from '../../src/index.js';

/** What a file of tests shares: tfjs on WebGPU, and what each test must give back. */
export interface TfjsFixture {
  readonly session: GpuSession;
  /** An optimizer that is disposed after the test. */
  readonly make: <R extends Rule>(rule: R, options?: FusedOptimizerOptions<NoInfer<R>>) => FusedOptimizer<R>;
  /** A variable that is disposed after the test, and whose data is its own. */
  readonly variable: (values: ArrayLike<number>, shape?: number[]) => tf.Variable;
}

/** TensorFlow.js on a device of its own for all tests of a file; each fails if the GPU reports an error. */
export function useTfjs(): TfjsFixture {
  let session: GpuSession;
  const optimizers: FusedOptimizer[] = [];
  beforeAll(async () => {
    session = await GpuSession.open();
    tf.engine().startScope();
  });
  afterEach(async () => {
    for (const optimizer of optimizers.splice(0)) optimizer.dispose();
    tf.disposeVariables();
    await session.finish();
    session.assertHealthy();
  });
  afterAll(() => {
    tf.engine().endScope();
    session.close();
  });
  return {
    get session() {
      return session;
    },
    make: (rule, options) => {
      const optimizer = new FusedOptimizer(rule, options);
      optimizers.push(optimizer);
      return optimizer;
    },
    variable: (values, shape = [values.length]) =>
      tf.tidy(() => tf.variable(tf.tensor(Float32Array.from(values), shape))),
  };
}

/** The values of a tensor. */
export async function valuesOf(tensor: tf.Tensor): Promise<Float32Array<ArrayBuffer>> {
  return Float32Array.from(await tensor.data());
}
