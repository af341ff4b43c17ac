/** Columns of structs of 2-byte numbers, and a model of all the bytes there are. */
import { expect } from 'vitest';
import { readBuffer } from '../../proof/read-buffer.js';
import type { Track } from '../../proof/track.js';
import { bf16 } from '../../src/codecs/bf16.js';
import { f16 } from '../../src/codecs/f16.js';
import type { RowRange } from '../../src/index.js';

type Floats = Float32Array<ArrayBuffer>;

const codecs = { f16, bf16 };

/** Where a column lies, in halves. */
export interface HalfColumn {
  readonly start: number;
  readonly stride: number;
  readonly rowLength: number;
}

/** A buffer of structs of 2-byte numbers. */
export class HalfStructs {
  readonly buffer: GPUBuffer;
  readonly #host: Uint16Array<ArrayBuffer>;

  constructor(
    private readonly device: GPUDevice,
    track: Track,
    private readonly dtype: 'f16' | 'bf16',
    /** Structs, those that there is room for. */
    private readonly rowCount: number,
    halfCount: number,
  ) {
    // Poison: the bits tell where it was, and most of it is NaN.
    this.#host = Uint16Array.from({ length: 2 * Math.ceil(halfCount / 2) }, (_, k) => 0xff00 | (k & 0xff));
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    this.buffer = track(device.createBuffer({ label: 'structs', size: this.#host.byteLength, usage }));
    device.queue.writeBuffer(this.buffer, 0, this.#host);
  }

  /** As a parameter has it. */
  range({ start, stride, rowLength }: HalfColumn, rowCount = this.rowCount): RowRange {
    const size = 2 * (stride * (rowCount - 1) + rowLength);
    return { buffer: this.buffer, offset: 2 * start, size, byteStride: 2 * stride };
  }

  /** Writes the rows of a column, on the GPU and in the model; all else in the model must be what the GPU has. */
  write(column: HalfColumn, values: Floats): Floats {
    this.expect(column, values);
    this.device.queue.writeBuffer(this.buffer, 0, this.#host);
    return codecs[this.dtype].decode(codecs[this.dtype].encode(values).slice().buffer, values.length);
  }

  /** Says what a column is to be. */
  expect({ start, stride, rowLength }: HalfColumn, values: Floats): void {
    const halves = new Uint16Array(codecs[this.dtype].encode(values).slice().buffer);
    for (let k = 0; k < values.length; k++) {
      this.#host[start + stride * Math.floor(k / rowLength) + (k % rowLength)] = halves[k]!;
    }
  }

  /** Checks every byte. */
  async check(what: string): Promise<void> {
    const words = await readBuffer(this.device, this.buffer);
    const got = new Uint16Array(words.slice().buffer);
    const wrong = got.findIndex((half, k) => half !== this.#host[k]);
    const describe = (halves: Uint16Array): string => `half ${wrong}: 0x${(halves[wrong] ?? 0).toString(16)}`;
    expect(wrong < 0 ? '' : describe(got), what).toBe(wrong < 0 ? '' : describe(this.#host));
  }
}
