import fc from 'fast-check';
import { alignUp } from '../../src/kernel/alignment.js';
import { skipElements } from '../../src/plan/cut.js';
import type { Piece, PlanLimits, PlanTensor } from '../../src/plan/pieces.js';
import type { StretchFacts } from '../../src/plan/stretch.js';

/** Limits of today's devices. */
export const DEFAULT_LIMITS: PlanLimits = {
  maxStorageBufferBindingSize: 2 ** 27,
  minStorageBufferOffsetAlignment: 256,
  maxBufferSize: 2 ** 28,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupsPerDimension: 65_535,
};

/** Every tensor of an arena begins at a multiple of this. */
export const ARENA_PADDING = 256;

/** Buffers are their names; those that begin so are arenas'. */
const ARENA = 'arena';

/** Some tensors, and the buffers that they lie in. */
export interface World {
  readonly tensors: readonly PlanTensor<string>[];
  /** Weights that nobody steps, as what is left of a tensor of which a part is a parameter. */
  readonly frozen: readonly PlanTensor<string>[];
  readonly byteLengths: ReadonlyMap<string, number>;
  /** Whether a tensor of an arena ends at a byte, and not a part of one. */
  readonly isEnd: (buffer: string, byte: number) => boolean;
}

/** Padding behind each piece of an arena, as it is where pieces are whole tensors. */
export const paddingOf = (buffer: string): number => (buffer.startsWith(ARENA) ? ARENA_PADDING : 0);

/** What planning is told of a device and its buffers; without a world, these are of any length. */
export function factsFor(limits: Partial<PlanLimits> = {}, world?: Partial<World>): StretchFacts<string> {
  const { byteLengths, isEnd } = world ?? {};
  return {
    limits: { ...DEFAULT_LIMITS, ...limits },
    paddingOf: (buffer, end) => (isEnd && !isEnd(buffer, end) ? 0 : paddingOf(buffer)),
    byteLengthOf: (buffer) => byteLengths?.get(buffer) ?? Infinity,
  };
}

/** A piece of a buffer; offset and length in elements. */
export const piece = (buffer: string, element: number, elementCount: number): Piece<string> => ({
  buffer,
  byteOffset: 4 * element,
  elementCount,
});

/** Buffers that are filled from the front. */
class Heap {
  readonly byteLengths = new Map<string, number>();
  readonly #ends = new Set<string>();

  /** So many elements behind what is there: in an arena at the next multiple of its padding, else after a gap. */
  take(buffer: string, elementCount: number, gap: number): Piece<string> {
    const end = this.byteLengths.get(buffer) ?? 0;
    const padding = paddingOf(buffer);
    const byteOffset = padding > 0 ? alignUp(end, padding) : end + 4 * gap;
    const behind = byteOffset + 4 * elementCount;
    this.byteLengths.set(buffer, padding > 0 ? alignUp(behind, 16) : behind);
    this.#ends.add(`${buffer} ${behind}`);
    return { buffer, byteOffset, elementCount };
  }

  readonly isEnd = (buffer: string, byte: number): boolean => this.#ends.has(`${buffer} ${byte}`);

  /** Makes some buffers equally long, so that what is taken next lies at the same places. */
  level(buffers: readonly string[]): void {
    const longest = Math.max(...buffers.map((buffer) => this.byteLengths.get(buffer) ?? 0));
    for (const buffer of buffers) this.byteLengths.set(buffer, longest);
  }
}

const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 2 });
const gap = fc.integer({ min: 0, max: 70 });

/** Element counts of the pieces that fractions cut a tensor into. */
function cutAt(elementCount: number, fractions: readonly number[]): number[] {
  const ends = [...new Set([...fractions.map((f) => Math.floor(f * elementCount)), elementCount])]
    .filter((end) => end > 0)
    .toSorted((a, b) => a - b);
  return ends.map((end, k) => end - (ends[k - 1] ?? 0));
}

/**
 * Worlds of tensors: neighbours in arenas or in a caller's buffers, pieces in several buffers, gradients in the weights'
 * buffer, in whatever order they are named.
 *
 * @param most elements of a tensor.
 */
export function worlds(most: number, maxLength: number): fc.Arbitrary<World> {
  const elementCount = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: most }));
  const drawn = fc.record({
    kind: fc.constantFrom('neighbours', 'neighbours', 'pieces', 'one buffer', 'part'),
    elementCount,
    home: fc.constantFrom('arena', 'own'),
    dataCuts: cuts,
    gradCuts: cuts,
    buffers: fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4)),
    gap,
    isFirst: fc.boolean(),
  });
  return fc
    .tuple(
      fc.array(drawn, { minLength: 1, maxLength }),
      fc.boolean(),
      fc.double({ min: 0, max: 1, noNaN: true }),
    )
    .map(([list, isDense, turn]) => {
      const heap = new Heap();
      const frozen: PlanTensor<string>[] = [];
      const tensors = list.map(({ kind, home, dataCuts, gradCuts, buffers, isFirst, ...each }, index) => {
        const at = isDense ? 0 : each.gap;
        const pieces = (role: string, fractions: readonly number[]) =>
          cutAt(each.elementCount, fractions).map((count, k) =>
            heap.take(`${buffers[k]! % 2 === 0 ? home : 'own'} ${role} ${buffers[k]!}`, count, at),
          );
        if (kind === 'pieces') {
          const [data, grad] = [pieces('data', dataCuts), pieces('grad', gradCuts)];
          return { index, row: 0, data, grad };
        }
        if (kind === 'one buffer') {
          const two = [0, 1].map(() => [heap.take(`${home} both`, each.elementCount, at)]);
          return { index, row: 0, data: two[isFirst ? 1 : 0]!, grad: two[isFirst ? 0 : 1]! };
        }
        const pair = ['w', 'g'].map((role) => `${home} ${role}`);
        heap.level(pair);
        const rest = kind === 'part' ? each.gap : 0;
        const whole = pair.map((buffer) => heap.take(buffer, each.elementCount + rest, at));
        if (rest > 0) {
          const data = [skipElements(whole[0]!, each.elementCount)];
          frozen.push({ index: list.length + index, row: 0, data });
        }
        const [data, grad] = whole.map((one) => [{ ...one, elementCount: each.elementCount }]);
        return { index, row: 0, data: data!, grad: grad! };
      });
      const from = Math.floor(turn * tensors.length);
      return {
        tensors: [...tensors.slice(from), ...tensors.slice(0, from)],
        frozen,
        byteLengths: heap.byteLengths,
        isEnd: heap.isEnd,
      };
    });
}
