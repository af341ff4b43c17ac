/**
 * ONNX graphs in float64: what each operator gives, written from the standard's words and apart from onnx/operators. Numbers of
 * all types are float64 here; conditions are 0 and 1.
 */
import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { type Array64, count, each, fill, fold, read, sum, together, zip } from './onnx-arrays.js';
import { conv, convTranspose, pool } from './onnx-windows.js';

const { DataType } = onnxProto.onnx.TensorProto;
const FLOAT: number = DataType.FLOAT;
const BOOL: number = DataType.BOOL;
const INT64: number = DataType.INT64;

/** A node with the values of its inputs; those left out are undefined. */
export interface Given {
  readonly opType: string;
  readonly opset: number;
  readonly inputs: readonly (Array64 | undefined)[];
  readonly outputCount: number;
  /** Whether the inputs are whole numbers by type. */
  readonly isWhole: boolean;
  readonly integer: (name: string, byDefault: number) => number;
  readonly integers: (name: string) => readonly number[] | undefined;
  readonly float: (name: string, byDefault: number) => number;
  readonly word: (name: string, byDefault: string) => string;
  readonly tensor: (name: string) => Array64 | undefined;
}

type Evaluation = (given: Given, x: Array64, y: Array64, z: Array64) => Array64 | Array64[];

const range = (n: number): number[] => Array.from({ length: n }, (_, k) => k);
const elementwise =
  (compute: (...numbers: number[]) => number): Evaluation =>
  ({ inputs }) =>
    zip(inputs as Array64[], compute);

/** What is an attribute in old opsets, an input in new ones. */
const listed = ({ integers, inputs }: Given, name: string, k: number): number[] | undefined =>
  integers(name)?.slice() ?? (inputs[k] && [...inputs[k].data]);

const reduction =
  (compute: (numbers: number[]) => number): Evaluation =>
  (given, x) => {
    const axes = listed(given, 'axes', 1)?.map((axis) => (axis + x.dims.length) % x.dims.length);
    return fold(x, axes?.length ? axes : range(x.dims.length), given.integer('keepdims', 1) === 1, compute);
  };

/** e.g. softmax: a function of all numbers along one axis, until opset 13 of all from that axis on. */
const along =
  (compute: (number: number, numbers: number[]) => number): Evaluation =>
  ({ opset, integer }, x) => {
    const rank = x.dims.length;
    const axis = (integer('axis', opset < 13 ? 1 : -1) + rank) % rank;
    const isSame = (k: number): boolean => k !== axis && (opset >= 13 || k < axis);
    return fill(x.dims, (at) => {
      const group: number[] = [];
      each(x.dims, (other, index) => {
        if (other.every((place, k) => !isSame(k) || place === at[k])) group.push(x.data[index]!);
      });
      return compute(read(x, at), group);
    });
  };

const largest = (numbers: number[]): number => Math.max(...numbers);
const mean = (numbers: number[]): number => sum(numbers) / numbers.length;

/** Mean and variance over some axes; scale and bias are stretched as they are or lie along the channels. */
function normalize(x: Array64, axes: readonly number[], epsilon: number): Array64 {
  const m = fold(x, axes, true, mean);
  const v = fold(x, axes, true, (numbers) => mean(numbers.map((n) => (n - mean(numbers)) ** 2)));
  return zip([x, m, v], (n, a, b) => (n - a) / Math.sqrt(b + epsilon));
}

const channels = (x: Array64, rank: number): Array64 => ({
  dims: range(rank).map((axis) => (axis === 1 ? x.data.length : 1)),
  data: x.data,
});

const reshaped = (dims: readonly number[], { data }: Array64): Array64 => ({ dims, data });

function matMul(a: Array64, b: Array64): Array64 {
  const left = a.dims.length === 1 ? reshaped([1, ...a.dims], a) : a;
  const right = b.dims.length === 1 ? reshaped([...b.dims, 1], b) : b;
  const batch = together([left.dims.slice(0, -2), right.dims.slice(0, -2), []]);
  const [rows, depth, columns] = [left.dims.at(-2)!, left.dims.at(-1)!, right.dims.at(-1)!];
  const full = fill([...batch, rows, columns], (at) => {
    const [front, [i, j]] = [at.slice(0, -2), at.slice(-2)];
    return sum(range(depth).map((k) => read(left, [...front, i!, k]) * read(right, [...front, k, j!])));
  });
  const dims = [...batch, ...(a.dims.length === 1 ? [] : [rows]), ...(b.dims.length === 1 ? [] : [columns])];
  return reshaped(dims, full);
}

