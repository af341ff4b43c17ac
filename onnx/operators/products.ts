/** Products of matrices. */
import { type Shape, showShape } from '../tensor.js';
import { float, isSet, range } from './attributes.js';
import { broadcast, sumTo } from './broadcast.js';
import { reshape, scale, transpose, zeros } from './forms.js';
import type { Backward, Operators, OperatorGraph } from './operator.js';

export const products: Operators = {
  MatMul: {
    shapes: ({ inputs: [a = [], b = []] }) => [batchShape(a, b)],
    note: 'batches of matrices, stretched; a matrix of weights is one product, whatever the batch',
    backward: (context) => {
      const { graph, node } = context;
      const [a, b] = node.input!.map((name) => graph.shape(name)) as [Shape, Shape];
      return b.length === 2 && a.length >= 2 ? rowsGradients(context) : batchGradients(context);
    },
  },
  Gemm: {
    shapes: ({ node, inputs: [a = [], b = [], c = []] }) => {
      const [rows, depth] = isSet(node, 'transA') ? a.toReversed() : a;
      const [otherDepth, columns] = isSet(node, 'transB') ? b.toReversed() : b;
      if (a.length !== 2 || b.length !== 2 || depth !== otherDepth) rejectProduct(a, b);
      broadcast([rows!, columns!], c);
      return [[rows!, columns!]];
    },
    backward: (context) => {
      const { graph, node, gradient, isNeeded } = context;
      const [transA, transB] = [isSet(node, 'transA'), isSet(node, 'transB')];
      return [
        ...matrixGradients(context, { transA, transB, alpha: float(node, 'alpha', 1) }),
        isNeeded(2)
          ? scale(graph, sumTo(graph, gradient, graph.shape(node.input![2]!)), float(node, 'beta', 1))
          : undefined,
      ];
    },
  },
};

function rejectProduct(a: Shape, b: Shape): never {
  throw new Error(`it multiplies shapes ${showShape(a)} and ${showShape(b)}, which do not go together.`);
}

/** The shape of a product of batches; a vector is a row on the left and a column on the right, and drops out. */
function batchShape(a: Shape, b: Shape): Shape {
  if (a.length === 0 || b.length === 0 || a.at(-1) !== b[Math.max(0, b.length - 2)]) rejectProduct(a, b);
  const rows = a.length === 1 ? [] : [a.at(-2)!];
  const columns = b.length === 1 ? [] : [b.at(-1)!];
  return [...broadcast(a.slice(0, -2), b.slice(0, -2)), ...rows, ...columns];
}

/**
 * With Y = α A′B′: dA′ = α dY·B′ᵀ and dB′ = α A′ᵀ·dY, transposed where A or B is. Gemm transposes as it multiplies, so no
 * matrix is written transposed.
 */
function matrixGradients(
  { graph, node, gradient, isNeeded }: Pick<Backward, 'graph' | 'node' | 'gradient' | 'isNeeded'>,
  { transA, transB, alpha }: { transA: boolean; transB: boolean; alpha: number },
): (string | undefined)[] {
  const [a, b] = node.input as [string, string];
  // Until opset 11, something must be added; of no axes, ONNX Runtime does not take it on WebGPU.
  const nothing = graph.opset < 11 ? [zeros(graph, [1])] : [];
  const product = (left: string, right: string, transLeft: boolean, transRight: boolean): string =>
    graph.add('Gemm', [left, right, ...nothing], {
      alpha,
      transA: Number(transLeft),
      transB: Number(transRight),
    });
  const ofA = (): string =>
    transA ? product(b, gradient, transB, true) : product(gradient, b, false, !transB);
  const ofB = (): string =>
    transB ? product(gradient, a, true, transA) : product(a, gradient, !transA, false);
  return [isNeeded(0) ? ofA() : undefined, isNeeded(1) ? ofB() : undefined];
}

/** Where the right side is a matrix, all rows on the left are those of one. */
function rowsGradients(context: Backward): (string | undefined)[] {
  const { graph, node, gradient } = context;
  const [a, b] = node.input as [string, string];
  const shape = graph.shape(a);
  const rows = (value: string): string => {
    const own = graph.shape(value);
    return reshape(graph, value, [own.slice(0, -1).reduce((count, size) => count * size, 1), own.at(-1)!]);
  };
  const input = context.isNeeded(1) ? [rows(a), b] : [a, b];
  const [ofA, ofB] = matrixGradients(
    { ...context, node: { ...node, input }, gradient: rows(gradient) },
    { transA: false, transB: false, alpha: 1 },
  );
  return [ofA && reshape(graph, ofA, shape), ofB];
}

/** dA = dY·Bᵀ and dB = Aᵀ·dY, each summed over what was stretched. */
function batchGradients({ graph, node, gradient, isNeeded }: Backward): (string | undefined)[] {
  const [a, b] = node.input as [string, string];
  const [shapeA, shapeB] = [graph.shape(a), graph.shape(b)];
  // Vectors become the matrices that they stand for.
  const rowsOf = shapeA.length === 1 ? [1, ...shapeA] : shapeA;
  const columnsOf = shapeB.length === 1 ? [...shapeB, 1] : shapeB;
  const full = reshape(graph, gradient, batchShape(rowsOf, columnsOf));
  const multiply = (left: string, right: string, like: Shape, shape: Shape): string =>
    reshape(graph, sumTo(graph, graph.add('MatMul', [left, right]), like), shape);
  return [
    isNeeded(0) ? multiply(full, turned(graph, reshape(graph, b, columnsOf)), rowsOf, shapeA) : undefined,
    isNeeded(1) ? multiply(turned(graph, reshape(graph, a, rowsOf)), full, columnsOf, shapeB) : undefined,
  ];
}

/** Each matrix of a batch, transposed. */
function turned(graph: OperatorGraph, value: string): string {
  const rank = graph.shape(value).length;
  return transpose(graph, value, [...range(rank - 2), rank - 1, rank - 2]);
}
