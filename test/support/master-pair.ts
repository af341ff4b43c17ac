/** Optimizers whose weights are rounded copies of more exact ones, and their twins. */
import { expect, inject } from 'vitest';
import { Optimizer, type OptimizerConfig, ReferenceOptimizer } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { makeHalves, roundedTo } from './halves.js';
import { makeBuffer } from './tensors.js';

export const KINDS = [
  { masterWeights: 'f32', dtype: 'f16' },
  { masterWeights: 'f32', dtype: 'bf16' },
  { masterWeights: 'split', dtype: 'bf16' },
] as const;
export type Kind = (typeof KINDS)[number];

export const slotOf = ({ masterWeights }: Kind) => (masterWeights === 'f32' ? 'master' : 'correction');

/** An optimizer and its twin over the same tensors, by name. */
export async function makePair(
  device: GPUDevice,
  track: <T extends { destroy(): void }>(made: T) => T,
  { dtype, masterWeights }: Kind,
  tensors: Readonly<Record<string, Float32Array<ArrayBuffer>>>,
  config: Pick<OptimizerConfig, 'rule'> & object,
  options: object = {},
) {
  const entries = Object.entries(tensors);
  const weights = entries.map(([, values]) => roundedTo(dtype, values));
  const random = new Random(inject('seed'));
  const gradients = weights.map(({ length }) => random.weights(length));
  const data = weights.map((values) => makeHalves(device, track, dtype, values));
  const settings = { masterWeights, ...config };
  const optimizer = track(
    await Optimizer.create(device, {
      ...settings,
      params: entries.map(([name], k) => ({
        name,
        dtype,
        length: weights[k]!.length,
        data: data[k]!,
        grad: makeBuffer(device, track, gradients[k]!),
        ...options,
      })),
    }),
  );
  const twin = new ReferenceOptimizer({
    ...settings,
    precision: 'f32',
    params: entries.map(([name], k) => ({ name, dtype, data: weights[k]!.slice(), ...options })),
  });
  return {
    optimizer,
    twin,
    data,
    gradients,
    step(): void {
      optimizer.step();
      twin.step(gradients);
    },
    async compare(what: string): Promise<void> {
      const dict = twin.stateDict();
      const got = await optimizer.stateDict();
      for (const [name, slots] of Object.entries(dict.state)) {
        const want = Float32Array.from(twin.readParam(name));
        expect(bitDifference(await optimizer.readParam(name), want), `${what}: ${name}`).toBeUndefined();
        for (const [slot, values] of Object.entries(slots)) {
          const difference = bitDifference(got.state[name]![slot]!, Float32Array.from(values));
          expect(difference, `${what}: ${slot} of ${name}`).toBeUndefined();
        }
      }
    },
  };
}
