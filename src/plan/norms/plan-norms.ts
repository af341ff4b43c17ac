import { LANES_PER_PARTIAL } from '../../kernel/measure-shape.js';
import { groupBy } from '../join.js';
import { type Access, type Codec, isByCells, LANE } from '../../codecs/codec.js';
import { type Binding, type PlanTensor } from '../pieces.js';
import { type GradientRun, findRuns } from '../reduction.js';
import type { ReductionTable } from '../reduction-rows.js';
import type { StretchFacts } from '../stretch.js';
import { type CopyPlace, type Place, Slabs, placeCopies } from './copies.js';
import { type Fragment, type Source, fragmentsOf } from './fragments.js';

/** What one workgroup measures: some neighbouring elements of one tensor. */
export interface NormPortion {
  /** Which of the ranges that its dispatch binds. */
  readonly source: number;
  /** Where it begins in the bound array, in units of that; of rows that lie apart, where their first one does. */
  readonly base: number;
  /** How many elements of that range of its tensor lie before it. */
  readonly first: number;
  readonly elementCount: number;
  /** Its partial, among all. */
  readonly partial: number;
  /** The lane of the slab that it is copied to, if it is. */
  readonly lane: number;
  /** The tensor's place in the list of items. */
  readonly item: number;
}

/** One measuring dispatch: portions that lie behind one another in the list, of a few bound ranges. */
export interface NormDispatch<B> {
  readonly row: number;
  readonly access: Access;
  readonly codec?: Codec;
  /** As of its only source. */
  readonly table?: ReductionTable<B>;
  readonly slab: number;
  readonly parts: readonly { readonly run: number; readonly binding: Binding<B> }[];
  readonly firstPortion: number;
  readonly portionCount: number;
}

/** Portions of one row that are copied to one slab. */
export type CopiedPortions = Pick<NormDispatch<unknown>, 'row' | 'slab' | 'firstPortion' | 'portionCount'>;

/** A tensor: its partials lie behind one another. */
export interface NormItem {
  readonly index: number;
  readonly firstPartial: number;
  readonly partialCount: number;
}

/** How norms of tensors are measured, each by itself, many to a dispatch. */
export interface NormPlan<B> {
  readonly runs: readonly GradientRun<B>[];
  readonly dispatches: readonly NormDispatch<B>[];
  readonly copies: readonly CopiedPortions[];
  readonly portions: readonly NormPortion[];
  /** In the order of the tensors. */
  readonly items: readonly NormItem[];
  readonly partialCount: number;
  /** Per tensor, by its index, where its gradient is copied to. */
  readonly places: ReadonlyMap<number, readonly CopyPlace[]>;
  readonly slabLaneCounts: readonly number[];
}

/** More would make kernels longer, and save less and less. */
const MOST_TOGETHER = 8;
const PARTIAL_ELEMENTS = LANE * LANES_PER_PARTIAL;

/**
 * Plans the norms of tensors' gradients.
 *
 * A partial is of up to 8192 elements, counted from where the tensor begins or is cut: equal input in equal pieces gives equal
 * bits, wherever it lies. That is the tree of stages/measure.
 *
 * @param isCopied whether gradients are copied on the way, each from a whole lane on; neighbours stay neighbours.
 */
