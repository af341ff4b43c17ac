import { type Array as JaxArray, defaultDevice, getWebGPUDevice, init, jit, numpy, tree } from '@jax-js/jax';
import { watchErrors } from '../../../lab/measuring/page/device.js';
import { type JaxState, jaxOptimizers } from './jax-optax.js';
import type { Peer } from '../../../lab/measuring/peers/peer.js';

/**
 * jax-js on its WebGPU backend, on a device of its own: weights, gradients and state are pytrees of one array per
 * tensor, and the whole step is one jit'ed function.
 */
export const jaxJs: Peer = async ({ rule, benchCase, workload }) => {
  const optimizer = jaxOptimizers[rule.name];
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
  const update = jit((w: JaxArray[], g: JaxArray[], before: JaxState): [JaxArray[], JaxState] => {
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
