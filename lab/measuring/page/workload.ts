import { type BenchCase, totalElements } from '../cases.js';
import { createRandom } from '../../random.js';

/** Elements of the random tile that fills all arrays: enough that no cache holds it, quick to make. */
const TILE_ELEMENTS = 1 << 20;

const STORAGE_USAGE = (): number =>
  GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

/** The tensors of a case on the device. */
export interface Workload {
  /** The buffers of all tensors in order: one each, or `buffersPerTensor`. */
  readonly data: readonly GPUBuffer[];
  readonly grad: readonly GPUBuffer[];
  /** More than one where a tensor is larger than a binding or a buffer may be. */
  readonly buffersPerTensor: number;
  /** Value `i` of any of the arrays: they are all filled alike. */
  readonly randomAt: (i: number) => number;
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
  if (tile) fill(device, label, buffer, elementCount, tile);
  return buffer;
}

/** Fills an array with copies of a tile. They are made on the device: an upload of 400 MB for each array takes seconds. */
function fill(
  device: GPUDevice,
  label: string,
  target: GPUBuffer,
  elementCount: number,
  tile: Float32Array<ArrayBuffer>,
): void {
  device.queue.writeBuffer(target, 0, tile, 0, Math.min(tile.length, elementCount));
  if (elementCount <= tile.length) return;
  const encoder = device.createCommandEncoder({ label: `bench fill ${label}` });
  // A buffer cannot be copied to itself.
  const source = device.createBuffer({
    label: `bench tile ${label}`,
    size: tile.byteLength,
    usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  encoder.copyBufferToBuffer(target, 0, source, 0, tile.byteLength);
  for (let start = tile.length; start < elementCount; start += tile.length) {
    const count = Math.min(tile.length, elementCount - start);
    encoder.copyBufferToBuffer(source, 0, target, start * 4, count * 4);
  }
  device.queue.submit([encoder.finish()]);
  source.destroy();
}

/**
 * As `createArray`, in as many buffers as the device's limits ask for. They are of whole tiles, so that values
 * go on across buffers as in one, and about equal: filled up to the limit, SwiftShader's gigabyte, a buffer was refused
 * for want of memory.
 */
export function createArrays(
  device: GPUDevice,
  label: string,
  elementCount: number,
  tile?: Float32Array<ArrayBuffer>,
): GPUBuffer[] {
  const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
  const mostTiles = Math.floor(Math.min(maxBufferSize, maxStorageBufferBindingSize) / (4 * TILE_ELEMENTS));
  const tiles = Math.ceil(elementCount / TILE_ELEMENTS);
  const partElements = TILE_ELEMENTS * Math.ceil(tiles / Math.ceil(tiles / mostTiles));
  return Array.from({ length: Math.ceil(elementCount / partElements) }, (_, k) =>
    createArray(device, `${label} part ${k}`, Math.min(partElements, elementCount - k * partElements), tile),
  );
}

/** Seeded weights and gradients for a case. */
export function createWorkload(device: GPUDevice, benchCase: BenchCase, seed: number): Workload {
  const tile = createRandomTile(totalElements(benchCase), seed);
  const { tensorCount, elementsPerTensor } = benchCase;
  const buffers = (role: string) =>
    Array.from({ length: tensorCount }, (_, k) =>
      createArrays(device, `${role} ${k}`, elementsPerTensor, tile),
    ).flat();
  const [data, grad] = [buffers('data'), buffers('grad')];
  return {
    data,
    grad,
    buffersPerTensor: data.length / tensorCount,
    randomAt: (i) => tile[i % tile.length]!,
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

/** What arrays of `elementCount` f32s are filled from: uniform values in (−1, 1), no more than are worth making. */
export function createRandomTile(elementCount: number, seed: number): Float32Array<ArrayBuffer> {
  const uniform = createRandom(seed);
  return Float32Array.from({ length: Math.min(TILE_ELEMENTS, elementCount) }, () => 2 * uniform() - 1);
}
