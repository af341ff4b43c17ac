/** What moves numbers and changes none: shapes, parts, rows of tables. */
import { type Shape, elementCount, resolveReshape, showShape } from '../tensor.js';
import { axisOf, integer, integers, integersGiven, isSet, range, text } from './attributes.js';
import { broadcast, sumTo } from './broadcast.js';
import { cast, equal, pad, reshape, select, slice, transpose, zeros } from './forms.js';
import {
  type Backward,
  FLOAT,
  type Forward,
  type Operator,
  type OperatorGraph,
  type Operators,
} from './operator.js';

/** The largest one-hot matrix that a table's gradient makes at once: 64 MiB. */
const ONE_HOT_ELEMENTS = 2 ** 24;

/** An operator after which the same numbers lie in the same order. */
const reshaping = (shape: (forward: Forward, input: Shape) => Shape): Operator => ({
  shapes: (forward) => [shape(forward, forward.inputs[0] ?? [])],
  backward: ({ graph, node, gradient }) => [reshape(graph, gradient, graph.shape(node.input![0]!))],
});

export const movements: Operators = {
  Flatten: reshaping(({ node }, input) => {
    const given = integer(node, 'axis', 1);
    const axis = given < 0 ? given + input.length : given;
    return [elementCount(input.slice(0, axis)), elementCount(input.slice(axis))];
  }),
  Reshape: reshaping((forward, input) => {
    const asked = integersGiven(forward, 'shape', 1) ?? [];
    return resolveReshape(input, asked, isSet(forward.node, 'allowzero'));
  }),
  Squeeze: reshaping((forward, input) => {
    const given = integersGiven(forward, 'axes', 1)?.map((axis) => axisOf(axis, input.length));
    return input.filter((size, axis) => (given ? !given.includes(axis) : size !== 1));
  }),
  Unsqueeze: reshaping((forward, input) => {
    const given = integersGiven(forward, 'axes', 1) ?? [];
    const axes = given.map((axis) => axisOf(axis, input.length + given.length));
    const sizes = [...input];
    return range(input.length + axes.length).map((axis) => (axes.includes(axis) ? 1 : sizes.shift()!));
  }),
  Transpose: {
    shapes: ({ node, inputs: [input = []] }) => [orderOf(node, input.length).map((axis) => input[axis]!)],
    backward: ({ graph, node, gradient }) => {
      const order = orderOf(node, graph.shape(gradient).length);
      return [
        transpose(
          graph,
          gradient,
          range(order.length).map((axis) => order.indexOf(axis)),
        ),
      ];
    },
  },
  Expand: {
    shapes: (forward) => [broadcast(forward.inputs[0] ?? [], integersGiven(forward, 'shape', 1) ?? [])],
    backward: ({ graph, node, gradient }) => [sumTo(graph, gradient, graph.shape(node.input![0]!))],
  },
  Concat: {
    shapes: ({ node, inputs }) => {
      const [first = []] = inputs;
      const along = axisOf(integer(node, 'axis', 1), first.length);
      const isBeside = (shape: Shape): boolean =>
        shape.length === first.length && shape.every((size, axis) => axis === along || size === first[axis]);
      if (!inputs.every(isBeside))
        throw new Error(
          `shapes ${inputs.map(showShape).join(' and ')} do not go together along axis ${along}.`,
        );
      const total = inputs.reduce((sum, shape) => sum + shape[along]!, 0);
      return [first.map((size, axis) => (axis === along ? total : size))];
    },
    backward: ({ graph, node, gradient, isNeeded }) => {
      const along = axisOf(integer(node, 'axis', 1), graph.shape(gradient).length);
      let end = 0;
      return node.input!.map((input, k) => {
        const start = end;
        end += graph.shape(input)[along]!;
        return isNeeded(k)
          ? slice(graph, gradient, { starts: [start], ends: [end], axes: [along] })
          : undefined;
      });
    },
  },
  Split: {
    shapes: (forward) => partsOf(forward, forward.inputs[0] ?? []),
    types: ({ graph, node }) => node.output!.map(() => graph.elementType(node.input![0]!)),
    isSplit: true,
    backward: (context) => {
      const { graph, node, gradients } = context;
      const shape = graph.shape(node.input![0]!);
      const axis = axisOf(integer(node, 'axis', 0), shape.length);
      const parts = partsOf(context, shape);
      return [
        graph.add(
          'Concat',
          gradients.map((name, k) => name ?? zeros(graph, parts[k]!)),
          { axis },
        ),
      ];
    },
  },
  Slice: {
    shapes: (forward) => {
      const [input = []] = forward.inputs;
      const cuts = cutsOf(forward, input);
      return [input.map((size, axis) => cuts.get(axis)?.count ?? size)];
    },
    backward: (context) => {
      const { graph, node, gradient } = context;
      const shape = graph.shape(node.input![0]!);
      return [
        [...cutsOf(context, shape)].reduce(
          (value, [axis, cut]) => uncut(graph, value, axis, shape[axis]!, cut),
          gradient,
        ),
      ];
    },
  },
  Pad: {
    shapes: (forward) => {
      const [input = []] = forward.inputs;
      const pads = padsOf(forward, input.length);
      return [input.map((size, axis) => size + pads[axis]! + pads[axis + input.length]!)];
    },
    note: 'with a constant',
    backward: (context) => {
      const { graph, node, gradient } = context;
      const mode = text(node, 'mode', 'constant');
      if (mode !== 'constant') throw new Error(`its mode is ${mode}; gradients are known for constant.`);
      const shape = graph.shape(node.input![0]!);
      const pads = padsOf(context, shape.length);
      if (pads.some((count) => count < 0))
        throw new Error('it has negative pads; gradients are known for those that add.');
      const axes = range(shape.length);
      return [
        slice(graph, gradient, {
          starts: axes.map((k) => pads[k]!),
          ends: axes.map((k) => pads[k]! + shape[k]!),
          axes,
        }),
      ];
    },
  },
  Gather: {
    shapes: ({ node, inputs: [data = [], indices = []] }) => {
      const axis = axisOf(integer(node, 'axis', 0), data.length);
      return [[...data.slice(0, axis), ...indices, ...data.slice(axis + 1)]];
    },
    note: 'a table’s gradient is a product with a matrix of ones and zeros, rows of the table by indices: it costs what a layer costs that scores each row',
    backward: gatherGradient,
  },
};

