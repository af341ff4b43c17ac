import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { type Attributes, type OperatorGraph, operatorOf } from './operators.js';
import { type Shape, floatTensor, integerTensor, isFloatTensor, shapeOf } from './tensor.js';

const { AttributeType } = onnxProto.onnx.AttributeProto;
const FLOAT_ATTRIBUTES = ['alpha', 'beta'];

/** An ONNX graph that grows: nodes are appended behind those they use, and every value's shape is known. */
export class Graph implements OperatorGraph {
  readonly #proto: onnx.IGraphProto;
  readonly #opset: number;
  readonly #shapes = new Map<string, Shape>();
  readonly #nodes: onnx.INodeProto[];
  #count = 0;

  /**
   * @param model the model whose graph is extended in place.
   * @param batch size of all axes that the model's inputs leave open.
   * @throws Error naming the node whose operator is not known; see operators.ts.
   */
  constructor(model: onnx.IModelProto, batch: number) {
    this.#proto = model.graph!;
    this.#opset = Number(model.opsetImport?.find(({ domain }) => !domain)?.version ?? 0);
    // Before 13, ReduceSum has its axes elsewhere.
    if (this.#opset < 13)
      throw new Error(`The model is of opset ${this.#opset}; export it with 13 or later.`);
    this.#nodes = this.#proto.node ??= [];
    for (const input of this.#proto.input ?? []) this.#shapes.set(input.name!, shapeOf(input, batch));
    for (const { name, dims } of this.#proto.initializer ?? []) {
      this.#shapes.set(name!, (dims ?? []).map(Number));
    }
    for (const node of this.#nodes) this.#infer(node);
  }

  /** The nodes, in an order in which they can be computed. */
  get nodes(): readonly onnx.INodeProto[] {
    return this.#nodes;
  }

  /** The float32 initializers. */
  get weights(): readonly onnx.ITensorProto[] {
    return (this.#proto.initializer ?? []).filter(isFloatTensor);
  }

  shape(value: string): Shape {
    const shape = this.#shapes.get(value);
    if (!shape) throw new Error(`The graph has no value "${value}".`);
    return shape;
  }

  /** Declares an input. */
  addInput(value: onnx.IValueInfoProto): void {
    this.#rejectTaken(value.name!);
    this.#proto.input!.push(value);
    this.#shapes.set(value.name!, shapeOf(value, 0));
  }

  /**
   * Appends a node.
   *
   * @param output name of its result; default one that nothing else has.
   * @returns the name of its result.
   */
  add(
    opType: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    output = this.#fresh(opType),
  ): string {
    this.#rejectTaken(output);
    const node: onnx.INodeProto = {
      name: output,
      opType,
      input: [...inputs],
      output: [output],
      attribute: Object.entries(attributes).map(([name, value]) => attributeOf(name, value)),
    };
    this.#nodes.push(node);
    this.#infer(node);
    return output;
  }

  constant(value: number): string {
    const name = this.#fresh('constant');
    this.#proto.initializer!.push(floatTensor(name, { dims: [], data: Float32Array.of(value) }));
    this.#shapes.set(name, []);
    return name;
  }

  reduce(opType: 'ReduceSum' | 'ReduceMax', value: string, axes: readonly number[], keepdims: 0 | 1): string {
    // ReduceMax has its axes as an attribute until opset 18, ReduceSum until 13.
    if (opType === 'ReduceMax' && this.#opset < 18) return this.add(opType, [value], { axes, keepdims });
    return this.add(opType, [value, this.#integers(axes)], { keepdims });
  }

  reshape(value: string, shape: Shape): string {
    return this.add('Reshape', [value, this.#integers(shape)]);
  }

  integers(name: string): readonly number[] | undefined {
    const tensor = this.#proto.initializer!.find((other) => other.name === name);
    if (!tensor?.rawData?.length) return undefined;
    return [...new BigInt64Array(new Uint8Array(tensor.rawData).buffer)].map(Number);
  }

  #integers(values: readonly number[]): string {
    const name = this.#fresh('integers');
    this.#proto.initializer!.push(integerTensor(name, values));
    this.#shapes.set(name, [values.length]);
    return name;
  }

  #infer(node: onnx.INodeProto): void {
    const inputs = (node.input ?? []).map((name) => this.shape(name));
    const [output] = node.output!;
    this.#shapes.set(output!, operatorOf(node).shape({ graph: this, node, inputs }));
  }

  #fresh(what: string): string {
    let name: string;
    do name = `training/${what}_${this.#count++}`;
    while (this.#shapes.has(name));
    return name;
  }

  #rejectTaken(name: string): void {
    if (this.#shapes.has(name))
      throw new Error(`The graph has a value "${name}" already; choose another name.`);
  }
}

function attributeOf(name: string, value: number | readonly number[]): onnx.IAttributeProto {
  if (typeof value !== 'number') return { name, type: AttributeType.INTS, ints: [...value] };
  if (FLOAT_ATTRIBUTES.includes(name)) return { name, type: AttributeType.FLOAT, f: value };
  return { name, type: AttributeType.INT, i: value };
}
