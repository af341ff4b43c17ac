/** Parameters of given shapes, with gradients, and twins of them: for rules that go by shapes. */
import { expect } from 'vitest';
import { bitDifference } from '../../proof/compare.js';
import type { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import type { ReferenceOptimizer } from '../../src/index.js';
import { makeBuffer } from './tensors.js';

type Floats = Float32Array<ArrayBuffer>;

/** Lengths of the axes of parameters, by their names. */
export type Shapes = Readonly<Record<string, readonly number[]>>;

/** What there is of the parameters, and a way to give them gradients. */
export function makeNetwork(
  device: GPUDevice,
  track: Track,
  random: Random,
  shapes: Shapes,
  draw: (length: number) => Floats = (length) => random.gradients(length),
) {
  const tensors = Object.entries(shapes).map(([name, shape]) => {
    const weights = random.weights(shape.reduce((product, length) => product * length, 1));
    return { name, shape: [...shape], weights, grad: makeBuffer(device, track, weights) };
  });
  return {
    params: tensors.map(({ name, shape, weights, grad }) => ({
      name,
      shape,
      grad,
      data: makeBuffer(device, track, weights),
    })),
    twins: tensors.map(({ name, shape, weights }) => ({ name, shape, data: weights.slice() })),
    /** Other gradients, of the GPU and as they are there. */
    upload: (change: (values: Floats) => void = () => undefined): Floats[] =>
      tensors.map(({ grad, weights }) => {
        const values = draw(weights.length);
        change(values);
        device.queue.writeBuffer(grad, 0, values);
        return values;
      }),
  };
}

/** Compares the weights of some parameters with those of a twin, bit for bit. */
export async function expectWeights(
  optimizer: { readParam(name: string): Promise<Floats> },
  twin: ReferenceOptimizer,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    const want = Float32Array.from(twin.readParam(name));
    expect(bitDifference(await optimizer.readParam(name), want), name).toBeUndefined();
  }
}
