import { type Array as JaxArray, defaultDevice, getWebGPUDevice, init, jit, numpy, tree } from '@jax-js/jax';
import { watchErrors } from '../device.js';
import type { Peer } from './peer.js';

type State = Record<string, JaxArray[]>;

/** An optimizer as optax has it. Its functions own their arguments, as all of jax-js's do. */
interface GradientTransformation {
  init(zeros: () => JaxArray[]): State;
  update(gradients: JaxArray[], state: State): [updates: JaxArray[], state: State];
}

/**
 * The optimizers that jax-js's optax has, with our defaults. `@jax-js/optax` is a package of its own and could not be
 * installed; these are optax's equations over jax-js's arrays, with the corrections computed once a step as there.
 */
const OPTIMIZERS: Record<string, GradientTransformation | undefined> = {
  sgd: {
    init: () => ({}),
    update: (gradients, state) => [gradients.map((g) => g.mul(-0.01)), state],
  },
  momentum: {
    init: (zeros) => ({ trace: zeros() }),
    update: (gradients, state) => {
      const trace = gradients.map((g, k) => g.add(state['trace']![k]!.mul(0.9)));
      return [trace.map((v) => v.ref.mul(-0.01)), { trace }];
    },
  },
  adam: {
    init: (zeros) => ({
      count: [numpy.array(0, { dtype: numpy.float32 })],
      mu: zeros(),
      nu: zeros(),
    }),
    update: (gradients, state) => {
      const [beta1, beta2, eps, lr] = [0.9, 0.999, 1e-8, 1e-3];
      const mu = gradients.map((g, k) => g.ref.mul(1 - beta1).add(state['mu']![k]!.mul(beta1)));
      const nu = gradients.map((g, k) =>
        numpy
          .square(g)
          .mul(1 - beta2)
          .add(state['nu']![k]!.mul(beta2)),
      );
      const count = state['count']![0]!.add(1);
      const [scale1, scale2] = [beta1, beta2].map((beta) =>
        numpy.reciprocal(numpy.subtract(1, numpy.power(beta, count.ref))),
      );
      const updates = mu.map((m, k) => {
        const mHat = m.ref.mul(scale1!.ref);
        const vHat = nu[k]!.ref.mul(scale2!.ref);
        return mHat.div(numpy.sqrt(vHat).add(eps)).mul(-lr);
      });
      tree.dispose([scale1!, scale2!]);
      return [updates, { count: [count], mu, nu }];
    },
  },
};

/**
 * jax-js on its WebGPU backend, on a device of its own: weights, gradients and state are pytrees of one array per
 * tensor, and the whole step is one jit'ed function.
 */
export const jaxJs: Peer = async ({ rule, benchCase, workload }) => {
  const optimizer = OPTIMIZERS[rule.name];
  if (!optimizer) return undefined;
  await init('webgpu');
  defaultDevice('webgpu');
  const device = getWebGPUDevice();
  watchErrors(device, 'jax-js');
  const { tensorCount, elementsPerTensor } = benchCase;
  const tensors = (make: () => JaxArray) => Array.from({ length: tensorCount }, make);
  const values = workload.randomArray(elementsPerTensor);
  let weights = tensors(() => numpy.array(values));
  let state = optimizer.init(() => tensors(() => numpy.zeros([elementsPerTensor])));
  const gradients = tensors(() => numpy.array(values));
  const update = jit((w: JaxArray[], g: JaxArray[], before: State): [JaxArray[], State] => {
    const [updates, after] = optimizer.update(g, before);
    return [w.map((weight, k) => weight.add(updates[k]!)), after];
  });
  return {
    step: () => {
      [weights, state] = update(weights, tree.ref(gradients), state);
      // jit'ed calls only queue. To ask for the buffer of one result submits all of the step, and waits for nothing.
      weights[0]!.ref.gpuBufferSync();
    },
    finish: () => device.queue.onSubmittedWorkDone(),
    weights: async () => (await weights.at(-1)!.ref.data()) as Float32Array,
    destroy: () => {
      tree.dispose([weights, gradients, state]);
      update.dispose();
    },
  };
};
