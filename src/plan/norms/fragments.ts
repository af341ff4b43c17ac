import { bindPiece, bindingAlignment, cutTogether } from '../cut.js';
import { type Access, type Codec, LANE } from '../../codecs/codec.js';
import { type Binding, elementByteLengthOf } from '../pieces.js';
import type { GradientRun } from '../reduction.js';
import { type ReductionTable, tableOf } from '../reduction-rows.js';
import { type StretchFacts, accessOf, canRead, extend, unitOf } from '../stretch.js';

/** A bound range of a run of neighbours. */
export interface Source<B> {
  readonly run: number;
  readonly row: number;
  readonly access: Access;
  /** How its elements lie in memory, if not as float32. */
  readonly codec?: Codec;
  readonly binding: Binding<B>;
  /** How its rows lie, if that must be known: it has a dispatch of its own. */
  readonly table?: ReductionTable<B>;
}

/** The part of a tensor that lies in one such range. */
export interface Fragment<B> {
  readonly index: number;
  /** Its place among the tensor's, as a piece and an element of that. */
  readonly order: readonly [piece: number, element: number];
  readonly source: Source<B>;
  /** Where it begins in the bound array, in units of that. */
  readonly base: number;
  readonly elementCount: number;
}

/** A run's tensors, cut where bindings need it. */
export function fragmentsOf<B>(
  { piece, row, members, table }: GradientRun<B>,
  run: number,
  facts: StretchFacts<B>,
): Fragment<B>[] {
  const alignment = bindingAlignment(facts.limits);
  let first = 0;
  return cutTogether([piece], undefined, undefined, facts, table).flatMap(({ data, table: rows }) => {
    const [from, end] = [first, (first += data.elementCount)];
    const own = members.filter(({ start, elementCount }) => start < end && start + elementCount > from);
    const begins = own.map(({ start }) => Math.max(start, from));
    // Rows that lie apart are no other tensor's: theirs is the first byte.
    const size = elementByteLengthOf(data);
    const byteOf = (element: number): number => data.byteOffset + size * (element - from);
    const isAligned = begins.every((element) => byteOf(element) % (size * LANE) === 0);
    const access = accessOf(data, isAligned && canRead(data, facts));
    const binding = extend(bindPiece(data, alignment), access, data);
    const source: Source<B> = {
      run,
      row,
      access,
      ...(data.codec && { codec: data.codec }),
      binding,
      ...(rows && { table: tableOf(data, rows, alignment) }),
    };
    return own.map(({ index, piece: k, start, elementCount }, m): Fragment<B> => ({
      index,
      order: [k, begins[m]! - start],
      source,
      base: (byteOf(begins[m]!) - binding.offset) / unitOf(access, data),
      elementCount: Math.min(start + elementCount, end) - begins[m]!,
    }));
  });
}
