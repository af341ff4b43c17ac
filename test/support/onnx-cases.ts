/** Small networks for tests of onnx/operators: nodes as an exporter would write them, put together by hand. */
import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { appendGradients } from '../../onnx/gradients.js';
import { Graph } from '../../onnx/graph.js';
import { floatValue, integerTensor } from '../../onnx/tensor.js';

const { AttributeType } = onnxProto.onnx.AttributeProto;

/** Whole numbers, lists of them, words, and numbers as `{ f: 0.5 }`. */
export type Attribute = number | readonly number[] | string | { readonly f: number };

export type Node = readonly [
  opType: string,
  inputs: readonly string[],
  attributes?: Readonly<Record<string, Attribute>>,
  outputs?: readonly string[],
];

export interface Case {
  /** Shapes of inputs of float32; gradients are those of all but the frozen ones. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly frozen?: readonly string[];
  /** Inputs whose numbers are above 0. */
  readonly positive?: readonly string[];
  /** Numbers of inputs that are not to be drawn. */
  readonly values?: Readonly<Record<string, readonly number[]>>;
  /** Lists of int64, and single ones. */
  readonly lists?: Readonly<Record<string, readonly number[] | number>>;
  /** They give `v0`, `v1`, … unless they say otherwise; the last one's first result is what a loss sees. */
  readonly nodes: readonly Node[];
  /** Where the nodes are of this form; default 13. */
  readonly opsets?: readonly number[];
}

function attributeOf([name, value]: [string, Attribute]): onnx.IAttributeProto {
  if (typeof value === 'number') return { name, type: AttributeType.INT, i: value };
  if (typeof value === 'string')
    return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) };
  if ('f' in value) return { name, type: AttributeType.FLOAT, f: value.f };
  return { name, type: AttributeType.INTS, ints: [...value] };
}

/** The model of a case. */
export function modelOf({ inputs, lists = {}, nodes }: Case, opset: number): onnx.IModelProto {
  const initializer = Object.entries(lists).map(([name, values]) =>
    typeof values === 'number' ? { ...integerTensor(name, [values]), dims: [] } : integerTensor(name, values),
  );
  return {
    irVersion: 8,
    opsetImport: [{ domain: '', version: opset }],
    graph: {
      name: 'case',
      node: nodes.map(([opType, input, attributes = {}, output], k) => ({
        opType,
        input: [...input],
        output: [...(output ?? [`v${k}`])],
        attribute: Object.entries(attributes).map(attributeOf),
      })),
      initializer,
      input: Object.entries(inputs).map(([name, dims]) => floatValue(name, dims)),
      output: [],
    },
  };
}

/** The model of a case with the gradients of Σ seed · result among its outputs, as `<name>_grad`. */
export function differentiate(
  one: Case,
  opset: number,
): { model: onnx.IModelProto; result: string; shape: readonly number[]; names: readonly string[] } {
  const model = modelOf(one, opset);
  const graph = new Graph(model, 1);
  const result = graph.nodes.at(-1)!.output![0]!;
  const shape = graph.shape(result);
  graph.addInput(floatValue('seed', shape));
  const names = Object.keys(one.inputs).filter((name) => !one.frozen?.includes(name));
  appendGradients(graph, {
    from: result,
    seed: 'seed',
    to: new Map(names.map((name) => [name, `${name}_grad`])),
  });
  model.graph!.output = [result, ...names.map((name) => `${name}_grad`)].map((name) =>
    floatValue(name, graph.shape(name)),
  );
  return { model, result, shape, names };
}