function orderOf(node: Forward['node'], rank: number): readonly number[] {
  return integers(node, 'perm') ?? range(rank).toReversed();
}

function padsOf(context: Pick<Forward, 'graph' | 'node'>, rank: number): readonly number[] {
  const pads = integersGiven(context, 'pads', 1) ?? [];
  const axes = context.node.input?.[3] ? integersGiven(context, 'axes', 3)! : range(rank);
  const full = range(2 * rank).map(() => 0);
  axes.forEach((axis, k) => {
    full[axisOf(axis, rank)] = pads[k]!;
    full[axisOf(axis, rank) + rank] = pads[k + axes.length]!;
  });
  return full;
}

/** The shapes of a split's parts; without sizes they are alike, the last one smaller if need be. */
function partsOf(context: Pick<Forward, 'graph' | 'node'>, shape: Shape): Shape[] {
  const { node } = context;
  const axis = axisOf(integer(node, 'axis', 0), shape.length);
  const count = node.output!.length;
  const size = Math.ceil(shape[axis]! / count);
  const sizes =
    integersGiven(context, 'split', 1) ?? range(count).map((k) => Math.min(size, shape[axis]! - k * size));
  if (sizes.reduce((sum, part) => sum + part, 0) !== shape[axis])
    throw new Error(`parts of ${showShape(sizes)} do not make up axis ${axis} of ${showShape(shape)}.`);
  return sizes.map((part) => shape.map((whole, k) => (k === axis ? part : whole)));
}

