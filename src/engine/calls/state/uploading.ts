import { type Refusal, captureErrors } from '../../../gpu/refusal.js';
import { encodeCopies, type RangeCopy } from '../../../gpu/copies/copy-ranges.js';
import { makeBuffer, makeFilled } from '../../../gpu/make-buffer.js';
import * as BufferUsage from '../../../gpu/buffer-usage.js';
import type { ByteRange } from '../../../gpu/copies/byte-range.js';
import { RowMapper, wordsOfRows } from '../../../stages/rows/map-rows.js';
import { type Piece, cutAtWords, elementByteLengthOf } from '../../../plan/pieces.js';
import { encodeRecoding } from '../../../stages/side/recode.js';
import type { ResolvedParameter } from '../../input/parameter/parameter.js';
import type { Resources } from '../../run/resources.js';
import { rangesOf } from './reading.js';

/** The most that one buffer holds. */
const BUFFER_BYTE_LENGTH = 64 * 2 ** 20;

/** Bytes that wait on the GPU until all of them are there. */
export class Upload {
  readonly #buffers: GPUBuffer[] = [];
  /** Bytes of the last buffer that are taken. */
  #position = 0;
  #left: number;

  /**
   * @param byteLength of all that will come.
   * @param explain the error for a buffer that the device could not make.
   */
  constructor(
    private readonly device: GPUDevice,
    private readonly label: string,
    byteLength: number,
    private readonly explain: (refusal: Refusal) => Error,
  ) {
    this.#left = byteLength;
  }

  /**
   * Writes a piece, of a multiple of 4 bytes.
   *
   * @returns where it lies.
   * @throws what `explain` gives; what comes afterwards is lost.
   */
  async write(piece: Uint8Array<ArrayBuffer>): Promise<ByteRange[]> {
    const ranges: ByteRange[] = [];
    for (let done = 0; done < piece.byteLength;) {
      const buffer = await this.#room();
      const byteLength = Math.min(piece.byteLength - done, buffer.size - this.#position);
      this.device.queue.writeBuffer(buffer, this.#position, piece, done, byteLength);
      ranges.push({ buffer, byteOffset: this.#position, byteLength });
      this.#position += byteLength;
      done += byteLength;
    }
    return ranges;
  }

  destroy(): void {
    for (const buffer of this.#buffers.splice(0)) buffer.destroy();
  }

  async #room(): Promise<GPUBuffer> {
    const last = this.#buffers.at(-1);
    if (last && this.#position < last.size) return last;
    const size = Math.min(this.#left, BUFFER_BYTE_LENGTH);
    this.#left -= size;
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;
    const { value, refusal } = captureErrors(this.device, () =>
      makeBuffer(this.device, this.label, size, usage),
    );
    this.#buffers.push(value);
    this.#position = 0;
    const met = await refusal;
    if (met) throw this.explain(met);
    return value;
  }
}

/** Encodes that weights are those that lie elsewhere; what lies between rows, and beside a last half of a word, stays. @returns what frees what that takes. */
export function encodeWeightsFrom(
  { device, facts, nameOf }: Resources,
  encoder: GPUCommandEncoder,
  params: readonly { readonly parameter: ResolvedParameter; readonly ranges: readonly ByteRange[] }[],
  label: string,
): () => void {
  const copies: RangeCopy[] = [];
  const own: { destroy(): void }[] = [];
  for (const { parameter, ranges } of params) {
    const { data, rowLength, elementCount } = parameter;
    if (!data.some(({ rows }) => rows)) {
      const cut = data.map(cutAtWords);
      copies.push({ from: ranges, to: rangesOf(cut.flatMap(({ whole }) => whole)) });
      const floats = cut.flatMap(({ rest }) => rest);
      if (floats.length > 0) {
        // By way of a lane that is its own.
        const { buffer: from, byteOffset, byteLength } = ranges.at(-1)!;
        const buffer = makeBuffer(device, `${label} word`, 16, BufferUsage.STORAGE | BufferUsage.COPY_DST);
        encoder.copyBufferToBuffer(from, byteOffset + byteLength - 4, buffer, 0, 4);
        const word = { buffer, byteOffset: 0, byteLength: 4 };
        const codec = floats[0]!.codec!;
        const recoding = { device, facts, nameOf, label, codec, ranges: [word], floats };
        own.push({ destroy: encodeRecoding(encoder, recoding, true) }, buffer);
      }
      continue;
    }
    const rowCount = elementCount / rowLength!;
    // Every row is one that there is, and stays.
    const buffer = makeFilled(device, `${label} rows`, BufferUsage.STORAGE, new Uint32Array(rowCount));
    const map = { entries: { buffer, byteOffset: 0, elementCount: rowCount }, rowsBefore: 1, rowCount };
    const mapper = new RowMapper(device, map, rowLength!, undefined, {}, label);
    mapper.keep(buffer);
    own.push(mapper);
    const { codec } = data[0]!;
    const kind = codec && { codec };
    const source = ranges.map(({ byteLength, ...range }): Piece<GPUBuffer> => ({
      ...range,
      ...kind,
      elementCount: byteLength / elementByteLengthOf({ ...kind }),
    }));
    mapper.encode(encoder, { ...wordsOfRows(rowLength!, source, data), stays: true });
  }
  own.push({ destroy: encodeCopies(device, encoder, copies, label) });
  return () => {
    for (const each of own) each.destroy();
  };
}
