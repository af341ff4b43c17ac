/** What the operators of a network give and how gradients go back through them; all that training needs of them. */
import type { onnx } from 'onnx-proto';
import { type Shape, elementCount, showShape } from './tensor.js';

/** Attributes of a node: whole numbers, lists of them, or numbers where the name is that of a float attribute. */
export type Attributes = Readonly<Record<string, number | readonly number[]>>;

/** What operators use of a graph; all take and give names of values. */
export interface OperatorGraph {
  /** @throws Error if there is no such value. */
  shape(value: string): Shape;
  /** Appends a node and returns the name of its result. */
  add(opType: string, inputs: readonly string[], attributes?: Attributes): string;
  /** A single float32 that is part of the graph. */
  constant(value: number): string;
  /** Sums over some axes, or takes the largest; of all axes, what is left is a single number. */
  reduce(opType: 'ReduceSum' | 'ReduceMax', value: string, axes: readonly number[], keepdims: 0 | 1): string;
  /** The same numbers in another shape. */
  reshape(value: string, shape: Shape): string;
  /** The integers of a constant that {@link reduce} or {@link reshape} has made, or that the model brought. */
  integers(name: string): readonly number[] | undefined;
}

/** A node, seen when its result's shape is wanted. */
interface Forward {
  readonly graph: OperatorGraph;
  readonly node: onnx.INodeProto;
  readonly inputs: readonly Shape[];
}

/** A node, seen when the loss's gradient with respect to its result is known. */
interface Backward {
  readonly graph: OperatorGraph;
  readonly node: onnx.INodeProto;
  /** The gradient's name; it has the result's shape. */
  readonly gradient: string;
  /** Whether the gradient with respect to the k-th input is needed. */
  readonly isNeeded: (k: number) => boolean;
}

/** One operator. */
interface Operator {
  /** The shape of its result. */
  readonly shape: (forward: Forward) => Shape;
  /**
   * Appends the gradients with respect to its inputs, those that are needed. Operators that only gradients and losses
   * use have none.
   */
  readonly backward?: (backward: Backward) => readonly (string | undefined)[];
}

const elementwise: Operator['shape'] = ({ inputs }) => inputs.reduce(broadcast);

const operators: Readonly<Record<string, Operator>> = {
  MatMul: {
    shape: ({ node, inputs }) => productShape(node, inputs, false, false),
    backward: (context) => productGradients(context, false, false),
  },
  Gemm: {
    shape: ({ node, inputs }) => productShape(node, inputs, isSet(node, 'transA'), isSet(node, 'transB')),
    backward: (context) => {
      const { graph, node, gradient, isNeeded } = context;
      for (const name of ['alpha', 'beta']) {
        const factor = node.attribute?.find((attribute) => attribute.name === name)?.f ?? 1;
        if (factor !== 1)
          throw new Error(`${name} of node "${node.name}" is ${factor}; only 1 can be trained.`);
      }
      const bias = node.input![2];
      return [
        ...productGradients(context, isSet(node, 'transA'), isSet(node, 'transB')),
        bias !== undefined && isNeeded(2) ? sumTo(graph, gradient, graph.shape(bias)) : undefined,
      ];
    },
  },
  Add: {
    shape: elementwise,
    backward: (context) =>
      inputsOf(context, ({ graph, gradient }, _, shape) => sumTo(graph, gradient, shape)),
  },
  Sub: {
    shape: elementwise,
    backward: (context) =>
      inputsOf(context, ({ graph, gradient }, k, shape) =>
        sumTo(graph, k === 0 ? gradient : graph.add('Neg', [gradient]), shape),
      ),
  },
  Mul: {
    shape: elementwise,
    backward: (context) =>
      inputsOf(context, ({ graph, node, gradient }, k, shape) =>
        sumTo(graph, graph.add('Mul', [gradient, node.input![1 - k]!]), shape),
      ),
  },
  Relu: {
    shape: elementwise,
    // The result is positive exactly where the input is; 0 at 0, as PyTorch and TensorFlow have it.
    backward: ({ graph, node, gradient }) => {
      const zero = graph.constant(0);
      return [graph.add('Where', [graph.add('Greater', [node.output![0]!, zero]), gradient, zero])];
    },
  },
  Tanh: {
    shape: elementwise,
    // 1 − y²
    backward: ({ graph, node, gradient }) => {
      const [y] = node.output as [string];
      const slope = graph.add('Sub', [graph.constant(1), graph.add('Mul', [y, y])]);
      return [graph.add('Mul', [gradient, slope])];
    },
  },
  Sigmoid: {
    shape: elementwise,
    // y (1 − y)
    backward: ({ graph, node, gradient }) => {
      const [y] = node.output as [string];
      const slope = graph.add('Mul', [y, graph.add('Sub', [graph.constant(1), y])]);
      return [graph.add('Mul', [gradient, slope])];
    },
  },
  Identity: { shape: elementwise, backward: ({ gradient }) => [gradient] },
  Flatten: {
    shape: ({ node, inputs: [input = []] }) => {
      const axis = integer(node, 'axis', 1);
      return [elementCount(input.slice(0, axis)), elementCount(input.slice(axis))];
    },
    backward: ({ graph, node, gradient }) => [graph.reshape(gradient, graph.shape(node.input![0]!))],
  },
  Reshape: { shape: ({ graph, node }) => graph.integers(node.input![1]!) ?? [] },
  ReduceSum: { shape: reducedShape },
  ReduceMax: { shape: reducedShape },
  Div: { shape: elementwise },
  Exp: { shape: elementwise },
  Log: { shape: elementwise },
  Neg: { shape: elementwise },
  Greater: { shape: elementwise },
  Where: { shape: elementwise },
};

