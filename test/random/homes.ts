import type { Random } from '../../proof/random.js';
import type { Parameter, ParameterArena } from '../../src/index.js';
import { type Memory, type Place, bindingOf } from './memory.js';
import type { TensorPlan } from './plans.js';
import type { Home } from './twin-tensor.js';

/** Gives tensors a home in the caller's buffers, with weights and gradients in it. */
export function makeHomes(tensors: readonly TensorPlan[], memory: Memory, random: Random): Home[] {
  const lengths: number[] = [];
  const ask = (length: number) => lengths.push(length) - 1;
  const asked = tensors.map(({ length, cut, hasMicro, sparse }) => {
    const pieces = () => (cut === undefined ? [ask(length)] : [ask(cut), ask(length - cut)]);
    const data = pieces();
    if (!sparse) return { data, grad: pieces(), micro: hasMicro ? pieces() : undefined };
    const { rowLength, entryCount, hasCount } = sparse;
    const indices = ask(entryCount);
    return { data, grad: [ask(entryCount * rowLength)], indices, count: hasCount ? ask(1) : undefined };
  });
  const places = memory.allocate(lengths, random);
  const at = (indices: readonly number[]) => indices.map((k) => places[k]!);
  return asked.map(({ data, grad, micro, indices, count }, k): Home => {
    const { sparse } = tensors[k]!;
    return {
      data: at(data),
      grad: at(grad),
      ...(micro && { micro: at(micro) }),
      ...(sparse && {
        sparse: {
          rowLength: sparse.rowLength,
          indices: places[indices!]!,
          ...(count !== undefined && { count: places[count]! }),
        },
      }),
    };
  });
}

/** The homes that an arena gives. */
export function arenaHomes(arena: ParameterArena, tensors: readonly TensorPlan[], memory: Memory): Home[] {
  const place = ({ buffer, offset, size }: Required<GPUBufferBinding>): Place[] => [
    { buffer: memory.adopt(buffer), first: offset / 4, length: size / 4 },
  ];
  return tensors.map(({ name }) => ({ data: place(arena.view(name)), grad: place(arena.gradView(name)) }));
}

/** A tensor as the library is given it. */
export function parameterOf(
  { name }: { readonly name: string },
  { data, grad, micro, sparse }: Home,
): Parameter {
  const ranges = (places: readonly Place[]) =>
    places.length === 1 ? bindingOf(places[0]!) : places.map((place) => bindingOf(place));
  if (!sparse)
    return { name, data: ranges(data), grad: ranges(grad), ...(micro && { microGrad: ranges(micro) }) };
  const { rowLength, indices, count } = sparse;
  return {
    name,
    data: ranges(data),
    rowLength,
    grad: {
      indices: bindingOf(indices),
      values: bindingOf(grad[0]!),
      ...(count && { count: bindingOf(count) }),
    },
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
  const lengthOf = (places: readonly Place[]) => places.reduce((sum, { length }) => sum + length, 0);
  for (const home of homes) {
    const { grad, micro, sparse, data } = home;
    const values = draw(lengthOf(grad));
    if (home === poisoned) values[random.integer(values.length)] = poison!;
    memory.write(grad, values);
    if (micro) memory.write(micro, draw(lengthOf(micro)));
    if (!sparse) continue;
    const { rowLength, indices, count } = sparse;
    const rowCount = lengthOf(data) / rowLength;
    // Few rows, so that some are named more than once; now and then one that is not in the table.
    const rows = Uint32Array.from({ length: indices.length }, () =>
      random.integer(random.uniform() < 0.5 ? Math.min(rowCount, 3) : rowCount + 1),
    );
    memory.write([indices], new Float32Array(rows.buffer));
    if (count)
      memory.write([count], new Float32Array(Uint32Array.of(random.integer(indices.length + 2)).buffer));
  }
}
