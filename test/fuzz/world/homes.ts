import type { Random } from '../../../proof/random.js';
import type { Parameter, ParameterArena, SparseGradient } from '../../../src/index.js';
import type { Codec } from '../../../src/codecs/codec.js';
import { resolveCodec, resolveGradCodec } from '../../../src/codecs/weight-dtype.js';
import { type Memory, type Place, type Wanted, bindingOf, countOf, firstOf } from './memory.js';
import type { TensorPlan } from '../case/plans.js';
import type { Home } from '../model/twin-tensor.js';

/** A home whose tensor has so many elements of the room that there is. */
export function atLength(
  room: Home['room'],
  length: number,
  others: Omit<Home, 'room' | 'data' | 'grad'>,
): Home {
  const { data, grad } = room;
  return {
    ...others,
    room,
    data: firstOf(data, length),
    grad: others.sparse ? grad : firstOf(grad, length),
  };
}

/** Gives tensors a home in the caller's buffers, with weights and gradients in it. */
export function makeHomes(tensors: readonly TensorPlan[], memory: Memory, random: Random): Home[] {
  const wanted: Wanted[] = [];
  const ask = (length: number, codec?: Codec, rows?: Wanted['rows']) =>
    wanted.push({ length, rows, codec }) - 1;
  const asked = tensors.map(({ length, cut, hasMicro, sparse, rows, dtype, gradDtype, gradScale, name }) => {
    const codec = resolveCodec(dtype ?? 'f32', 'dtype', name);
    const gradCodec = resolveGradCodec(gradDtype ?? 'f32', gradScale, name);
    const pieces = (gap: number | undefined, own: Codec | undefined, most = length) => {
      const apart = gap && rows ? { length: rows.length, stride: rows.length + gap } : undefined;
      return cut === undefined
        ? [ask(most, own, apart)]
        : [ask(cut, own, apart), ask(most - cut, own, apart)];
    };
    const room = length + (rows ? rows.length * rows.spare : 0);
    const data = pieces(rows?.dataGap, codec, room);
    if (!sparse) {
      const micro = hasMicro ? pieces(0, gradCodec) : undefined;
      return { data, grad: pieces(rows?.gradGap, gradCodec, room), micro };
    }
    const { entryCount, hasCount } = sparse;
    const indices = ask(entryCount);
    const grad = [ask(entryCount * rows!.length, gradCodec)];
    return { data, grad, indices, count: hasCount ? ask(1) : undefined };
  });
  // Neighbours in weights and gradients alike are stepped as one.
  const packs =
    random.uniform() < 0.3 ? [asked.flatMap(({ data }) => data), asked.flatMap(({ grad }) => grad)] : [];
  const places = allocateAll(memory, wanted, random, packs);
  const at = (indices: readonly number[]) => indices.map((k) => places[k]!);
  return asked.map(({ data, grad, micro, indices, count }, k): Home => {
    const { sparse, rows, length } = tensors[k]!;
    const maskLength = rows?.hasMask ? length / rows.length + rows.spare : 0;
    return atLength({ data: at(data), grad: at(grad) }, length, {
      ...(micro && { micro: at(micro) }),
      // In no buffer of weights.
      ...(maskLength > 0 && { mask: memory.allocate([{ length: maskLength }], random)[0]! }),
      ...(sparse && {
        sparse: { indices: places[indices!]!, ...(count !== undefined && { count: places[count]! }) },
      }),
    });
  });
}

/** Places of any codecs: of each there are buffers of its own. */
function allocateAll(
  memory: Memory,
  wanted: readonly Wanted[],
  random: Random,
  packs: readonly (readonly number[])[],
): readonly Place[] {
  const places: Place[] = [];
  for (const codec of new Set(wanted.map((each) => each.codec))) {
    const own = wanted.flatMap((each, k) => (each.codec === codec ? [k] : []));
    const made = memory.allocate(
      own.map((k) => wanted[k]!),
      random,
      packs
        .map((pack) => pack.filter((k) => own.includes(k)).map((k) => own.indexOf(k)))
        .filter(({ length }) => length > 0),
    );
    own.forEach((k, n) => (places[k] = made[n]!));
  }
  return places;
}

