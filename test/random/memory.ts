import type { Random } from '../../proof/random.js';

/** A buffer of the caller's, and what the model says that it holds. */
export interface ModelBuffer {
  readonly gpu: GPUBuffer;
  readonly floats: Float32Array<ArrayBuffer>;
  /** Whether bytes between tensors are nobody's, as in an arena. */
  readonly hasPadding: boolean;
}

/** Some elements of a buffer. */
export interface Place {
  readonly buffer: ModelBuffer;
  readonly first: number;
  readonly length: number;
}

const MOST_GAP = 5;
const MOST_SHARING = 4;

/** What places hold, one behind the other; a copy. */
export function readPlaces(places: readonly Place[]): Float32Array<ArrayBuffer> {
  const values = new Float32Array(places.reduce((sum, { length }) => sum + length, 0));
  let position = 0;
  for (const { buffer, first, length } of places) {
    values.set(buffer.floats.subarray(first, first + length), position);
    position += length;
  }
  return values;
}

/** Has the model say that places hold values; the GPU's own work does the same there. */
export function setPlaces(places: readonly Place[], values: Float32Array): void {
  let position = 0;
  for (const { buffer, first, length } of places) {
    buffer.floats.set(values.subarray(position, position + length), first);
    position += length;
  }
}

/** A place as the library is given it: a whole buffer by itself, if `plain` is not against it. */
export function bindingOf({ buffer: { gpu }, first, length }: Place): GPUBuffer | GPUBufferBinding {
  return first === 0 && 4 * length === gpu.size ? gpu : { buffer: gpu, offset: 4 * first, size: 4 * length };
}

/** The caller's buffers of a case, on the GPU and in the model. */
export class Memory {
  readonly buffers: ModelBuffer[] = [];

  constructor(private readonly device: GPUDevice) {}

  /** Adds a buffer that somebody else made, which holds zeros. */
  adopt(gpu: GPUBuffer): ModelBuffer {
    const known = this.buffers.find((buffer) => buffer.gpu === gpu);
    if (known) return known;
    const buffer = { gpu, floats: new Float32Array(gpu.size / 4), hasPadding: true };
    this.buffers.push(buffer);
    return buffer;
  }

  /** Places of these lengths, in random order in buffers that some of them share, at any offsets, filled with random values. */
  allocate(lengths: readonly number[], random: Random): Place[] {
    const places = new Map<number, Place>();
    const order = lengths.map((_, k) => ({ k, rank: random.uniform() })).toSorted((a, b) => a.rank - b.rank);
    while (order.length > 0) {
      const sharing = order.splice(0, random.uniform() < 0.4 ? 1 : 1 + random.integer(MOST_SHARING));
      const isExact = sharing.length === 1 && random.uniform() < 0.7;
      let end = 0;
      const firsts = sharing.map(({ k }) => {
        const first = end + (isExact ? 0 : random.integer(MOST_GAP + 1));
        end = first + lengths[k]!;
        return first;
      });
      const buffer = this.#make(end + (isExact ? 0 : random.integer(MOST_GAP + 1)), random);
      sharing.forEach(({ k }, n) => places.set(k, { buffer, first: firsts[n]!, length: lengths[k]! }));
    }
    return lengths.map((_, k) => places.get(k)!);
  }

  /** A place in a buffer of its own that kernels find as they found another: as long, and as far into a block of 256 bytes. */
  allocateLike({ first, length }: Place, random: Random): Place {
    const before = first % 64;
    const buffer = this.#make(before + length + random.integer(MOST_GAP + 1), random);
    return { buffer, first: before, length };
  }

  /** Writes values at this point of the queue. */
  write(places: readonly Place[], values: Float32Array<ArrayBuffer>): void {
    setPlaces(places, values);
    let position = 0;
    for (const { buffer, first, length } of places) {
      this.device.queue.writeBuffer(buffer.gpu, 4 * first, values, position, length);
      position += length;
    }
  }

  destroy(): void {
    for (const { gpu } of this.buffers) gpu.destroy();
  }

  #make(length: number, random: Random): ModelBuffer {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const gpu = this.device.createBuffer({ label: `caller ${this.buffers.length}`, size: 4 * length, usage });
    const buffer = { gpu, floats: random.weights(length), hasPadding: false };
    this.device.queue.writeBuffer(gpu, 0, buffer.floats);
    this.buffers.push(buffer);
    return buffer;
  }
}
