/**
 * Whole numbers that follow from shapes and constants alone. Exporters compute shapes with such nodes; as all shapes are known
 * here, so are they.
 */
import type { onnx } from 'onnx-proto';
import { type Shape, elementCount, readIntegers } from '../tensor.js';
import { axisOf, range, tensor } from './attributes.js';
import { listOf, spanOf } from './constants.js';
import type { Forward } from './operator.js';

type Numbers = readonly number[];

/** A list longer than this is data. */
const LONGEST = 1024;

/** A node whose inputs are all known, and so its result. */
type Fold = (forward: Forward, values: readonly Numbers[], output: Shape) => Numbers | undefined;

const same: Fold = (_, [values]) => values;

const binary =
  (compute: (a: number, b: number) => number): Fold =>
  ({ inputs: [a = [], b = []] }, [p = [], q = []], output) => {
    const [left, right] = [stretch(p, a, output), stretch(q, b, output)];
    return left.map((value, k) => compute(value, right[k]!));
  };

const folds: Readonly<Record<string, Fold>> = {
  Constant: ({ node }) => {
    const value = tensor(node, 'value');
    return value ? readList(value) : listOf(node);
  },
  ConstantOfShape: ({ node }, _, output) => {
    const value = tensor(node, 'value');
    const filling = value && readList(value)?.[0];
    return filling === undefined ? undefined : range(elementCount(output)).map(() => filling);
  },
  Shape: ({ node, inputs: [input = []] }) => input.slice(...spanOf(node)),
  Size: ({ inputs: [input = []] }) => [elementCount(input)],
  Range: (_, [[start = 0] = [], , [delta = 1] = []], [count = 0]) =>
    range(count).map((k) => start + k * delta),
  Identity: same,
  Reshape: same,
  Flatten: same,
  Squeeze: same,
  Unsqueeze: same,
  Cast: same,
  Expand: ({ inputs: [input = []] }, [values = []], output) => stretch(values, input, output),
  Neg: (_, [values = []]) => values.map((value) => -value),
  Not: (_, [values = []]) => values.map((value) => 1 - value),
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: binary((a, b) => Math.trunc(a / b)),
  Mod: binary((a, b) => a - b * Math.floor(a / b)),
  Equal: binary((a, b) => Number(a === b)),
  Less: binary((a, b) => Number(a < b)),
  Greater: binary((a, b) => Number(a > b)),
  Where: ({ inputs }, values, output) => {
    const [condition, yes, no] = range(3).map((k) => stretch(values[k]!, inputs[k]!, output));
    return condition!.map((holds, k) => (holds ? yes![k]! : no![k]!));
  },
  Concat: ({ inputs: [first = []] }, values) => (first.length === 1 ? values.flat() : undefined),
  Gather: ({ inputs: [data = []] }, [values = [], indices = []]) =>
    data.length === 1 ? indices.map((index) => values[axisOf(index, values.length)]!) : undefined,
  Slice: ({ node, inputs: [input = []] }, values) => {
    if (input.length !== 1) return undefined;
    const [list = [], starts, ends, , steps] = values;
    const [start, end] = [starts?.[0] ?? firstOf(node, 'starts'), ends?.[0] ?? firstOf(node, 'ends')];
    return (steps?.[0] ?? 1) === 1 ? list.slice(start, end) : undefined;
  },
  ReduceProd: ({ inputs: [input = []] }, [values = []]) =>
    input.length === 1 ? [values.reduce((product, value) => product * value, 1)] : undefined,
};

/** What a node gives if it is a list of whole numbers that is known. */
export function fold(forward: Forward, output: Shape): Numbers | undefined {
  const { graph, node } = forward;
  const compute = folds[node.opType!];
  if (!compute || elementCount(output) > LONGEST) return undefined;
  // A shape tells of a value whose numbers are not known.
  const values =
    node.opType === 'Shape' || node.opType === 'Size'
      ? []
      : node.input!.map((name) => (name ? graph.integers(name) : []));
  if (values.includes(undefined)) return undefined;
  return compute(forward, values as Numbers[], output);
}

/** The numbers of a short tensor of whole numbers or conditions; undefined if it is another. */
export function readList(tensorOf: onnx.ITensorProto): Numbers | undefined {
  const count = elementCount((tensorOf.dims ?? []).map(Number));
  return count > LONGEST ? undefined : readIntegers(tensorOf);
}

/** Numbers of one shape, in a row, as they are when it is stretched to another. */
function stretch(values: Numbers, from: Shape, to: Shape): number[] {
  const added = to.length - from.length;
  return range(elementCount(to)).map((index) => {
    let [place, rest, stride] = [0, index, 1];
    for (let axis = to.length - 1; axis >= added; axis--) {
      const size = from[axis - added]!;
      if (size !== 1) place += (rest % to[axis]!) * stride;
      stride *= size;
      rest = Math.floor(rest / to[axis]!);
    }
    return values[place]!;
  });
}

function firstOf(node: onnx.INodeProto, name: string): number | undefined {
  const [first] = node.attribute?.find((other) => other.name === name)?.ints ?? [];
  return first === undefined ? undefined : Number(first);
}