/** erf by its series, to the last bits for |x| < 4. */
function erf(x: number): number {
  let [term, total] = [x, x];
  for (let n = 1; n < 120; n++) {
    term *= -(x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

const evaluations: Readonly<Record<string, Evaluation>> = {
  Add: elementwise((a, b) => a + b),
  Sub: elementwise((a, b) => a - b),
  Mul: elementwise((a, b) => a * b),
  Div: ({ isWhole }, x, y) => zip([x, y], (a, b) => (isWhole ? Math.trunc(a / b) : a / b)),
  Pow: elementwise((a, b) => a ** b),
  Neg: elementwise((a) => -a),
  Exp: elementwise((a) => Math.exp(a)),
  Log: elementwise((a) => Math.log(a)),
  Sqrt: elementwise((a) => Math.sqrt(a)),
  Reciprocal: elementwise((a) => 1 / a),
  Abs: elementwise((a) => Math.abs(a)),
  Sin: elementwise((a) => Math.sin(a)),
  Cos: elementwise((a) => Math.cos(a)),
  Identity: elementwise((a) => a),
  Greater: elementwise((a, b) => Number(a > b)),
  Less: elementwise((a, b) => Number(a < b)),
  Equal: elementwise((a, b) => Number(a === b)),
  Or: elementwise((a, b) => Math.max(a, b)),
  Not: elementwise((a) => 1 - a),
  Where: elementwise((c, a, b) => (c ? a : b)),
  Cast: ({ integer }, x) =>
    zip([x], (a) => {
      const to = integer('to', 1);
      if (to === BOOL) return Number(a !== 0);
      return to === FLOAT ? a : Math.trunc(a);
    }),
  Relu: elementwise((a) => Math.max(a, 0)),
  LeakyRelu: ({ float }, x) => zip([x], (a) => (a < 0 ? float('alpha', 0.01) * a : a)),
  Clip: ({ float, inputs: [x, low, high] }) =>
    zip([x!], (a) =>
      Math.min(Math.max(a, low?.data[0] ?? float('min', -1e30)), high?.data[0] ?? float('max', 1e30)),
    ),
  Tanh: elementwise((a) => Math.tanh(a)),
  Sigmoid: elementwise((a) => 1 / (1 + Math.exp(-a))),
  Erf: elementwise((a) => erf(a)),
  Gelu: ({ word }, x) =>
    zip([x], (a) => {
      const bend = Math.sqrt(2 / Math.PI) * (a + 0.044715 * a ** 3);
      return word('approximate', 'none') === 'tanh'
        ? 0.5 * a * (1 + Math.tanh(bend))
        : 0.5 * a * (1 + erf(a / Math.sqrt(2)));
    }),
  Softmax: along((a, all) => Math.exp(a) / sum(all.map((n) => Math.exp(n)))),
  LogSoftmax: along((a, all) => a - Math.log(sum(all.map((n) => Math.exp(n))))),
  MatMul: (_, a, b) => matMul(a, b),
  Gemm: ({ integer, float, inputs: [a, b, c] }) => {
    const turn = ({ dims: [p, q], data }: Array64): Array64 =>
      fill([q!, p!], ([i, j]) => data[j! * q! + i!]!);
    const left = integer('transA', 0) === 1 ? turn(a!) : a!;
    const right = integer('transB', 0) === 1 ? turn(b!) : b!;
    const product = zip([matMul(left, right)], (n) => n * float('alpha', 1));
    return c ? zip([product, c], (n, m) => n + m * float('beta', 1)) : product;
  },
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: pool,
  AveragePool: pool,
  GlobalAveragePool: (_, x) => fold(x, range(x.dims.length).slice(2), true, mean),
  ReduceSum: reduction(sum),
  ReduceMean: reduction(mean),
  ReduceMax: reduction(largest),
  ReduceMin: reduction((numbers) => Math.min(...numbers)),
  ReduceL2: reduction((numbers) => Math.hypot(...numbers)),
  ReduceSumSquare: reduction((numbers) => sum(numbers.map((n) => n * n))),
  BatchNormalization: ({ inputs, float, integer }, x) => {
    const rank = x.dims.length;
    const [scale, bias, m, v] = inputs.slice(1, 5).map((input) => channels(input!, rank));
    const epsilon = float('epsilon', 1e-5);
    const n =
      integer('training_mode', 0) === 1
        ? normalize(
            x,
            range(rank).filter((axis) => axis !== 1),
            epsilon,
          )
        : zip([x, m!, v!], (a, b, c) => (a - b) / Math.sqrt(c + epsilon));
    return zip([n, scale!, bias!], (a, b, c) => a * b + c);
  },
  LayerNormalization: ({ inputs: [x, scale, bias], float, integer }) => {
    const rank = x!.dims.length;
    const n = normalize(x!, range(rank).slice((integer('axis', -1) + rank) % rank), float('epsilon', 1e-5));
    return zip([n, scale!, ...(bias ? [bias] : [])], (a, b, c = 0) => a * b + c);
  },
  InstanceNormalization: ({ inputs: [x, scale, bias], float }) => {
    const rank = x!.dims.length;
    const n = normalize(x!, range(rank).slice(2), float('epsilon', 1e-5));
    return zip([n, channels(scale!, rank), channels(bias!, rank)], (a, b, c) => a * b + c);
  },
  Dropout: (_, x) => x,
  Flatten: ({ integer }, x) => {
    const axis = integer('axis', 1);
    return reshaped([count(x.dims.slice(0, axis)), count(x.dims.slice(axis))], x);
  },
  Reshape: (given, x) => {
    const dims = listed(given, 'shape', 1)!.map((size, axis) => size || x.dims[axis]!);
    const rest = x.data.length / Math.abs(count(dims));
    return reshaped(
      dims.map((size) => (size < 0 ? rest : size)),
      x,
    );
  },
  Squeeze: (given, x) => {
    const axes = listed(given, 'axes', 1)?.map((axis) => (axis + x.dims.length) % x.dims.length);
    return reshaped(
      x.dims.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1)),
      x,
    );
  },
  Unsqueeze: (given, x) => {
    const own = listed(given, 'axes', 1)!;
    const rank = x.dims.length + own.length;
    const dims = [...x.dims];
    for (const axis of own.map((a) => (a + rank) % rank).toSorted((a, b) => a - b)) dims.splice(axis, 0, 1);
    return reshaped(dims, x);
  },
  Transpose: ({ integers }, x) => {
    const perm = integers('perm') ?? range(x.dims.length).toReversed();
    return fill(
      perm.map((axis) => x.dims[axis]!),
      (at) =>
        read(
          x,
          range(perm.length).map((axis) => at[perm.indexOf(axis)]!),
        ),
    );
  },
  Expand: (_, x, shape) => fill(together([x.dims, [...shape.data]]), (at) => read(x, at)),
  Concat: ({ inputs, integer }, x) => {
    const axis = (integer('axis', 0) + x.dims.length) % x.dims.length;
    const dims = x.dims.map((size, k) => (k === axis ? sum(inputs.map((input) => input!.dims[k]!)) : size));
    return fill(dims, (at) => {
      let place = at[axis]!;
      const from = inputs.find(
        (input) => place < input!.dims[axis]! || ((place -= input!.dims[axis]!), false),
      )!;
      return read(
        from,
        at.map((p, k) => (k === axis ? place : p)),
      );
    });
  },
  Split: (given, x) => {
    const axis = (given.integer('axis', 0) + x.dims.length) % x.dims.length;
    const most = Math.ceil(x.dims[axis]! / given.outputCount);
    const sizes =
      listed(given, 'split', 1) ??
      range(given.outputCount).map((k) => Math.min(most, x.dims[axis]! - k * most));
    return sizes.map((size, part) => {
      const start = sum(sizes.slice(0, part));
      return fill(
        x.dims.map((n, k) => (k === axis ? size : n)),
        (at) =>
          read(
            x,
            at.map((p, k) => (k === axis ? p + start : p)),
          ),
      );
    });
  },
  Slice: (given, x) => {
    const [starts, ends] = [listed(given, 'starts', 1)!, listed(given, 'ends', 2)!];
    const axes = listed(given, 'axes', 3) ?? range(starts.length);
    const steps = listed(given, 'steps', 4) ?? starts.map(() => 1);
    const places = x.dims.map((size) => range(size));
    axes.forEach((axis, k) => {
      const size = x.dims.at(axis)!;
      const own: number[] = [];
      const from = starts[k]! < 0 ? starts[k]! + size : starts[k]!;
      const to = ends[k]! < 0 ? Math.max(ends[k]! + size, -1) : ends[k]!;
      const first = steps[k]! > 0 ? Math.max(from, 0) : Math.min(from, size - 1);
      for (let p = first; steps[k]! > 0 ? p < Math.min(to, size) : p > to; p += steps[k]!) own.push(p);
      places[(axis + x.dims.length) % x.dims.length] = own;
    });
    return fill(
      places.map((own) => own.length),
      (at) =>
        read(
          x,
          at.map((p, k) => places[k]![p]!),
        ),
    );
  },
  Pad: (given, x) => {
    const pads = listed(given, 'pads', 1)!;
    const value = given.inputs[2]?.data[0] ?? given.float('value', 0);
    const rank = x.dims.length;
    return fill(
      x.dims.map((size, k) => size + pads[k]! + pads[k + rank]!),
      (at) => {
        const from = at.map((p, k) => p - pads[k]!);
        return from.every((p, k) => p >= 0 && p < x.dims[k]!) ? read(x, from) : value;
      },
    );
  },
  Gather: ({ integer }, x, indices) => {
    const axis = (integer('axis', 0) + x.dims.length) % x.dims.length;
    const dims = [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)];
    return fill(dims, (at) => {
      const index = read(indices, at.slice(axis, axis + indices.dims.length));
      const place = index < 0 ? index + x.dims[axis]! : index;
      return read(x, [...at.slice(0, axis), place, ...at.slice(axis + indices.dims.length)]);
    });
  },
  Shape: (_, x) => ({ dims: [x.dims.length], data: Float64Array.from(x.dims) }),
  Constant: ({ tensor }) => tensor('value')!,
  ConstantOfShape: ({ tensor }, shape) => fill([...shape.data], () => tensor('value')?.data[0] ?? 0),
};

