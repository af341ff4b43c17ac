import * as BufferUsage from '../../gpu/buffer-usage.js';
import { makeBuffer } from '../../gpu/make-buffer.js';
import type { ByteRange } from '../../gpu/copies/byte-range.js';
import type { RuleLayout } from '../../kernel/rule-layout.js';
import { type Side, sideLength } from '../../rules/declaring/matrix-size.js';
import { type RecordedTensor, TensorRecords } from '../measure/tensor-records.js';

/** Words that the numbers of both sides of tensors take. */
export const factorWords = (tensors: readonly RecordedTensor[]): number =>
  tensors.reduce((sum, { shape }) => sum + sideLength('rows', shape!) + sideLength('columns', shape!), 0);

/** What is known of tensors as a whole, and the numbers of their rows and columns. */
export class FactorRecords extends TensorRecords {
  /** The numbers: of each tensor those of its rows, then those of its columns. */
  readonly factors: GPUBuffer;
  readonly #sideOf: ReadonlyMap<string, Side>;
  readonly #places = new Map<
    number,
    Readonly<Record<Side, { readonly first: number; readonly count: number }>>
  >();

  /** Creates them, all zeros; run it in error scopes. */
  constructor(device: GPUDevice, layout: RuleLayout, tensors: readonly RecordedTensor[], label: string) {
    super(device, layout, tensors, label);
    this.#sideOf = new Map(
      layout.slots.flatMap(({ name, along }) => (along ? [[name, along] as const] : [])),
    );
    let word = 0;
    const take = (count: number) => ({ first: (word += count) - count, count });
    for (const { index, shape } of tensors) {
      const rows = take(sideLength('rows', shape!));
      this.#places.set(index, { rows, columns: take(sideLength('columns', shape!)) });
    }
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;
    this.factors = makeBuffer(device, `${label} factors`, 4 * word, usage);
  }

  /** The words at which the numbers of a tensor's rows and of its columns begin. */
  wordsOf(tensor: number): readonly [rows: number, columns: number] {
    const { rows, columns } = this.#places.get(tensor)!;
    return [rows.first, columns.first];
  }

  override slotRange(slot: string, tensor: number): ByteRange {
    const side = this.#sideOf.get(slot);
    if (!side) return super.slotRange(slot, tensor);
    const { first, count } = this.#places.get(tensor)![side];
    return { buffer: this.factors, byteOffset: 4 * first, byteLength: 4 * count };
  }

  override destroy(): void {
    super.destroy();
    this.factors.destroy();
  }
}
