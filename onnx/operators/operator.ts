/** What an operator of ONNX says about itself, and what it uses of a graph. */
import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import type { Shape, Weight } from '../tensor.js';

/** Attributes of a node: whole numbers, lists of them, or numbers where the name is that of a float attribute. */
export type Attributes = Readonly<Record<string, number | readonly number[]>>;

const { DataType } = onnxProto.onnx.TensorProto;

/** The types of elements that operators speak of; see TensorProto.DataType. */
export const FLOAT: number = DataType.FLOAT;
/** Whole numbers, of shapes and indices. */
export const INT64: number = DataType.INT64;
/** Conditions. */
export const BOOL: number = DataType.BOOL;

/** What operators use of a graph; all take and give names of values. */
export interface OperatorGraph {
  /** The version of ONNX's operators; how some are written depends on it. */
  readonly opset: number;
  /** @throws Error if there is no such value, or its shape cannot be told. */
  shape(value: string): Shape;
  /** The type of a value's elements, as in TensorProto.DataType. */
  elementType(value: string): number;
  /** Appends a node and returns the name of its first result. */
  add(opType: string, inputs: readonly string[], attributes?: Attributes): string;
  /** A float32 number, or a tensor of them, that is part of the graph. */
  constant(value: number | Weight): string;
  /** A list of int64 that is part of the graph. */
  integerConstant(values: readonly number[]): string;
  /** The integers of a value, in a row, where they do not depend on the inputs' numbers. */
  integers(name: string): readonly number[] | undefined;
}

/** A node, seen when its results' shapes are wanted. */
export interface Forward {
  readonly graph: OperatorGraph;
  readonly node: onnx.INodeProto;
  /** The shapes of its inputs; `[]` where an optional one is left out. */
  readonly inputs: readonly Shape[];
}

/** A node, seen when the loss's gradient with respect to its results is known. */
export interface Backward {
  readonly graph: OperatorGraph;
  readonly node: onnx.INodeProto;
  /** The name of the gradient with respect to the first result; it has the result's shape. */
  readonly gradient: string;
  /** The names of the gradients with respect to all results; undefined where the loss does not depend on one. */
  readonly gradients: readonly (string | undefined)[];
  /** Whether the gradient with respect to the k-th input is needed. */
  readonly isNeeded: (k: number) => boolean;
}

/** One operator. */
export interface Operator {
  /** The shapes of its results, as many as it can have. */
  readonly shapes: (forward: Forward) => readonly Shape[];
  /** The element types of its results, where they are not that of its first input. */
  readonly types?: (forward: Forward) => readonly number[];
  /**
   * Appends the gradients with respect to its inputs, those that are needed. Without it, the operator may stand where no
   * trained weight lies in front.
   */
  readonly backward?: (backward: Backward) => readonly (string | undefined)[];
  /** Gradients come through all of its results; otherwise through the first alone. */
  readonly isSplit?: true;
  /** What the table of operators says beside its name: limits, ties, costs. */
  readonly note?: string;
}

/** Some operators, by their names. */
export type Operators = Readonly<Record<string, Operator>>;

/** A shape that follows from numbers that are not known before the model runs. */
export class UnknownShape extends Error {}

/** Where a node is, in a message: its name if it has one, else what it gives. */
export function placeOf({ name, opType, output }: onnx.INodeProto): string {
  return name ? `Node "${name}" (${opType})` : `The ${opType} that gives "${output?.[0]}"`;
}
