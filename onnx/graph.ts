import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { fold, readList } from './operators/fold.js';
import { reduce, reshape } from './operators/forms.js';
import {
  type Attributes,
  FLOAT,
  type Forward,
  type Operator,
  type OperatorGraph,
  UnknownShape,
  placeOf,
} from './operators/operator.js';
import { operatorOf } from './operators/registry.js';
import {
  type Shape,
  type Weight,
  axesOf,
  floatTensor,
  integerTensor,
  isFloatTensor,
  shapeOf,
} from './tensor.js';

const { AttributeType } = onnxProto.onnx.AttributeProto;
const FLOAT_ATTRIBUTES = ['alpha', 'beta', 'epsilon'];
/** What ONNX Runtime runs. */
const FIRST_OPSET = 7;

/** An ONNX graph that grows: nodes are appended behind those they use, and every value's shape is known where it can be. */
export class Graph implements OperatorGraph {
  readonly opset: number;
  readonly #proto: onnx.IGraphProto;
  /** Of a value whose shape cannot be told, why. */
  readonly #shapes = new Map<string, Shape | string>();
  readonly #types = new Map<string, number>();
  readonly #integersOf = new Map<string, readonly number[]>();
  readonly #declared = new Map<string, Shape>();
  readonly #nodes: onnx.INodeProto[];
  #count = 0;

  /**
   * @param model the model whose graph is extended in place.
   * @param batch size of all axes that the model's inputs leave open.
   * @throws Error naming the node whose inputs do not go together.
   */
  constructor(model: onnx.IModelProto, batch: number) {
    this.#proto = model.graph!;
    const main = model.opsetImport?.find(({ domain }) => !domain || domain === 'ai.onnx');
    this.opset = Number(main?.version ?? 0);
    if (this.opset < FIRST_OPSET)
      throw new Error(`The model is of opset ${this.opset}; export it with ${FIRST_OPSET} or later.`);
    this.#nodes = this.#proto.node ??= [];
    const inputs = this.#proto.input ?? [];
    const open = new Set(inputs.flatMap((input) => axesOf(input).map(({ dimParam }) => dimParam)));
    for (const value of [...(this.#proto.valueInfo ?? []), ...(this.#proto.output ?? [])]) {
      const isKnown = axesOf(value).every(
        ({ dimValue, dimParam }) => Number(dimValue ?? 0) || (dimParam && open.has(dimParam)),
      );
      if (value.type?.tensorType?.shape && isKnown) this.#declared.set(value.name!, shapeOf(value, batch));
      this.#types.set(value.name!, value.type?.tensorType?.elemType ?? FLOAT);
    }
    for (const input of inputs) this.#setInput(input, batch);
    for (const tensor of this.#proto.initializer ?? []) this.#setConstant(tensor);
    for (const node of this.#nodes) this.#infer(node);
  }

  /** The nodes, in an order in which they can be computed. */
  get nodes(): readonly onnx.INodeProto[] {
    return this.#nodes;
  }

  /** The names of the model's outputs. */
  get outputs(): readonly string[] {
    return (this.#proto.output ?? []).map(({ name }) => name!);
  }

  /** The float32 initializers. */
  get weights(): readonly onnx.ITensorProto[] {
    return (this.#proto.initializer ?? []).filter(isFloatTensor);
  }

  shape(value: string): Shape {
    const shape = this.#shapes.get(value);
    if (shape === undefined) throw new Error(`The graph has no value "${value}".`);
    if (typeof shape !== 'string') return shape;
    throw new Error(
      `The shape of "${value}" is not known. ${shape}. ` +
        'Run onnx.shape_inference.infer_shapes over the model, with fixed shapes of its inputs.',
    );
  }

  /** Whether {@link shape} tells the shape of a value. */
  knows(value: string): boolean {
    return Array.isArray(this.#shapes.get(value));
  }

  elementType(value: string): number {
    return this.#types.get(value) ?? FLOAT;
  }

  /** Declares an input. */
  addInput(value: onnx.IValueInfoProto): void {
    this.#rejectTaken(value.name!);
    (this.#proto.input ??= []).push(value);
    this.#setInput(value, 0);
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

  constant(value: number | Weight): string {
    const weight = typeof value === 'number' ? { dims: [], data: Float32Array.of(value) } : value;
    return this.insert((name) => floatTensor(name, weight));
  }

  integerConstant(values: readonly number[]): string {
    return this.insert((name) => integerTensor(name, values));
  }

  /** Adds a constant under a name that nothing else has, and returns the name. */
  insert(make: (name: string) => onnx.ITensorProto): string {
    const tensor = make(this.#fresh('constant'));
    (this.#proto.initializer ??= []).push(tensor);
    this.#setConstant(tensor);
    return tensor.name!;
  }

  /** Sums over some axes, or takes the largest; of all axes, what is left is a single number. */
  reduce(opType: 'ReduceSum' | 'ReduceMax', value: string, axes: readonly number[], keepdims: 0 | 1): string {
    return reduce(this, opType, value, axes, keepdims);
  }

  /** The same numbers in another shape. */
  reshape(value: string, shape: Shape): string {
    return reshape(this, value, shape);
  }

  integers(name: string): readonly number[] | undefined {
    return this.#integersOf.get(name);
  }

  #setConstant(tensor: onnx.ITensorProto): void {
    const values = readList(tensor);
    this.#shapes.set(tensor.name!, (tensor.dims ?? []).map(Number));
    this.#types.set(tensor.name!, tensor.dataType!);
    if (values) this.#integersOf.set(tensor.name!, values);
  }

  #setInput(value: onnx.IValueInfoProto, batch: number): void {
    this.#shapes.set(value.name!, shapeOf(value, batch));
    this.#types.set(value.name!, value.type?.tensorType?.elemType ?? FLOAT);
  }

  /** Tells shapes and types of a node's results; where that is not possible, what the model declares must do. */
  #infer(node: onnx.INodeProto): void {
    const inputs = (node.input ?? []).map((name) => (name ? this.#shapes.get(name) : []));
    const lost = inputs.indexOf(undefined);
    if (lost >= 0) throw new Error(`${placeOf(node)}: the graph has no value "${node.input![lost]}".`);
    const why = inputs.find((input) => typeof input === 'string');
    const operator = operatorOf(node);
    if (why !== undefined || !operator) {
      this.#setUnknown(node, why ?? `${placeOf(node)} is of a kind that training does not know`);
      return;
    }
    try {
      this.#setKnown(operator, { graph: this, node, inputs: inputs as Shape[] });
    } catch (error) {
      const reason = `${placeOf(node)}: ${error instanceof Error ? error.message : String(error)}`;
      if (!(error instanceof UnknownShape)) throw new Error(reason, { cause: error });
      this.#setUnknown(node, reason);
    }
  }

  #setKnown(operator: Operator, forward: Forward): void {
    const { input, output } = forward.node;
    const shapes = operator.shapes(forward);
    const types = operator.types?.(forward) ?? [];
    output!.forEach((name, k) => {
      this.#shapes.set(name, shapes[k]!);
      this.#types.set(name, types[k] ?? this.elementType(input![0] ?? ''));
    });
    const values = fold(forward, shapes[0]!);
    if (values) this.#integersOf.set(output![0]!, values);
  }

  /** What the model declares must do. */
  #setUnknown({ output }: onnx.INodeProto, why: string): void {
    for (const name of output ?? []) this.#shapes.set(name, this.#declared.get(name) ?? why);
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