/** @throws Error naming the node if training does not know its operator. */
export function operatorOf({ opType, name, domain }: onnx.INodeProto): Operator {
  const operator = domain ? undefined : operators[opType!];
  if (operator) return operator;
  const known = Object.keys(operators).filter((other) => operators[other]!.backward);
  throw new Error(
    `Node "${name}" is a ${opType}, which training does not know; it knows ${known.join(', ')}. ` +
      'Another one takes a few lines in onnx/operators.ts of webgpu-optim.',
  );
}

/** One gradient per input that needs it. */
function inputsOf(
  context: Backward,
  gradientOf: (context: Backward, k: number, shape: Shape) => string,
): (string | undefined)[] {
  const { graph, node, isNeeded } = context;
  return node.input!.map((input, k) =>
    isNeeded(k) ? gradientOf(context, k, graph.shape(input)) : undefined,
  );
}

/** The shape of A′B′, each transposed or not. */
function productShape(
  node: onnx.INodeProto,
  inputs: readonly Shape[],
  transA: boolean,
  transB: boolean,
): Shape {
  const [a = [], b = []] = inputs;
  const [rows, depth] = transA ? a.toReversed() : a;
  const [otherDepth, columns] = transB ? b.toReversed() : b;
  if (a.length === 2 && b.length === 2 && depth === otherDepth) return [rows!, columns!];
  throw new Error(
    `Node "${node.name}" multiplies shapes ${showShape(a)} and ${showShape(b)}; only matrices that go together can be trained.`,
  );
}

/**
 * With Y = A′B′: dA′ = dY·B′ᵀ and dB′ = A′ᵀ·dY, transposed where A or B is. Gemm transposes as it multiplies, so no matrix
 * is written transposed.
 */
function productGradients(
  { graph, node, gradient, isNeeded }: Backward,
  transA: boolean,
  transB: boolean,
): (string | undefined)[] {
  const [a, b] = node.input as [string, string];
  const product = (left: string, right: string, transLeft: boolean, transRight: boolean): string =>
    graph.add('Gemm', [left, right], { transA: Number(transLeft), transB: Number(transRight) });
  const ofA = (): string =>
    transA ? product(b, gradient, transB, true) : product(gradient, b, false, !transB);
  const ofB = (): string =>
    transB ? product(gradient, a, true, transA) : product(a, gradient, !transA, false);
  return [isNeeded(0) ? ofA() : undefined, isNeeded(1) ? ofB() : undefined];
}

/** What undoes a broadcast: the sum over the axes that were added or stretched. */
function sumTo(graph: OperatorGraph, value: string, shape: Shape): string {
  const from = graph.shape(value);
  const added = from.length - shape.length;
  const leading = added > 0 ? graph.reduce('ReduceSum', value, range(added), 0) : value;
  const stretched = range(shape.length).filter((axis) => shape[axis] === 1 && from[axis + added] !== 1);
  return stretched.length > 0 ? graph.reduce('ReduceSum', leading, stretched, 1) : leading;
}

/** Shapes are aligned at their last axis; an axis of 1 is stretched. */
function broadcast(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return range(rank).map((axis) => {
    const [p, q] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1];
    if (p !== q && p !== 1 && q !== 1)
      throw new Error(`Shapes ${showShape(a)} and ${showShape(b)} do not go together.`);
    return p === 1 ? q : p;
  });
}

function reducedShape({ graph, node, inputs: [input = []] }: Forward): Shape {
  const given = node.attribute?.find(({ name }) => name === 'axes')?.ints?.map(Number);
  const listed = given ?? graph.integers(node.input![1] ?? '') ?? range(input.length);
  const axes = listed.map((axis) => (axis < 0 ? axis + input.length : axis));
  const kept = input.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return integer(node, 'keepdims', 1) === 1 ? kept : input.filter((_, axis) => !axes.includes(axis));
}

function integer({ attribute }: onnx.INodeProto, name: string, byDefault: number): number {
  return Number(attribute?.find((other) => other.name === name)?.i ?? byDefault);
}

const isSet = (node: onnx.INodeProto, name: string): boolean => integer(node, name, 0) === 1;

const range = (count: number): number[] => Array.from({ length: count }, (_, k) => k);
