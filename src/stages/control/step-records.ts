import { makeBuffer } from '../../gpu/make-buffer.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import type { RisingRate } from '../../rules/declaring/declaration.js';
import { correctionWords } from './fixed-point.js';

/** What the GPU keeps of a tensor's own steps, as it is set: the products follow from count and rates. */
export interface StepRecord {
  /** Steps applied to the tensor. */
  readonly count: number;
  /** The rates of its corrections, in order. */
  readonly rates: readonly RisingRate[];
}

/** Records of neighbouring tensors in a buffer. */
export interface RecordChunk {
  /** Index of the first tensor. */
  readonly first: number;
  /** How many tensors it has room for. */
  readonly capacity: number;
  readonly buffer: GPUBuffer;
}

/** Tensors of the first chunk, at least; each one after it has at least twice as many as the last. */
const FIRST_CAPACITY = 256;
/** Words of a record before its corrections, of which the first is the count. */
const COUNT_WORDS = 4;
/** Words of a record per correction: the product of the rates so far, dᵗ, and the β and the d that they are of. */
const CORRECTION_WORDS = 8;

/** Words from one record to the next. */
export const recordWords = (correctionCount: number): number =>
  COUNT_WORDS + CORRECTION_WORDS * correctionCount;

/**
 * Per tensor, by its index: its count of applied steps, and what its bias corrections come from. Chunks never move, so that
 * commands which were encoded before a tensor joined are right behind it, too.
 */
export class StepRecords {
  readonly #chunks: RecordChunk[] = [];
  readonly #byteLength: number;

  constructor(
    private readonly device: GPUDevice,
    correctionCount: number,
    private readonly label: string,
  ) {
    this.#byteLength = 4 * recordWords(correctionCount);
  }

  get chunks(): readonly RecordChunk[] {
    return this.#chunks;
  }

  /** Makes records for all tensors below an index, count 0; run it in error scopes. */
  reserve(tensorCount: number): void {
    for (;;) {
      const last = this.#chunks.at(-1);
      const first = last ? last.first + last.capacity : 0;
      if (first >= tensorCount && last) return;
      const capacity = Math.max(last ? 2 * last.capacity : FIRST_CAPACITY, tensorCount - first);
      const buffer = makeBuffer(
        this.device,
        `${this.label} step records ${this.#chunks.length}`,
        this.#byteLength * capacity,
        BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST,
      );
      this.#chunks.push({ first, capacity, buffer });
    }
  }

  /** @returns what frees the chunks that are made from now on until then. */
  mark(): () => void {
    const { length } = this.#chunks;
    return () => {
      for (const { buffer } of this.#chunks.splice(length)) buffer.destroy();
    };
  }

  /** Where the record of a tensor lies. */
  spanOf(index: number): { buffer: GPUBuffer; byteOffset: number; byteLength: number } {
    const { buffer, first } = this.#chunks.find((chunk) => index < chunk.first + chunk.capacity)!;
    return { buffer, byteOffset: this.#byteLength * (index - first), byteLength: this.#byteLength };
  }

  /** Sets the records of some tensors; those of neighbours in one go. */
  restore(records: ReadonlyMap<number, StepRecord>): void {
    const wordsOf = rememberWords();
    const indices = [...records.keys()].toSorted((a, b) => a - b);
    for (const chunk of this.#chunks) {
      const own = indices.filter((index) => index >= chunk.first && index < chunk.first + chunk.capacity);
      for (let from = 0; from < own.length;) {
        let to = from + 1;
        while (to < own.length && own[to] === own[to - 1]! + 1) to++;
        const words = own.slice(from, to).flatMap((index) => wordsOf(records.get(index)!));
        const byteOffset = this.#byteLength * (own[from]! - chunk.first);
        this.device.queue.writeBuffer(chunk.buffer, byteOffset, Uint32Array.from(words));
        from = to;
      }
    }
  }

  /** Makes a tensor's record as at first. */
  clear(index: number): void {
    const { buffer, byteOffset, byteLength } = this.spanOf(index);
    this.device.queue.writeBuffer(buffer, byteOffset, new Uint8Array(byteLength));
  }

  destroy(): void {
    for (const { buffer } of this.#chunks) buffer.destroy();
  }
}

/** The words of records; those of tensors with the same history are worked out once. */
function rememberWords(): (record: StepRecord) => readonly number[] {
  const known = new Map<string, readonly number[]>();
  return ({ count, rates }) => {
    const key = JSON.stringify([count, rates.map(({ beta, damping }) => [beta, damping])]);
    let words = known.get(key);
    if (!words)
      known.set(key, (words = [count, 0, 0, 0, ...rates.flatMap((rate) => correctionWords(rate, count))]));
    return words;
  };
}

/** Reads a tensor's count from the bytes of its record. */
export function parseCount(record: ArrayBuffer): number {
  return new Uint32Array(record, 0, 1)[0]!;
}
