import { makeBuffer } from '../gpu/make-buffer.js';
import * as BufferUsage from '../gpu/buffer-usage.js';
import { type RowLayout, type SlotLayout, rowOffset, slotLayout } from '../kernel/row.js';
import { type WordView, wordView } from '../kernel/structs.js';
import { bindPages } from './pages.js';
import type { StepContext } from './stage.js';

/** Steps that may be pending, over all encoders that are not submitted yet. */
const MOST_PENDING = 1024;
/** Slots for them when the first one comes, at least; of few rows as many as fit into so many bytes, mostly all. */
const FIRST_PENDING = 8;
const FIRST_BYTE_LENGTH = 2 ** 18;

/** Does what a device may have something against, and tells once it is known that it has not. */
export type RingWatch = <T>(make: () => T, onFine?: () => void) => T;

/**
 * Memory for the numbers of steps. A step that the optimizer submits itself always uses slot 0: the queue orders its write
 * behind the step before. A step that is encoded for later needs a slot that nobody overwrites until the caller submits,
 * which the API does not tell us; so these slots rotate through a ring. It grows with the number of such steps, up to
 * {@link MOST_PENDING}, and further where a single encoder would go round it. To stages it speaks of the step that was
 * written last.
 */
export class RowRing implements StepContext {
  readonly #device: GPUDevice;
  readonly #row: RowLayout;
  readonly #controlled: boolean;
  readonly #label: string;
  readonly #pagesLayout: GPUBindGroupLayout;
  readonly #watch: RingWatch;
  readonly #offset = new Uint32Array(1);
  readonly #slotOffset = new Uint32Array(1);
  // Buffers that the ring has outgrown: commands encoded earlier still refer to them. Together no larger than it.
  readonly #outgrown: GPUBuffer[] = [];
  #encodedWith = new WeakMap<object, number>();
  #isActive: Uint8Array = new Uint8Array(0);
  #rowCapacity: number;
  #pendingCapacity = 0;
  // Steps that took a slot of the present buffer.
  #pendingCount = 0;
  #slot!: SlotLayout;
  #staging!: WordView;
  #buffer!: GPUBuffer;
  #pages!: GPUBindGroup;
  #isUnsure = false;
  // Whether a caller's encoder may refer to the present buffer, or to one that it has outgrown.
  #isPending = false;

  /**
   * @param controlled whether slots have settings and rates.
   * @param pagesLayout layout of bind group 1 of kernels that read one row.
   * @param watch makes GPU objects such that a lack of memory is noticed: the ring grows in the midst of a step. The first
   *   buffer is the caller's to watch.
   */
  constructor(
    device: GPUDevice,
    row: RowLayout,
    controlled: boolean,
    rowCapacity: number,
    pagesLayout: GPUBindGroupLayout,
    watch: RingWatch,
    label: string,
  ) {
    this.#watch = watch;
    this.#device = device;
    this.#row = row;
    this.#controlled = controlled;
    this.#label = label;
    this.#pagesLayout = pagesLayout;
    this.#rowCapacity = rowCapacity;
    this.#layOut();
    this.#make();
  }

  /** Whether it is not known yet that the present buffer could be had: what binds it is to be watched as well. */
  get isUnsure(): boolean {
    return this.#isUnsure;
  }

  /** Layout of a slot. */
  get slot(): SlotLayout {
    return this.#slot;
  }

  get pages(): GPUBindGroup {
    return this.#pages;
  }

  get slots(): GPUBuffer {
    return this.#buffer;
  }

  get slotByteLength(): number {
    return this.#slot.byteLength;
  }

  pageOffset(row: number): Uint32Array {
    const { rowsPerPage, pageByteLength } = this.#row;
    const page = Math.floor(row / rowsPerPage);
    this.#offset[0] = this.#slotOffset[0]! + this.#slot.rows + pageByteLength * page;
    return this.#offset;
  }

  slotOffset(): Uint32Array {
    return this.#slotOffset;
  }

  isActive(row: number): boolean {
    return this.#isActive[row] === 1;
  }

  /** Makes room for so many rows. */
  reserve(rowCount: number): void {
    if (rowCount <= this.#rowCapacity) return;
    while (this.#rowCapacity < rowCount) this.#rowCapacity *= 2;
    this.#replace();
  }

  /**
   * Writes the numbers of a step to a slot.
   *
   * @param pendingIn the caller's encoder, or undefined for a step that is submitted at once.
   * @param isActive per row, whether it takes part.
   * @param write fills the slot: words of the whole of it, and the first word of each row.
   */
  take(
    pendingIn: object | undefined,
    isActive: Uint8Array,
    write: (slot: WordView, wordOfRow: (row: number) => number) => void,
  ): void {
    const index = pendingIn === undefined ? 0 : this.#takePending(pendingIn);
    this.#isActive = isActive;
    write(this.#staging, (k) => rowOffset(this.#row, this.#slot, k) / 4);
    const byteOffset = index * this.#slot.byteLength;
    this.#slotOffset[0] = byteOffset;
    if (this.#isUnsure) this.#watch(() => this.#upload(byteOffset));
    else this.#upload(byteOffset);
  }

  destroy(): void {
    for (const buffer of [this.#buffer, ...this.#outgrown]) buffer.destroy();
  }

  #upload(byteOffset: number): void {
    this.#device.queue.writeBuffer(this.#buffer, byteOffset, this.#staging.u32.buffer);
  }

  /** The number of the slot that a pending step takes. */
  #takePending(encoder: object): number {
    const encoded = (this.#encodedWith.get(encoder) ?? 0) + 1;
    const isFull = this.#pendingCount >= this.#pendingCapacity;
    if (isFull && (encoded > this.#pendingCapacity || this.#pendingCapacity < MOST_PENDING)) {
      this.#pendingCapacity = this.#pendingCapacity === 0 ? this.#firstCapacity() : 2 * this.#pendingCapacity;
      this.#replace();
      // What this encoder holds already lies in the old buffer, so it starts the new one from nothing.
      this.#encodedWith = new WeakMap([[encoder, 1]]);
    } else this.#encodedWith.set(encoder, encoded);
    this.#isPending = true;
    return 1 + (this.#pendingCount++ % this.#pendingCapacity);
  }

  #firstCapacity(): number {
    const fitting = Math.floor(FIRST_BYTE_LENGTH / this.#slot.byteLength);
    return Math.min(Math.max(fitting, FIRST_PENDING), MOST_PENDING);
  }

  /** Commands that are encoded already refer to the present buffer; those that are submitted keep what they use. */
  #replace(): void {
    if (this.#isPending) this.#outgrown.push(this.#buffer);
    else this.#buffer.destroy();
    this.#layOut();
    this.#isUnsure = true;
    this.#watch(
      () => this.#make(),
      () => (this.#isUnsure = false),
    );
  }

  #layOut(): void {
    this.#slot = slotLayout(this.#row, this.#rowCapacity, this.#controlled);
    this.#staging = wordView(new ArrayBuffer(this.#slot.byteLength));
    this.#pendingCount = 0;
  }

  #make(): void {
    this.#buffer = makeBuffer(
      this.#device,
      `${this.#label} rows`,
      (1 + this.#pendingCapacity) * this.#slot.byteLength,
      BufferUsage.UNIFORM | BufferUsage.STORAGE | BufferUsage.COPY_DST,
    );
    this.#pages = bindPages(this.#device, this.#row, this.#pagesLayout, this.#buffer, this.#label);
  }
}
