import type { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { makeBuffer } from './tensors.js';

/** Lengths of tensors whose gradients are looked at before a step. */
export const LENGTHS = [1, 2, 3, 5, 64, 255, 4099, 70_001];

/** Elements of each tensor that are held to the derived bound; it costs objects. */
export const BOUNDED_ELEMENTS = 32;

/** Random weights, and gradients each at another offset of a buffer of its own. */
export function makeTensors(
  device: GPUDevice,
  track: Track,
  gradients: readonly Float32Array[],
  random: Random,
) {
  return gradients.map((values, k) => {
    const offset = 4 * (k % 4);
    const padded = new Float32Array(values.length + 4);
    padded.set(values, k % 4);
    const grad = makeBuffer(device, track, padded);
    const weights = random.weights(values.length);
    return {
      weights,
      grad,
      parameter: {
        name: `w${k}`,
        data: makeBuffer(device, track, weights),
        grad: { buffer: grad, offset, size: values.byteLength },
      },
      upload: (next: Float32Array<ArrayBuffer>) => device.queue.writeBuffer(grad, offset, next),
    };
  });
}

/** The Euclidean norm of all gradients, in float64. */
export const exactNorm = (gradients: readonly Float32Array[]): number =>
  Math.sqrt(gradients.reduce((sum, g) => sum + g.reduce((s, x) => s + x * x, 0), 0));

/**
 * Every element passes through at most 256 + 8 additions in a workgroup, as many again in the finalizer, and three
 * roundings of its own; each addition is off by an ULP (2⁻²³) at most, and the root halves it.
 */
export const NORM_TOLERANCE = ((256 + 8) * 2 + 3) * 2 ** -23;