export function planNorms<B>(
  tensors: readonly PlanTensor<B>[],
  facts: StretchFacts<B>,
  isCopied: boolean,
): NormPlan<B> {
  const runs = findRuns(tensors, facts);
  const fragments = runs.flatMap((run, k) => fragmentsOf(run, k, facts));
  const ofTensor = new Map(tensors.map(({ index }) => [index, [] as Fragment<B>[]]));
  for (const fragment of fragments) ofTensor.get(fragment.index)!.push(fragment);
  for (const list of ofTensor.values()) {
    list.sort((a, b) => a.order[0] - b.order[0] || a.order[1] - b.order[1]);
  }
  const slabs = new Slabs(facts.limits);
  const placeOf = isCopied ? placeCopies(tensors, ofTensor, facts, slabs) : new Map<Fragment<B>, Place>();
  const { items, firstPartialOf, partialCount } = countPartials(ofTensor);
  const itemOf = new Map(items.map(({ index }, k) => [index, k]));
  const portionsOf = (fragment: Fragment<B>, source: number): NormPortion[] => {
    const { base, elementCount, index } = fragment;
    const { access } = fragment.source;
    const unit = access === 'vector' ? LANE : 1;
    return Array.from({ length: partialsOf(fragment) }, (_, k) => {
      const first = k * PARTIAL_ELEMENTS;
      return {
        source,
        base: isByCells(access) ? base : base + first / unit,
        first,
        elementCount: Math.min(elementCount - first, PARTIAL_ELEMENTS),
        partial: firstPartialOf.get(fragment)! + k,
        lane: (placeOf.get(fragment)?.lane ?? 0) + first / LANE,
        item: itemOf.get(index)!,
      };
    });
  };
  const portions: NormPortion[] = [];
  const dispatches: NormDispatch<B>[] = [];
  const copies: CopiedPortions[] = [];
  const capacity = Math.min(facts.limits.maxStorageBuffersPerShaderStage - (isCopied ? 2 : 1), MOST_TOGETHER);
  const slabOf = (fragment: Fragment<B>) => placeOf.get(fragment)?.slab ?? 0;
  for (const group of groupBy(fragments, (each) => `${each.source.row} ${slabOf(each)}`)) {
    const { row } = group[0]!.source;
    const slab = slabOf(group[0]!);
    const firstOfGroup = portions.length;
    // A table has kernels of its own.
    for (const alike of groupBy(group, ({ source }) =>
      source.table ? source : `${source.access} ${source.codec?.name}`,
    )) {
      for (const together of shareSources(alike, capacity)) {
        const firstPortion = portions.length;
        const parts = [...new Set(together.map(({ source }) => source))];
        const place = new Map(parts.map((source, k) => [source, k]));
        for (const fragment of together) {
          for (const portion of portionsOf(fragment, place.get(fragment.source)!)) portions.push(portion);
        }
        const portionCount = portions.length - firstPortion;
        const { access, codec, table } = parts[0]!;
        const kind = { row, access, ...(codec && { codec }), ...(table && { table }) };
        dispatches.push({ ...kind, slab, parts, firstPortion, portionCount });
      }
    }
    copies.push({ row, slab, firstPortion: firstOfGroup, portionCount: portions.length - firstOfGroup });
  }
  const copied = (fragment: Fragment<B>): CopyPlace[] => {
    const place = placeOf.get(fragment);
    return place ? [{ ...place, elementCount: fragment.elementCount }] : [];
  };
  const places = new Map([...ofTensor].map(([index, list]) => [index, list.flatMap(copied)]));
  const slabLaneCounts = slabs.laneCounts;
  return { runs, dispatches, copies, portions, items, partialCount, places, slabLaneCounts };
}

const partialsOf = ({ elementCount }: Fragment<unknown>): number =>
  Math.ceil(elementCount / PARTIAL_ELEMENTS);

/** The tensors' partials, behind one another and in the tensors' order. */
function countPartials<B>(ofTensor: ReadonlyMap<number, readonly Fragment<B>[]>): {
  items: NormItem[];
  firstPartialOf: ReadonlyMap<Fragment<B>, number>;
  partialCount: number;
} {
  let partialCount = 0;
  const firstPartialOf = new Map<Fragment<B>, number>();
  const items = [...ofTensor].map(([index, list]): NormItem => {
    const firstPartial = partialCount;
    for (const fragment of list) {
      firstPartialOf.set(fragment, partialCount);
      partialCount += partialsOf(fragment);
    }
    return { index, firstPartial, partialCount: partialCount - firstPartial };
  });
  return { items, firstPartialOf, partialCount };
}

/** Cuts a list so that each part is of no more sources than a kernel can bind. */
function shareSources<B>(fragments: readonly Fragment<B>[], capacity: number): Fragment<B>[][] {
  const parts: Fragment<B>[][] = [];
  let sources = new Set<Source<B>>();
  for (const fragment of fragments) {
    if (parts.length === 0 || (!sources.has(fragment.source) && sources.size === capacity)) {
      parts.push([]);
      sources = new Set();
    }
    sources.add(fragment.source);
    parts.at(-1)!.push(fragment);
  }
  return parts;
}
