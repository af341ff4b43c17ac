import type { Random } from '../../../proof/random.js';
import { type Codec, byteLengthOf, valuesByteLength } from '../../../src/codecs/codec.js';
import { f32 } from '../../../src/codecs/f32.js';
import type { RowRange } from '../../../src/engine/input/parameter/span.js';

/** A buffer of the caller's, and what the model says that it holds. */
export interface ModelBuffer {
  readonly gpu: GPUBuffer;
  readonly floats: Float32Array<ArrayBuffer>;
  /** Whether bytes between tensors are nobody's, as in an arena. */
  readonly hasPadding: boolean;
  /** How all of it lies there, if not as float32: its words are what `floats` has the bits of. */
  readonly codec?: Codec | undefined;
}

/** Rows that lie apart: elements per row, and from one row to the next. */
export interface Spacing {
  readonly length: number;
  readonly stride: number;
}

/** Some elements of a buffer. */
export interface Place {
  readonly buffer: ModelBuffer;
  readonly first: number;
  readonly length: number;
  /** Whole rows, if they lie apart. */
  readonly rows?: Spacing | undefined;
  /** If they are no float32; `first` counts words then, too. */
  readonly codec?: Codec | undefined;
}

/** What is to have a place: so many elements, or whole rows that lie apart. */
export type Wanted = Pick<Place, 'length' | 'rows' | 'codec'>;

const MOST_GAP = 5;
const MOST_SHARING = 4;
/** Elements. */
const LANE = 4;

/** What places hold, one behind the other; a copy. */
export function readPlaces(places: readonly Place[]): Float32Array<ArrayBuffer> {
  const values = new Float32Array(places.reduce((sum, { length }) => sum + length, 0));
  let position = 0;
  for (const place of places) {
    const { codec = f32, length } = place;
    const packed = new Uint8Array(byteLengthOf(codec, length));
    eachRow(place, (row, at) => packed.set(row, at));
    values.set(codec.decode(packed.buffer, length), position);
    position += length;
  }
  return values;
}

/** Has the model say that places hold values; the GPU's own work does the same there. */
export function setPlaces(places: readonly Place[], values: Float32Array): void {
  let position = 0;
  for (const place of places) {
    const { codec = f32, length } = place;
    const bytes = codec.encode(values.slice(position, position + length));
    // What shares words with them stays.
    eachRow(place, (row, at) => row.set(bytes.subarray(at, at + row.length)));
    position += length;
  }
}

/** The first elements of places. */
export function firstOf(places: readonly Place[], length: number): Place[] {
  const taken: Place[] = [];
  let left = length;
  for (const place of places) {
    if (left === 0) break;
    taken.push({ ...place, length: Math.min(left, place.length) });
    left -= taken.at(-1)!.length;
  }
  return taken;
}

export const countOf = (places: readonly Wanted[]): number =>
  places.reduce((sum, { length }) => sum + length, 0);

/** A place as the library is given it: a whole buffer by itself where it is one. */
export function bindingOf(place: Place): GPUBuffer | RowRange {
  const { buffer, first, rows, codec = f32 } = place;
  const offset = 4 * first;
  if (rows) {
    const size = valuesByteLength(codec, elementsTo(place));
    return { buffer: buffer.gpu, offset, size, byteStride: valuesByteLength(codec, rows.stride) };
  }
  const size = 4 * extentOf(place);
  return first === 0 && size === buffer.gpu.size ? buffer.gpu : { buffer: buffer.gpu, offset, size };
}

/** Elements from the first of a place to its last, as many as there is room for between rows included. */
const elementsTo = ({ length, rows }: Wanted): number =>
  rows ? (length / rows.length - 1) * rows.stride + rows.length : length;

/** The same in words. */
const extentOf = (wanted: Wanted): number => byteLengthOf(wanted.codec ?? f32, elementsTo(wanted)) / 4;

/** Whether two places have bytes in common, or between their rows. */
export function doMeet(a: Place, b: Place): boolean {
  return a.buffer === b.buffer && a.first < b.first + extentOf(b) && b.first < a.first + extentOf(a);
}

/** The bytes from the first of a place to its last. */
const bytesOf = (place: Place): Uint8Array<ArrayBuffer> =>
  new Uint8Array(place.buffer.floats.buffer, 4 * place.first, 4 * extentOf(place));

