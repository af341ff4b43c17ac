import type { Peer } from './peer.js';

/** Adam in a plain loop over Float32Arrays, on the page's one thread. */
export const cpu: Peer = async ({ rule, benchCase, workload }) => {
  if (rule.name !== 'adam') return undefined;
  const { tensorCount, elementsPerTensor } = benchCase;
  const tensors = Array.from({ length: tensorCount }, () => ({
    w: workload.randomArray(elementsPerTensor),
    g: workload.randomArray(elementsPerTensor),
    m: new Float32Array(elementsPerTensor),
    v: new Float32Array(elementsPerTensor),
  }));
  const [lr, beta1, beta2, eps] = [1e-3, 0.9, 0.999, 1e-8];
  let t = 0;
  return {
    step: () => {
      t += 1;
      const stepSize = lr / (1 - beta1 ** t);
      const vScale = 1 / (1 - beta2 ** t);
      for (const { w, g, m, v } of tensors) {
        for (let i = 0; i < w.length; i += 1) {
          const gradient = g[i]!;
          m[i] = beta1 * m[i]! + (1 - beta1) * gradient;
          v[i] = beta2 * v[i]! + (1 - beta2) * gradient * gradient;
          w[i] = w[i]! - (stepSize * m[i]!) / (Math.sqrt(v[i]! * vScale) + eps);
        }
      }
    },
    finish: () => Promise.resolve(),
    weights: () => Promise.resolve(tensors.at(-1)!.w.slice()),
    destroy: () => tensors.splice(0),
  };
};
