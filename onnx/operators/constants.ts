/** What depends on no number of the inputs: constants, and shapes, which are all known. */
import { integers, integersGiven, range, tensor } from './attributes.js';
import { FLOAT, type Forward, INT64, type Operators } from './operator.js';

export const constants: Operators = {
  Constant: {
    shapes: ({ node }) => {
      const value = tensor(node, 'value');
      if (value) return [(value.dims ?? []).map(Number)];
      const [attribute] = node.attribute ?? [];
      const list = attribute?.name?.endsWith('s')
        ? [attribute.ints, attribute.floats, attribute.strings]
        : [];
      return [list.filter((values) => values?.length).map((values) => values!.length)];
    },
    types: ({ node }) => {
      const isFloat = node.attribute?.some(({ name }) => name!.startsWith('value_float'));
      return [tensor(node, 'value')?.dataType ?? (isFloat ? FLOAT : INT64)];
    },
  },
  ConstantOfShape: {
    shapes: (forward) => [integersGiven(forward, 'shape', 0) ?? []],
    types: ({ node }) => [tensor(node, 'value')?.dataType ?? FLOAT],
  },
  Shape: {
    shapes: ({ node, inputs: [input = []] }) => [[input.slice(...spanOf(node)).length]],
    types: () => [INT64],
  },
  Size: { shapes: () => [[]], types: () => [INT64] },
  Range: {
    shapes: (forward) => {
      const [start, limit, delta] = range(3).map((k) => integersGiven(forward, 'bounds', k)?.[0]) as [
        number,
        number,
        number,
      ];
      return [[Math.max(0, Math.ceil((limit - start) / delta))]];
    },
  },
};

/** Which axes a Shape tells; since opset 15, it may be some. */
export function spanOf(node: Forward['node']): [start: number, end?: number] {
  const of = (name: string): number | undefined => {
    const attribute = node.attribute?.find((other) => other.name === name);
    return attribute ? Number(attribute.i ?? 0) : undefined;
  };
  const end = of('end');
  return end === undefined ? [of('start') ?? 0] : [of('start') ?? 0, end];
}

/** The integers of a Constant that holds a number or a list. */
export const listOf = (node: Forward['node']): readonly number[] | undefined => {
  const one = node.attribute?.find(({ name }) => name === 'value_int');
  return one ? [Number(one.i ?? 0)] : integers(node, 'value_ints');
};
