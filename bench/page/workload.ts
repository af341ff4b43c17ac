import { type BenchCase, totalElements } from '../cases.js';

/** Elements of the random tile that fills all arrays: enough that no cache holds it, quick to make. */
const TILE_ELEMENTS = 1 << 20;

const STORAGE_USAGE = (): number =>
  GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

/** The tensors of a case on the device: one data and one gradient buffer each. */
export interface Workload {
  readonly data: readonly GPUBuffer[];
  readonly grad: readonly GPUBuffer[];
  /** `elementCount` seeded random values in (−1, 1). */
  randomArray(elementCount: number): Float32Array<ArrayBuffer>;
  destroy(): void;
}

/** Creates a buffer of f32s, filled from a random tile, or with zeros if there is none. */
export function createArray(
  device: GPUDevice,
  label: string,
  elementCount: number,
  tile?: Float32Array<ArrayBuffer>,
): GPUBuffer {
  // A whole number of vec4s, so that kernels with vec4 lanes can bind it.
  const size = Math.ceil(elementCount / 4) * 16;
  const buffer = device.createBuffer({ label: `bench ${label}`, size, usage: STORAGE_USAGE() });
  if (tile) {
    for (let start = 0; start < elementCount; start += tile.length) {
      const count = Math.min(tile.length, elementCount - start);
      device.queue.writeBuffer(buffer, start * 4, tile, 0, count);
    }
  }
  return buffer;
}

/** Seeded weights and gradients for a case. */
export function createWorkload(device: GPUDevice, benchCase: BenchCase, seed: number): Workload {
  const tile = randomTile(Math.min(TILE_ELEMENTS, totalElements(benchCase)), seed);
  const { tensorCount, elementsPerTensor } = benchCase;
  const buffers = (role: string) =>
    Array.from({ length: tensorCount }, (_, k) =>
      createArray(device, `${role} ${k}`, elementsPerTensor, tile),
    );
  const [data, grad] = [buffers('data'), buffers('grad')];
  return {
    data,
    grad,
    randomArray: (elementCount) => {
      const values = new Float32Array(elementCount);
      for (let start = 0; start < elementCount; start += tile.length) {
        values.set(tile.subarray(0, Math.min(tile.length, elementCount - start)), start);
      }
      return values;
    },
    destroy: () => {
      for (const buffer of [...data, ...grad]) buffer.destroy();
    },
  };
}

/** Uniform values in (−1, 1) from mulberry32. */
function randomTile(elementCount: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed >>> 0;
  return Float32Array.from({ length: elementCount }, () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 31 - 1;
  });
}
