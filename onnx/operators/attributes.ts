/** Attributes of nodes, and axes, which are attributes or inputs by opset. */
import type { onnx } from 'onnx-proto';
import type { Shape } from '../tensor.js';
import { type Forward, UnknownShape } from './operator.js';

function attribute(node: onnx.INodeProto, name: string): onnx.IAttributeProto | undefined {
  return node.attribute?.find((other) => other.name === name);
}

/** A whole number. */
export function integer(node: onnx.INodeProto, name: string, byDefault: number): number {
  return Number(attribute(node, name)?.i ?? byDefault);
}

/** A list of whole numbers. */
export function integers(node: onnx.INodeProto, name: string): readonly number[] | undefined {
  return attribute(node, name)?.ints?.map(Number);
}

/** A number. */
export function float(node: onnx.INodeProto, name: string, byDefault: number): number {
  return attribute(node, name)?.f ?? byDefault;
}

/** A word. */
export function text(node: onnx.INodeProto, name: string, byDefault: string): string {
  const bytes = attribute(node, name)?.s;
  return bytes ? new TextDecoder().decode(bytes) : byDefault;
}

/** A tensor. */
export function tensor(node: onnx.INodeProto, name: string): onnx.ITensorProto | undefined {
  return attribute(node, name)?.t ?? undefined;
}

/** Whether a switch is on. */
export const isSet = (node: onnx.INodeProto, name: string): boolean => integer(node, name, 0) === 1;

/** 0, 1, …, below a count. */
export const range = (count: number): number[] => Array.from({ length: count }, (_, k) => k);

/** An axis, counted from the front. @throws Error if a shape of that rank has no such axis. */
export function axisOf(axis: number, rank: number): number {
  const counted = axis < 0 ? axis + rank : axis;
  if (counted >= 0 && counted < rank) return counted;
  throw new Error(`axis ${axis} is given, but there are ${rank} axes.`);
}

/**
 * The integers that an operator has as an attribute in old opsets and as its k-th input in new ones.
 *
 * @returns undefined if neither is given.
 * @throws UnknownShape if they depend on the inputs' numbers.
 */
export function integersGiven(
  { graph, node }: Pick<Forward, 'graph' | 'node'>,
  name: string,
  k: number,
): readonly number[] | undefined {
  const given = integers(node, name);
  const input = node.input?.[k];
  if (given || !input) return given;
  const known = graph.integers(input);
  if (known) return known;
  throw new UnknownShape(`its ${name} "${input}" cannot be told before the model runs`);
}

/** The sizes of some axes of a shape. */
export const sizesOf = (shape: Shape, axes: readonly number[]): number[] => axes.map((axis) => shape[axis]!);