/** All values of a graph, by name. */
export function evaluate(
  { graph, opsetImport }: onnx.IModelProto,
  feeds: Readonly<Record<string, Array64>>,
): Record<string, Array64> {
  const values: Record<string, Array64> = { ...feeds };
  const whole = new Set<string>();
  for (const tensor of graph!.initializer!) {
    values[tensor.name!] = readTensor(tensor);
    if (tensor.dataType === DataType.INT64) whole.add(tensor.name!);
  }
  for (const node of graph!.node!) {
    const of = (name: string) => node.attribute?.find((attribute) => attribute.name === name);
    const inputs = node.input!.map((name) => values[name]);
    const compute = evaluations[node.opType!];
    if (!compute) throw new Error(`${node.opType} is not evaluated.`);
    const given: Given = {
      opType: node.opType!,
      opset: Number(opsetImport![0]!.version),
      inputs,
      outputCount: node.output!.length,
      isWhole: node.input!.length > 0 && node.input!.every((name) => whole.has(name)),
      integer: (name, byDefault) => Number(of(name)?.i ?? byDefault),
      integers: (name) => of(name)?.ints?.map(Number),
      float: (name, byDefault) => of(name)?.f ?? byDefault,
      word: (name, byDefault) => (of(name)?.s ? new TextDecoder().decode(of(name)!.s!) : byDefault),
      tensor: (name) => (of(name)?.t ? readTensor(of(name)!.t!) : undefined),
    };
    const to = Number(of('to')?.i ?? of('value')?.t?.dataType ?? FLOAT);
    const isWhole = node.opType === 'Shape' || to === INT64 || (given.isWhole && node.opType !== 'Cast');
    if (isWhole) for (const name of node.output!) whole.add(name);
    const results = [compute(given, inputs[0]!, inputs[1]!, inputs[2]!)].flat();
    results.forEach((result, k) => {
      if (node.output![k]) values[node.output![k]] = result;
    });
  }
  return values;
}

export function readTensor({ dims, rawData, dataType }: onnx.ITensorProto): Array64 {
  const bytes = new Uint8Array(rawData!);
  const read64 = (): number[] => [...new BigInt64Array(bytes.buffer)].map(Number);
  const readers: Readonly<Record<number, () => Iterable<number>>> = {
    [DataType.FLOAT]: () => new Float32Array(bytes.buffer),
    [DataType.INT64]: read64,
    [DataType.INT32]: () => new Int32Array(bytes.buffer),
    [DataType.BOOL]: () => bytes,
  };
  return { dims: (dims ?? []).map(Number), data: Float64Array.from(readers[dataType!]!()) };
}
