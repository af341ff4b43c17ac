import { type GradientOptions, Optimizer } from '../../../src/index.js';
import { readBack } from '../read-back.js';
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
      weights: () => readBack(device, workload.data.slice(-buffersPerTensor), benchCase.elementsPerTensor),
      destroy: () => optimizer.destroy(),
    };
  };

/** A step of nothing but the rule. */
export const ours = withOptions({});

/** A step that looks at all gradients first; the limit is too high to change what it does. */
export const oursClipSkip = withOptions({ maxGradNorm: 1e30, skipNonFinite: true });
