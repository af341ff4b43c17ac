import { type Array as JaxArray, defaultDevice, getWebGPUDevice, init, jit, numpy, tree } from '@jax-js/jax';
import { watchErrors } from '../../../lab/measuring/page/device.js';
import type { MatrixRequest } from '../../suites/matrix-work.js';
import type { SuiteContestant } from '../suite-page.js';
import { COEFFICIENTS, checkOrthogonal, wideStacks } from './stacks.js';

/** jax-js on its WebGPU backend, on a device of its own: the iterations of all matrices of a shape are one jit'ed function. */
export async function jaxJs({ stacks, iterations }: MatrixRequest): Promise<SuiteContestant> {
  await init('webgpu');
  defaultDevice('webgpu');
  const device = getWebGPUDevice();
  watchErrors(device, 'jax-js');
  const wide = wideStacks(stacks);
  const inputs = wide.map(({ short, long, count, values }) =>
    numpy.array(values, { shape: [count, short, long] }),
  );
  const [a, b, c] = COEFFICIENTS;
  const iterate = (x: JaxArray): JaxArray => {
    const gram = numpy.matmul(x.ref, numpy.matrixTranspose(x.ref));
    const square = numpy.matmul(gram.ref, gram.ref);
    return x.ref.mul(a).add(numpy.matmul(gram.mul(b).add(square.mul(c)), x));
  };
  const run = jit((given: JaxArray[]): JaxArray[] =>
    given.map((input) => {
      let x = input;
      for (let k = 0; k < iterations; k++) x = iterate(x);
      return x;
    }),
  );
  const first = run(tree.ref(inputs));
  for (const [s, stack] of wide.entries()) checkOrthogonal(stack, (await first[s]!.data()) as Float32Array);
  return {
    step: () => {
      const made = run(tree.ref(inputs));
      // jit'ed calls only queue; to ask for one buffer submits the step.
      made[0]!.ref.gpuBufferSync();
      tree.dispose(made);
    },
    finish: () => device.queue.onSubmittedWorkDone(),
    destroy: () => {
      tree.dispose(inputs);
      run.dispose();
    },
  };
}
