/** Nodes that gradients are made of, in the form that the graph's opset has. All take and give names of values. */
import { type Shape, elementCount } from '../tensor.js';
import { range } from './attributes.js';
import { FLOAT, type OperatorGraph } from './operator.js';

type Graph = OperatorGraph;
type Reduction = 'ReduceSum' | 'ReduceMean' | 'ReduceMax';

const isSame = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, k) => size === b[k]);

/** Sums over some axes, or takes their mean or largest; over none, it is the value itself. */
export function reduce(
  graph: Graph,
  opType: Reduction,
  value: string,
  axes: readonly number[],
  keepdims: 0 | 1,
): string {
  if (axes.length === 0) return value;
  // Axes are an attribute of ReduceSum until opset 13, of the others until 18.
  if (graph.opset < (opType === 'ReduceSum' ? 13 : 18))
    return graph.add(opType, [value], { axes: [...axes], keepdims });
  return graph.add(opType, [value, graph.integerConstant(axes)], { keepdims });
}

/** The same numbers in another shape. */
export function reshape(graph: Graph, value: string, shape: Shape): string {
  if (isSame(graph.shape(value), shape)) return value;
  return graph.add('Reshape', [value, graph.integerConstant(shape)]);
}

/** Axes in another order: axis k of the result is axis `order[k]` of the value. */
export function transpose(graph: Graph, value: string, order: readonly number[]): string {
  return isSame(order, range(order.length)) ? value : graph.add('Transpose', [value], { perm: order });
}

/** A value stretched along axes of 1 that are missing or 1. */
export function expand(graph: Graph, value: string, shape: Shape): string {
  if (isSame(graph.shape(value), shape)) return value;
  if (graph.opset >= 8) return graph.add('Expand', [value, graph.integerConstant(shape)]);
  return graph.add('Add', [value, zeros(graph, shape)]);
}

/** Zeros, part of the graph. */
export function zeros(graph: Graph, dims: Shape): string {
  return graph.constant({ dims, data: new Float32Array(elementCount(dims)) });
}

/** Another type of elements. */
export function cast(graph: Graph, value: string, to: number): string {
  return graph.elementType(value) === to ? value : graph.add('Cast', [value], { to });
}

/** `yes` where a condition holds, else `no`. */
export function choose(graph: Graph, condition: string, yes: string, no: string): string {
  if (graph.opset >= 9) return graph.add('Where', [condition, yes, no]);
  return graph.add('Add', [
    graph.add('Mul', [cast(graph, condition, FLOAT), yes]),
    graph.add('Mul', [cast(graph, graph.add('Not', [condition]), FLOAT), no]),
  ]);
}

/** A value where a condition holds, else 0. */
export function select(graph: Graph, condition: string, value: string): string {
  if (graph.opset >= 9) return graph.add('Where', [condition, value, graph.constant(0)]);
  return graph.add('Mul', [value, cast(graph, condition, FLOAT)]);
}

/** Whether whole numbers are the same. */
export function equal(graph: Graph, a: string, b: string): string {
  if (graph.opset >= 11) return graph.add('Equal', [a, b]);
  // Until then, Equal is for integers alone.
  const distance = graph.add('Abs', [graph.add('Sub', [a, b])]);
  return graph.add('Less', [distance, graph.constant(0.5)]);
}

/** a ≥ b, or one of them is no number. */
export const atLeast = (graph: Graph, a: string, b: string): string =>
  graph.add('Not', [graph.add('Less', [a, b])]);

/** A value times a number. */
export const scale = (graph: Graph, value: string, factor: number): string =>
  factor === 1 ? value : graph.add('Mul', [value, graph.constant(factor)]);

/** The product of some values. */
export const product = (graph: Graph, first: string, ...others: string[]): string =>
  others.reduce((left, right) => graph.add('Mul', [left, right]), first);

/** From `starts` up to `ends`, along the first axes. */
export function slice(
  graph: Graph,
  value: string,
  { starts, ends, axes, steps }: { starts: number[]; ends: number[]; axes: number[]; steps?: number[] },
): string {
  if (graph.opset < 10 && !steps) return graph.add('Slice', [value], { starts, ends, axes });
  const lists = [starts, ends, axes, ...(steps ? [steps] : [])];
  return graph.add('Slice', [value, ...lists.map((list) => graph.integerConstant(list))]);
}

/** Zeros in front of and behind each axis. */
export function pad(graph: Graph, value: string, begins: readonly number[], ends: readonly number[]): string {
  const pads = [...begins, ...ends];
  if (pads.every((count) => count === 0)) return value;
  if (graph.opset < 11) return graph.add('Pad', [value], { pads });
  return graph.add('Pad', [value, graph.integerConstant(pads)]);
}
