import { alignUp } from '../kernel/alignment.js';
import { LANES_PER_PARTIAL } from '../kernel/measure-shape.js';
import { bindPiece, bindingAlignment, cutTogether } from './cut.js';
import { joinRuns } from './join.js';
import { type Access, type Binding, LANE, type Piece, type PlanLimits, type PlanTensor } from './pieces.js';
import { type GradientRun, findRuns } from './reduction.js';
import { type StretchFacts, canRead, extend, unitOf } from './stretch.js';

/** What one workgroup measures: some neighbouring elements of one tensor. */
export interface NormPortion {
  /** Which of the ranges that its dispatch binds. */
  readonly source: number;
  /** Where it begins in the bound array, in units of that. */
  readonly base: number;
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

/** Elements of a copy that lie behind one another. */
export interface CopyPlace {
  readonly slab: number;
  readonly lane: number;
  readonly elementCount: number;
}

/** How norms of tensors are measured, each by itself, many to a dispatch. */
export interface NormPlan<B> {
  readonly runs: readonly GradientRun<B>[];
  readonly dispatches: readonly NormDispatch<B>[];
  readonly copies: readonly CopiedPortions[];
  readonly portions: readonly NormPortion[];
  readonly items: readonly NormItem[];
  readonly partialCount: number;
  /** Per tensor, by its index, where its gradient is copied to. */
  readonly places: ReadonlyMap<number, readonly CopyPlace[]>;
  readonly slabLaneCounts: readonly number[];
}

/** A bound range of a run of neighbours. */
interface Source<B> {
  readonly run: number;
  readonly row: number;
  readonly access: Access;
  readonly binding: Binding<B>;
}

/** The part of a tensor that lies in one such range. */
interface Fragment<B> {
  readonly index: number;
  /** Its place among the tensor's, as a piece and an element of that. */
  readonly order: readonly [piece: number, element: number];
  readonly source: Source<B>;
  readonly base: number;
  readonly elementCount: number;
}

/** Lanes from which on a copy begins where a binding may. */
const LARGE_LANES = 1024;
/** More would make kernels longer, and save less and less. */
const MOST_TOGETHER = 8;

/**
 * Plans the norms of tensors' gradients.
 *
 * A partial is of up to 8192 elements, counted from where the tensor begins or is cut: equal input in equal pieces gives equal
 * bits, wherever it lies.
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
  const itemOf = new Map(items.map(({ index }, k) => [index, k]));
  const portions: NormPortion[] = [];
  const dispatches: NormDispatch<B>[] = [];
  const copies: CopiedPortions[] = [];
  const capacity = Math.min(facts.limits.maxStorageBuffersPerShaderStage - (isCopied ? 2 : 1), MOST_TOGETHER);
  const slabOf = (fragment: Fragment<B>) => placeOf.get(fragment)?.slab ?? 0;
  for (const group of groupBy(fragments, (each) => `${each.source.row} ${slabOf(each)}`)) {
    const { row } = group[0]!.source;
    const slab = slabOf(group[0]!);
    const firstOfGroup = portions.length;
    for (const alike of groupBy(group, ({ source }) => source.access)) {
      for (const together of shareSources(alike, capacity)) {
        const sources = [...new Set(together.map(({ source }) => source))];
        const firstPortion = portions.length;
        for (const fragment of together) {
          const { source, base, elementCount, index } = fragment;
          for (let done = 0, k = 0; done < elementCount; done += PARTIAL_ELEMENTS, k++) {
            portions.push({
              source: sources.indexOf(source),
              base: base + (source.access === 'vector' ? done / LANE : done),
              elementCount: Math.min(elementCount - done, PARTIAL_ELEMENTS),
              partial: firstPartialOf.get(fragment)! + k,
              lane: (placeOf.get(fragment)?.lane ?? 0) + done / LANE,
              item: itemOf.get(index)!,
            });
          }
        }
        const portionCount = portions.length - firstPortion;
        dispatches.push({
          row,
          access: alike[0]!.source.access,
          slab,
          parts: sources,
          firstPortion,
          portionCount,
        });
      }
    }
    copies.push({ row, slab, firstPortion: firstOfGroup, portionCount: portions.length - firstOfGroup });
  }
  const places = new Map(
    [...ofTensor].map(([index, list]) => [
      index,
      list.flatMap((fragment) => {
        const place = placeOf.get(fragment);
        return place ? [{ ...place, elementCount: fragment.elementCount }] : [];
      }),
    ]),
  );
  return {
    runs,
    dispatches,
    copies,
    portions,
    items,
    partialCount,
    places,
    slabLaneCounts: slabs.laneCounts,
  };
}

const PARTIAL_ELEMENTS = LANE * LANES_PER_PARTIAL;

const partialsOf = ({ elementCount }: Fragment<unknown>): number =>
  Math.ceil(elementCount / PARTIAL_ELEMENTS);

/** A run's tensors, cut where bindings need it. */
function fragmentsOf<B>(
  { piece, row, members }: GradientRun<B>,
  run: number,
  facts: StretchFacts<B>,
): Fragment<B>[] {
  const alignment = bindingAlignment(facts.limits);
  let first = 0;
  return cutTogether([piece], undefined, undefined, facts.limits).flatMap(({ data }) => {
    const [from, end] = [first, (first += data.elementCount)];
    const own = members.filter(({ start, elementCount }) => start < end && start + elementCount > from);
    const begins = own.map(({ start }) => Math.max(start, from));
    const isAligned = begins.every((element) => byteOf(piece, element) % (4 * LANE) === 0);
    const access = isAligned && canRead(data, facts) ? 'vector' : 'gather';
    const source = { run, row, access, binding: extend(bindPiece(data, alignment), access) } as const;
    return own.map(({ index, piece: k, start, elementCount }, m): Fragment<B> => ({
      index,
      order: [k, begins[m]! - start],
      source,
      base: (byteOf(piece, begins[m]!) - source.binding.offset) / unitOf(access),
      elementCount: Math.min(start + elementCount, end) - begins[m]!,
    }));
  });
}

const byteOf = ({ byteOffset }: Piece<unknown>, element: number): number => byteOffset + 4 * element;

type Place = Pick<CopyPlace, 'slab' | 'lane'>;

/** Packs copies one behind the other into as few buffers as one binding each can reach. */
class Slabs {
  readonly laneCounts: number[] = [];
  readonly most: number;
  readonly #alignment: number;

