import { makeFilled } from '../gpu/make-buffer.js';
import * as BufferUsage from '../gpu/buffer-usage.js';
import type { RowLayout } from '../kernel/row.js';
import { wordView } from '../kernel/structs.js';
import { bindPages } from './pages.js';
import type { StepContext } from './stage.js';

/** Rows of numbers that stay as they are, a page each, for passes beside the steps. */
export class FixedRows {
  readonly buffer: GPUBuffer;
  readonly #pages: GPUBindGroup;
  readonly #row: RowLayout;

  /**
   * Creates the buffer; run it in error scopes.
   *
   * @param rows values of each; `is_active` is 1 unless they say otherwise.
   */
  constructor(
    device: GPUDevice,
    row: RowLayout,
    pagesLayout: GPUBindGroupLayout,
    rows: readonly Readonly<Record<string, number>>[],
    label: string,
  ) {
    this.#row = row;
    const view = wordView(new ArrayBuffer(row.pageByteLength * rows.length));
    rows.forEach((values, k) =>
      row.struct.write(view, (row.pageByteLength / 4) * k, { is_active: 1, ...values }),
    );
    this.buffer = makeFilled(device, `${label} rows`, BufferUsage.UNIFORM | BufferUsage.STORAGE, view.u32);
    this.#pages = bindPages(device, row, pagesLayout, this.buffer, label);
  }

  /** What a stage is told that steps tensors of row 0 with the k-th of these. */
  context(k: number): StepContext {
    const offset = new Uint32Array([this.#row.pageByteLength * k]);
    return {
      pages: this.#pages,
      pageOffset: () => offset,
      slots: this.buffer,
      slotOffset: () => offset,
      slotByteLength: this.#row.pageByteLength,
      isActive: () => true,
    };
  }

  destroy(): void {
    this.buffer.destroy();
  }
}
