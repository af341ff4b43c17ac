import { makeBuffer } from '../../gpu/make-buffer.js';
import { type Codec, blockOf, byteLengthOf, bytesOf } from '../../codecs/codec.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { writeWords } from '../../gpu/copies/fill-ranges.js';
import type { ByteRange } from '../../gpu/copies/byte-range.js';
import { type RuleLayout, isElementwise } from '../../kernel/rule-layout.js';
import type { StatePiece } from '../../plan/pieces.js';
import type { StatePlan } from '../../plan/plan.js';
import { slicePieces } from '../../plan/cut.js';
import { firstPieces } from '../../plan/state-places.js';

/** The elementwise state of one group: for each slot that its rule uses, slabs that share one layout. They never move. */
export class StateSlabs {
  readonly #slabsOfSlot = new Map<string, readonly GPUBuffer[]>();
  readonly #codecOf: (slot: string) => Codec;
  readonly #plan: StatePlan;
  /** Per tensor, where the elements lie that it has now; all that it has a place for, unless said. */
  readonly #used = new Map<number, readonly StatePiece[]>();

  /** Creates and fills the slabs; run it in error scopes. */
  constructor(device: GPUDevice, layout: RuleLayout, plan: StatePlan, label: string) {
    this.#plan = plan;
    this.#codecOf = layout.codecOf;
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;
    for (const { name, initial, codec } of layout.slots.filter(isElementwise)) {
      const slabs = plan.slabElementCounts.map((elementCount, k) => {
        const byteLength = byteLengthOf(codec, elementCount);
        const buffer = makeBuffer(device, `${label} ${name}[${k}]`, byteLength, usage);
        // New buffers hold zeros.
        if (initial !== 0)
          writeWords(device.queue, { buffer, byteOffset: 0, byteLength }, blockOf(codec, initial));
        return buffer;
      });
      this.#slabsOfSlot.set(name, slabs);
    }
  }

  /** Names of the slots. */
  get slots(): readonly string[] {
    return [...this.#slabsOfSlot.keys()];
  }

  /** Bytes of all slabs. */
  get byteLength(): number {
    const counts = this.#plan.slabElementCounts;
    const ofSlots = this.slots.map((slot) => {
      const codec = this.#codecOf(slot);
      return counts.reduce((sum, count) => sum + byteLengthOf(codec, count), 0);
    });
    return ofSlots.reduce((sum, each) => sum + each, 0);
  }

  slab(slot: string, index: number): GPUBuffer {
    return this.#slabsOfSlot.get(slot)![index]!;
  }

  /** Where the state of a tensor lies, by its index. */
  placeOf(tensor: number): readonly StatePiece[] {
    return this.#used.get(tensor) ?? this.#plan.stateOfTensor.get(tensor)!;
  }

  /** Whether these are the places that there are. */
  hasPlaces({ stateOfTensor, slabElementCounts }: StatePlan): boolean {
    const own = this.#plan;
    return (
      String(slabElementCounts) === String(own.slabElementCounts) &&
      stateOfTensor.size === own.stateOfTensor.size &&
      [...stateOfTensor].every(([tensor, pieces]) => areSamePlaces(pieces, own.stateOfTensor.get(tensor)))
    );
  }

  /** Lets a tensor have so many elements, which it has a place for. */
  use(tensor: number, elementCount: number): void {
    this.#used.set(tensor, firstPieces(this.#plan.stateOfTensor.get(tensor) ?? [], elementCount));
  }

  /** The bytes of a tensor's slot, in order; of some of its elements, if that is said. */
  ranges(slot: string, tensor: number, first = 0, count = Infinity): ByteRange[] {
    const codec = this.#codecOf(slot);
    return slicePieces(this.placeOf(tensor), first, count).map(({ slab, ...range }) => {
      const { offset, size } = bytesOf(codec, range);
      return { buffer: this.slab(slot, slab), byteOffset: offset, byteLength: size };
    });
  }

  destroy(): void {
    for (const slabs of this.#slabsOfSlot.values()) for (const slab of slabs) slab.destroy();
  }
}

function areSamePlaces(a: readonly StatePiece[], b: readonly StatePiece[] | undefined): boolean {
  return (
    a.length === b?.length &&
    a.every(({ slab, element, elementCount }, k) => {
      const other = b[k]!;
      return slab === other.slab && element === other.element && elementCount === other.elementCount;
    })
  );
}
