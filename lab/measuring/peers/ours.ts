import { type GradientOptions, Optimizer, ParameterArena } from '../../../src/index.js';
import { readSample } from '../page/read-back.js';
import type { Peer } from './peer.js';

/** This library as a user meets it: one data and one gradient buffer per tensor, more for one that they cannot hold. */
const withOptions =
  (options: GradientOptions): Peer =>
  async ({ device, rule, workload, benchCase }) => {
    const { buffersPerTensor } = workload;
    const optimizer = await Optimizer.create(device, {
      ...options,
      rule,
      params: Array.from({ length: benchCase.tensorCount }, (_, k) => {
        const own = [k * buffersPerTensor, (k + 1) * buffersPerTensor] as const;
        return {
          name: `w${k}`,
          data: workload.data.slice(...own),
          grad: workload.grad.slice(...own),
          length: benchCase.elementsPerTensor,
        };
      }),
    });
    return {
      step: () => optimizer.step(),
      finish: () => device.queue.onSubmittedWorkDone(),
      weights: () => readSample(device, workload.data.slice(-buffersPerTensor), benchCase.elementsPerTensor),
      destroy: () => optimizer.destroy(),
    };
  };

/** A step of nothing but the rule. */
export const ours = withOptions({});

/** A step that looks at all gradients first; the limit is too high to change what it does. */
export const oursClipSkip = withOptions({ maxGradNorm: 1e30, skipNonFinite: true });

/** All tensors in an arena: one dispatch, whatever their number. */
export const oursArena: Peer = async ({ device, rule, workload, benchCase }) => {
  const { tensorCount, elementsPerTensor } = benchCase;
  // An arena's tensors must fit a binding each.
  if (4 * elementsPerTensor > device.limits.maxStorageBufferBindingSize) return undefined;
  const names = Array.from({ length: tensorCount }, (_, k) => `w${k}`);
  const spec = Object.fromEntries(names.map((name) => [name, { shape: [elementsPerTensor] }]));
  const arena = await ParameterArena.create(device, spec, { label: 'bench arena' });
  const values = workload.randomArray(elementsPerTensor);
  for (const name of names) {
    arena.load(name, values);
    const { buffer, offset } = arena.gradView(name);
    device.queue.writeBuffer(buffer, offset, values);
  }
  const optimizer = await Optimizer.create(device, { rule, params: arena.params });
  return {
    step: () => optimizer.step(),
    finish: () => device.queue.onSubmittedWorkDone(),
    weights: () => arena.read(names.at(-1)!),
    destroy: () => {
      optimizer.destroy();
      arena.destroy();
    },
  };
};