/** The bytes of each row, and where they are among those of all rows; of a place without rows, all of them. */
function eachRow(place: Place, visit: (row: Uint8Array, at: number) => void): void {
  const { codec = f32, length, rows = { length, stride: length } } = place;
  const bytes = bytesOf(place);
  const sizeOf = (count: number) => valuesByteLength(codec, count);
  for (let row = 0; row * rows.length < length; row++) {
    const start = sizeOf(row * rows.stride);
    visit(bytes.subarray(start, start + sizeOf(rows.length)), sizeOf(row * rows.length));
  }
}

/** The caller's buffers of a case, on the GPU and in the model. */
export class Memory {
  readonly buffers: ModelBuffer[] = [];

  /** @param isAligned whether places begin at whole lanes, but for those of packs. */
  constructor(
    private readonly device: GPUDevice,
    private readonly isAligned: boolean,
  ) {}

  /** Adds a buffer that somebody else made, which holds zeros. */
  adopt(gpu: GPUBuffer): ModelBuffer {
    const known = this.buffers.find((buffer) => buffer.gpu === gpu);
    if (known) return known;
    const buffer = { gpu, floats: new Float32Array(gpu.size / 4), hasPadding: true };
    this.buffers.push(buffer);
    return buffer;
  }

  /**
   * Places of these sizes, all of one codec, in random order in buffers that some of them share, at any offsets, filled with random values.
   *
   * @param packs which of them lie one behind the other, with nothing between them, in a buffer per pack.
   */
  allocate(wanted: readonly Wanted[], random: Random, packs: readonly (readonly number[])[] = []): Place[] {
    const places = new Map<number, Place>();
    for (const pack of packs) {
      let end = random.integer(MOST_GAP + 1);
      const firsts = pack.map((k) => (end += extentOf(wanted[k]!)) - extentOf(wanted[k]!));
      const buffer = this.#make(end, random, wanted[0]?.codec);
      pack.forEach((k, n) => places.set(k, { buffer, first: firsts[n]!, ...wanted[k]! }));
    }
    const order = wanted
      .flatMap((_, k) => (places.has(k) ? [] : [{ k, rank: random.uniform() }]))
      .toSorted((a, b) => a.rank - b.rank);
    while (order.length > 0) {
      const sharing = order.splice(0, random.uniform() < 0.4 ? 1 : 1 + random.integer(MOST_SHARING));
      const isExact = sharing.length === 1 && random.uniform() < 0.7;
      let end = 0;
      const firsts = sharing.map(({ k }) => {
        const first = isExact ? end : this.#behind(end, random);
        end = first + extentOf(wanted[k]!);
        return first;
      });
      const buffer = this.#make(end + (isExact ? 0 : random.integer(MOST_GAP + 1)), random, wanted[0]?.codec);
      sharing.forEach(({ k }, n) => places.set(k, { buffer, first: firsts[n]!, ...wanted[k]! }));
    }
    return wanted.map((_, k) => places.get(k)!);
  }

  /** A place in a buffer of its own that kernels find as they found another: as long, and as far into a block of 256 bytes. */
  allocateLike(place: Place, random: Random): Place {
    const before = place.first % 64;
    const size = before + extentOf(place) + random.integer(MOST_GAP + 1);
    const buffer = this.#make(size, random, place.codec);
    return { ...place, buffer, first: before };
  }

  /** Writes values at this point of the queue. */
  write(places: readonly Place[], values: Float32Array<ArrayBuffer>): void {
    setPlaces(places, values);
    for (const place of places) {
      // What lies between rows is nobody's, and as it was.
      this.device.queue.writeBuffer(place.buffer.gpu, 4 * place.first, bytesOf(place));
    }
  }

  #behind(end: number, random: Random): number {
    const first = end + random.integer(MOST_GAP + 1);
    return this.isAligned ? LANE * Math.ceil(first / LANE) : first;
  }

  destroy(): void {
    for (const { gpu } of this.buffers) gpu.destroy();
  }

  /** @param length in words. */
  #make(length: number, random: Random, codec: Codec | undefined): ModelBuffer {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const gpu = this.device.createBuffer({ label: `caller ${this.buffers.length}`, size: 4 * length, usage });
    const elementCount = codec ? (4 * length * codec.blockLength) / codec.blockByteLength : length;
    const weights = random.weights(elementCount);
    const floats = codec ? new Float32Array(codec.encode(weights).buffer) : weights;
    const buffer = { gpu, floats, hasPadding: false, codec };
    this.device.queue.writeBuffer(gpu, 0, buffer.floats);
    this.buffers.push(buffer);
    return buffer;
  }
}