/** Elements start, start + step, …, `count` of them. */
interface Cut {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

function cutsOf(context: Pick<Forward, 'graph' | 'node'>, shape: Shape): Map<number, Cut> {
  const starts = integersGiven(context, 'starts', 1) ?? [];
  const ends = integersGiven(context, 'ends', 2) ?? [];
  const axes = integersGiven(context, 'axes', 3) ?? range(starts.length);
  const steps = integersGiven(context, 'steps', 4) ?? starts.map(() => 1);
  return new Map(
    axes.map((given, k) => {
      const axis = axisOf(given, shape.length);
      const [size, step] = [shape[axis]!, steps[k]!];
      // Places in front of the first element exist for steps that go down.
      const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
      const place = (at: number): number => Math.min(Math.max(at < 0 ? at + size : at, low), high);
      const [start, end] = [Math.min(Math.max(place(starts[k]!), 0), high), place(ends[k]!)];
      return [axis, { start, step, count: Math.max(0, Math.ceil((end - start) / step)) }];
    }),
  );
}

/** Puts a cut's elements back among zeros, along one axis. */
function uncut(graph: OperatorGraph, value: string, axis: number, size: number, cut: Cut): string {
  const { start, step, count } = cut;
  const shape = graph.shape(value);
  const along = (length: number): number[] => shape.map((_, k) => (k === axis ? length : 0));
  if (step === 1) return pad(graph, value, along(start), along(size - start - count));
  const stride = Math.abs(step);
  const forwards =
    step > 0 ? value : slice(graph, value, { starts: [-1], ends: [-count - 1], axes: [axis], steps: [-1] });
  // Zeros behind each element, in an axis of their own.
  const apart = reshape(graph, forwards, [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)]);
  const behind = [...shape, 0].map((_, k) => (k === axis + 1 ? stride - 1 : 0));
  const none = behind.map(() => 0);
  const spaced = reshape(
    graph,
    pad(graph, apart, none, behind),
    shape.map((own, k) => (k === axis ? own * stride : own)),
  );
  const first = step > 0 ? start : start + (count - 1) * step;
  const fitting = slice(graph, spaced, {
    starts: [0],
    ends: [Math.min(count * stride, size - first)],
    axes: [axis],
  });
  return pad(graph, fitting, along(first), along(size - first - Math.min(count * stride, size - first)));
}

/**
 * Rows that were taken several times have the sum of their gradients: a product with a matrix that is 1 where a row was taken.
 * It is made in parts where it would be too large for a buffer.
 */
function gatherGradient({ graph, node, gradient }: Backward): (string | undefined)[] {
  const [data, indices] = node.input as [string, string];
  const shape = graph.shape(data);
  const axis = axisOf(integer(node, 'axis', 0), shape.length);
  const [front, rowCount, behind] = [shape.slice(0, axis), shape[axis]!, shape.slice(axis + 1)];
  const taken = elementCount(graph.shape(indices));
  const row = elementCount([...front, ...behind]);
  const sizes = [elementCount(front), taken, elementCount(behind)];
  const byRow = transpose(graph, reshape(graph, gradient, sizes), [1, 0, 2]);
  const rows = reshape(graph, byRow, [taken, row]);

  const given = cast(graph, reshape(graph, indices, [1, taken]), FLOAT);
  const isNegative = graph.add('Less', [given, graph.constant(0)]);
  const places = graph.add('Add', [given, select(graph, isNegative, graph.constant(rowCount))]);
  const perPart = Math.max(1, Math.floor(ONE_HOT_ELEMENTS / taken));
  const parts = range(Math.ceil(rowCount / perPart)).map((part) => {
    const count = Math.min(perPart, rowCount - part * perPart);
    const numbers = Float32Array.from({ length: count }, (_, k) => part * perPart + k);
    const isTaken = equal(graph, graph.constant({ dims: [count, 1], data: numbers }), places);
    return graph.add('MatMul', [cast(graph, isTaken, FLOAT), rows]);
  });
  const table = parts.length === 1 ? parts[0]! : graph.add('Concat', parts, { axis: 0 });
  const full = reshape(graph, table, [rowCount, elementCount(front), elementCount(behind)]);
  return [reshape(graph, transpose(graph, full, [1, 0, 2]), shape)];
}
