import { f32 } from '../../codecs/f32.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { writeFloat } from '../../gpu/fill-ranges.js';
import type { ByteRange } from '../../gpu/readback.js';
import type { RuleLayout } from '../../kernel/rule-layout.js';
import { type StatePiece, countElements } from '../../plan/pieces.js';
import type { StatePlan } from '../../plan/plan.js';
import { slicePieces } from '../../plan/cut.js';
import { firstPieces } from '../../plan/state-places.js';

/** The elementwise state of one group: for each slot that its rule uses, slabs that share one layout. They never move. */
export class StateSlabs {
  readonly #slabsOfSlot = new Map<string, readonly GPUBuffer[]>();
  readonly #plan: StatePlan;
  /** Per tensor, where the elements lie that it has now; all that it has a place for, unless said. */
  readonly #used = new Map<number, readonly StatePiece[]>();

  /** Creates and fills the slabs; run it in error scopes. */
  constructor(device: GPUDevice, layout: RuleLayout, plan: StatePlan, label: string) {
    this.#plan = plan;
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;
    for (const { name, perTensor, initial } of layout.slots) {
      if (perTensor) continue;
      const slabs = plan.slabElementCounts.map((elementCount, k) => {
        const size = f32.byteLength(elementCount);
        const buffer = device.createBuffer({ label: `${label} ${name}[${k}]`, size, usage });
        // New buffers hold zeros.
        if (initial !== 0) writeFloat(device.queue, { buffer, byteOffset: 0, byteLength: size }, initial);
        return buffer;
      });
      this.#slabsOfSlot.set(name, slabs);
    }
  }

  /** Names of the slots. */
  get slots(): readonly string[] {
    return [...this.#slabsOfSlot.keys()];
  }

  /** Bytes of the slabs of one slot. */
  get byteLength(): number {
    return this.#plan.slabElementCounts.reduce((sum, count) => sum + f32.byteLength(count), 0);
  }

  slab(slot: string, index: number): GPUBuffer {
    return this.#slabsOfSlot.get(slot)![index]!;
  }

  /** Where the state of a tensor lies, by its index. */
  placeOf(tensor: number): readonly StatePiece[] {
    return this.#used.get(tensor) ?? this.#plan.stateOfTensor.get(tensor)!;
  }

  /** Elements that a tensor has a place for. */
  capacityOf(tensor: number): number {
    return countElements(this.#plan.stateOfTensor.get(tensor) ?? []);
  }

  /** Lets a tensor have so many elements, which it has a place for. */
  use(tensor: number, elementCount: number): void {
    this.#used.set(tensor, firstPieces(this.#plan.stateOfTensor.get(tensor) ?? [], elementCount));
  }

  /** The bytes of a tensor's slot, in order; of some of its elements, if that is said. */
  ranges(slot: string, tensor: number, first = 0, count = Infinity): ByteRange[] {
    return slicePieces(this.placeOf(tensor), first, count).map(({ slab, element, elementCount }) => ({
      buffer: this.slab(slot, slab),
      byteOffset: f32.byteLength(element),
      byteLength: f32.byteLength(elementCount),
    }));
  }

  destroy(): void {
    for (const slabs of this.#slabsOfSlot.values()) for (const slab of slabs) slab.destroy();
  }
}
