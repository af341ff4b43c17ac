/** Arrays of float64 for the evaluation of ONNX graphs in tests. Plain loops, so that they can be read beside the standard. */

export interface Array64 {
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

export const count = (dims: readonly number[]): number => dims.reduce((product, n) => product * n, 1);

/** Calls for each place of a shape, the last axis fastest. */
export function each(dims: readonly number[], visit: (at: readonly number[], index: number) => void): void {
  const at = dims.map(() => 0);
  const total = count(dims);
  for (let index = 0; index < total; index++) {
    visit(at, index);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      if (++at[axis]! < dims[axis]!) break;
      at[axis] = 0;
    }
  }
}

/** Makes an array from a number per place. */
export function fill(dims: readonly number[], value: (at: readonly number[]) => number): Array64 {
  const data = new Float64Array(count(dims));
  each(dims, (at, index) => (data[index] = value(at)));
  return { dims: [...dims], data };
}

/** The number at a place; axes of 1 are stretched, leading places without an axis left out. */
export function read({ dims, data }: Array64, at: readonly number[]): number {
  let index = 0;
  const added = at.length - dims.length;
  for (let axis = 0; axis < dims.length; axis++)
    index = index * dims[axis]! + (dims[axis] === 1 ? 0 : at[axis + added]!);
  return data[index]!;
}

/** Adds to the number at a place. */
export function add({ dims, data }: Array64, at: readonly number[], value: number): void {
  const index = dims.reduce((sum, size, axis) => sum * size + at[axis]!, 0);
  data[index]! += value;
}

export const together = (shapes: readonly (readonly number[])[]): number[] => {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) =>
    Math.max(...shapes.map((shape) => shape[axis - rank + shape.length] ?? 1)),
  );
};

/** A function of the numbers of some arrays, stretched to go together. */
export function zip(inputs: readonly Array64[], compute: (...numbers: number[]) => number): Array64 {
  const dims = together(inputs.map((input) => input.dims));
  return fill(dims, (at) => compute(...inputs.map((input) => read(input, at))));
}

/** Reduces some axes to one number each. */
export function fold(
  x: Array64,
  axes: readonly number[],
  isKept: boolean,
  reduce: (numbers: number[]) => number,
): Array64 {
  const kept = x.dims.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const groups = new Map<string, number[]>();
  each(x.dims, (at, index) => {
    const key = at.map((place, axis) => (axes.includes(axis) ? 0 : place)).join();
    const group = groups.get(key) ?? [];
    group.push(x.data[index]!);
    groups.set(key, group);
  });
  const full = fill(kept, (at) => reduce(groups.get(at.join())!));
  return { dims: isKept ? kept : x.dims.filter((_, axis) => !axes.includes(axis)), data: full.data };
}

export const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
