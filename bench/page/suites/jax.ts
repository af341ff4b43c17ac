import {
  type Array as JaxArray,
  defaultDevice,
  getWebGPUDevice,
  grad,
  init,
  jit,
  numpy,
  tree,
} from '@jax-js/jax';
import { fusedOptimizer } from '../../../src/adapters/jax/index.js';
import { adam } from '../../../src/index.js';
import type { JaxCase, JaxRequest } from '../../suites/jax.js';
import { type SuiteContestant, suitePage } from '../suite-page.js';
import { createRandom } from '../../../lab/random.js';
import { describeAdapter, describeBrowser, watchErrors } from '../../../lab/measuring/page/device.js';
import { type JaxState, jaxOptimizers } from '../peers/jax-optax.js';

const SEED = 1;
const optax = jaxOptimizers['adam']!;

/** Arrays that a step replaces, and what makes one. */
interface Runner {
  weights: JaxArray[];
  step(): void;
}

/** Where a step's gradients come from; the caller gives weights away. */
type Gradients = (weights: JaxArray[]) => JaxArray[];

const uniform = createRandom(SEED);

const random = (shape: number[], scale = 1): JaxArray => {
  const count = shape.reduce((product, n) => product * n, 1);
  return numpy.array(
    Float32Array.from({ length: count }, () => scale * (2 * uniform() - 1)),
    { shape },
  );
};

/** Weights, and what gives their gradients. */
function prepare(benchCase: JaxCase): { weights: JaxArray[]; gradients: Gradients } {
  if (benchCase.kind === 'step') {
    const { tensorCount, elementsPerTensor } = benchCase;
    const make = () => Array.from({ length: tensorCount }, () => random([elementsPerTensor]));
    const fixed = make();
    return {
      weights: make(),
      gradients: (weights) => {
        tree.dispose(weights);
        return tree.ref(fixed);
      },
    };
  }
  const { layers, batchSize } = benchCase;
  const [x, y] = [random([batchSize, layers[0]!]), random([batchSize, layers.at(-1)!])];
  const gradient = grad((weights: JaxArray[], inputs: JaxArray, targets: JaxArray) => {
    const out = weights.reduce(
      (value, kernel, k) => (k === 0 ? numpy.dot(value, kernel) : numpy.dot(numpy.tanh(value), kernel)),
      inputs,
    );
    return numpy.square(out.sub(targets)).mean();
  });
  const kernels = layers.slice(1).map((n, k) => random([layers[k]!, n], layers[k]! ** -0.5));
  return {
    weights: kernels,
    gradients: (weights) => gradient(weights, x.ref, y.ref),
  };
}

async function makeOurs(
  { weights, gradients }: ReturnType<typeof prepare>,
  isJitted: boolean,
): Promise<Runner> {
  const optimizer = await fusedOptimizer(adam(), tree.ref(weights));
  const compute = isJitted ? jit(gradients) : gradients;
  const runner: Runner = {
    weights,
    step() {
      runner.weights = optimizer.step(compute(tree.ref(runner.weights)), runner.weights);
    },
  };
  return runner;
}

/** The whole of a step is one jit'ed function. */
function makeOptax({ weights, gradients }: ReturnType<typeof prepare>, isTraining: boolean): Runner {
  let state = optax.init(() => weights.map(({ shape }) => numpy.zeros(shape)));
  const apply = (before: JaxArray[], grads: JaxArray[], old: JaxState): [JaxArray[], JaxState] => {
    const [updates, after] = optax.update(grads, old);
    return [before.map((weight, k) => weight.add(updates[k]!)), after];
  };
  const update = jit(apply);
  const train = jit((before: JaxArray[], old: JaxState) => apply(before, gradients(tree.ref(before)), old));
  const runner: Runner = {
    weights,
    step() {
      const before = runner.weights;
      [runner.weights, state] = isTraining
        ? train(before, state)
        : update(before, gradients(tree.ref(before)), state);
      // jit'ed calls only queue; to ask for one buffer submits the step.
      runner.weights[0]!.ref.gpuBufferSync();
    },
  };
  return runner;
}

async function prepareContestant({ contestant, benchCase }: JaxRequest): Promise<SuiteContestant> {
  const prepared = prepare(benchCase);
  const isTraining = benchCase.kind === 'training';
  const runner = await (contestant === 'ours' ? makeOurs : makeOptax)(prepared, isTraining);
  return {
    step: () => runner.step(),
    finish: () => getWebGPUDevice().queue.onSubmittedWorkDone(),
    weights: async () => (await runner.weights[0]!.ref.data()) as Float32Array,
    destroy: () => tree.dispose(runner.weights),
  };
}

export const bench = suitePage<JaxRequest>(async () => {
  await init('webgpu');
  defaultDevice('webgpu');
  watchErrors(getWebGPUDevice(), 'jax-js');
  return { adapter: describeAdapter(getWebGPUDevice()), browser: describeBrowser() };
}, prepareContestant);