  constructor(limits: PlanLimits) {
    const { maxStorageBufferBindingSize, maxBufferSize } = limits;
    this.most = Math.floor(Math.min(maxStorageBufferBindingSize, maxBufferSize) / (4 * LANE));
    this.#alignment = bindingAlignment(limits) / (4 * LANE);
  }

  allocate(laneCount: number): Place {
    const last = this.laneCounts.length - 1;
    const lane = alignUp(this.laneCounts[last] ?? 0, laneCount >= LARGE_LANES ? this.#alignment : 1);
    if (last >= 0 && lane + laneCount <= this.most) {
      this.laneCounts[last] = lane + laneCount;
      return { slab: last, lane };
    }
    this.laneCounts.push(laneCount);
    return { slab: last + 1, lane: 0 };
  }
}

/** Gives each gradient a place. Tensors that dispatches cover as one stay as far from one another as they are. */
function placeCopies<B>(
  tensors: readonly PlanTensor<B>[],
  ofTensor: ReadonlyMap<number, readonly Fragment<B>[]>,
  { paddingOf }: StretchFacts<B>,
  slabs: Slabs,
): Map<Fragment<B>, Place> {
  const places = new Map<Fragment<B>, Place>();
  for (const { members } of joinRuns(tensors, paddingOf)) {
    const last = members.at(-1)!;
    const laneCount = Math.ceil((last.start + last.elementCount) / LANE);
    const isOne =
      laneCount <= slabs.most &&
      members.every(({ index, start }) => start % LANE === 0 && ofTensor.get(index)!.length === 1);
    if (isOne) {
      const { slab, lane } = slabs.allocate(laneCount);
      for (const { index, start } of members) {
        places.set(ofTensor.get(index)![0]!, { slab, lane: lane + start / LANE });
      }
      continue;
    }
    for (const { index } of members) {
      for (const fragment of ofTensor.get(index)!) {
        places.set(fragment, slabs.allocate(Math.ceil(fragment.elementCount / LANE)));
      }
    }
  }
  return places;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const lists = new Map<string, T[]>();
  for (const item of items) {
    const list = lists.get(keyOf(item));
    if (list) list.push(item);
    else lists.set(keyOf(item), [item]);
  }
  return [...lists.values()];
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