/** The homes that an arena gives. */
export function arenaHomes(arena: ParameterArena, tensors: readonly TensorPlan[], memory: Memory): Home[] {
  const place = ({ buffer, offset, size }: Required<GPUBufferBinding>): Place[] => [
    { buffer: memory.adopt(buffer), first: offset / 4, length: size / 4 },
  ];
  return tensors.map(({ name, length }) =>
    atLength({ data: place(arena.view(name)), grad: place(arena.gradView(name)) }, length, {}),
  );
}

/** Ranges as the library is given them. */
export const rangesOf = (places: readonly Place[]): NonNullable<Parameter['data']> =>
  places.length === 1 ? bindingOf(places[0]!) : places.map((place) => bindingOf(place));

/** A sparse gradient as the library is given it. */
export function sparseGradOf({ grad, sparse }: Home): SparseGradient {
  const { indices, count } = sparse!;
  return {
    indices: bindingOf(indices),
    values: bindingOf(grad[0]!),
    ...(count && { count: bindingOf(count) }),
  };
}

/** Whether ranges have more elements than count. */
export function hasMoreRoom({
  room,
  data,
  sparse,
}: Pick<Home, 'room' | 'data'> & { sparse?: Home['sparse'] | undefined }): boolean {
  const length = countOf(data);
  // A whole word more than is theirs.
  const hasHalf = [...room.data, ...(sparse ? [] : room.grad)].some(
    ({ codec, length: held }) => codec && held % codec.blockLength !== 0,
  );
  return hasHalf || countOf(room.data) > length || (!sparse && countOf(room.grad) > length);
}

/** A tensor as the library is given it. */
export function parameterOf(
  { name, shape, rows, constraint, dtype, gradDtype, gradScale }: TensorPlan,
  { room, data, micro, mask, sparse }: Home,
): Parameter {
  const length = countOf(data);
  return {
    name,
    data: rangesOf(room.data),
    ...(shape && { shape }),
    ...(rows && { rowLength: rows.length }),
    ...(rows?.columns && { lrPerColumn: rows.columns }),
    ...(constraint && { constraint }),
    ...(dtype && { dtype }),
    ...(gradDtype && { gradDtype }),
    ...(gradScale !== undefined && { gradScale }),
    ...(hasMoreRoom({ room, data, sparse }) && { length }),
    ...(sparse
      ? { grad: sparseGradOf({ room, data, grad: room.grad, sparse }) }
      : { grad: rangesOf(room.grad) }),
    ...(micro && { microGrad: rangesOf(micro) }),
    ...(mask && { rowMask: bindingOf(mask) }),
  };
}

/** Numbers that new gradients are drawn from. */
export interface GradientKind {
  /** Whether they are small multiples of 1/16. */
  readonly hasExactNorms: boolean;
  /** One of them, in place of a drawn one. */
  readonly poison: number | undefined;
}

/** Writes new gradients to some homes, at this point of the queue. */
export function writeGradients(
  homes: readonly Home[],
  memory: Memory,
  random: Random,
  { hasExactNorms, poison }: GradientKind,
): void {
  const poisoned = poison === undefined ? undefined : random.pick(homes);
  const draw = (length: number) =>
    hasExactNorms
      ? Float32Array.from({ length }, () => (random.integer(17) - 8) / 16)
      : random.gradients(length);
  for (const home of homes) {
    const { room, grad, micro, sparse, mask } = home;
    // Of rows that are to come, too.
    const values = draw(countOf(room.grad));
    // No integer is infinite.
    const isFixed = grad.some(({ codec }) => codec?.convert !== undefined);
    if (home === poisoned && !isFixed) values[random.integer(countOf(grad))] = poison!;
    memory.write(room.grad, values);
    if (micro) memory.write(micro, draw(countOf(micro)));
    if (mask) writeWords(memory, mask, () => (random.uniform() < 0.3 ? 0 : 1 + random.integer(3)));
    if (!sparse) continue;
    const { indices, count } = sparse;
    const rowCount = (countOf(home.data) * indices.length) / countOf(grad);
    // Few rows, so that some are named more than once; now and then one that is not in the table.
    writeWords(memory, indices, () =>
      random.integer(random.uniform() < 0.5 ? Math.min(rowCount, 3) : rowCount + 1),
    );
    if (count) writeWords(memory, count, () => random.integer(indices.length + 2));
  }
}

/** Writes a u32 per element of a place. */
export function writeWords(memory: Memory, place: Place, wordAt: (index: number) => number): void {
  const words = Uint32Array.from({ length: place.length }, (_, k) => wordAt(k));
  memory.write([place], new Float32Array(words.buffer));
}
