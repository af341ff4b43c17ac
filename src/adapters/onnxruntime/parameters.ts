import type * as Ort from 'onnxruntime-web';
import { OptimizerError, quote } from '../../errors.js';
import { tagOf } from '../../given.js';

/** A parameter's weights at the beginning: numbers, or a float32 tensor. */
export type InitialWeights = Float32Array | Ort.Tensor;

/** An input or output of a graph. */
type Value = Ort.InferenceSession.ValueMetadata;
type TensorValue = Extract<Value, { isTensor: true }>;

/** A parameter that has been found in the graph. */
export interface GraphParameter {
  /** Name of the graph's input. */
  readonly name: string;
  /** Name of the output that is its gradient. */
  readonly gradient: string;
  readonly dims: readonly number[];
  readonly initial: InitialWeights;
}

/**
 * Finds each parameter and its gradient in a graph.
 *
 * @throws OptimizerError `invalid-config` or `invalid-parameter` if there is no such input, its gradient is missing, either
 *   is not of float32 and one shape, or the initial weights do not fit.
 */
export function findParameters(
  { inputMetadata, outputMetadata }: Pick<Ort.InferenceSession, 'inputMetadata' | 'outputMetadata'>,
  parameters: Readonly<Record<string, InitialWeights>>,
  gradientName: (parameter: string) => string = (name) => `${name}_grad`,
): GraphParameter[] {
  if (typeof parameters !== 'object' || parameters === null || Object.keys(parameters).length === 0) {
    throw new OptimizerError(
      'invalid-config',
      `parameters is ${quote(parameters)}; give the weights by the names of the graph's inputs.`,
    );
  }
  return Object.entries(parameters).map(([name, initial]) => {
    const what = `parameter ${quote(name)}`;
    const input = find(inputMetadata, name, `${what}: the graph has no such input`);
    const gradient = gradientName(name);
    const output = find(
      outputMetadata,
      gradient,
      `${what}: the graph has no output ${quote(gradient)} for its gradient`,
      ', or say with gradientName how gradients are called',
    );
    const dims = staticDims(input);
    if (dims === undefined) {
      fail(`${what}: its shape is ${describe(input)}; make a graph that fixes every axis of it.`);
    }
    if (input.type !== 'float32' || output.type !== 'float32') {
      fail(
        `${what}: the graph has it as ${input.type} and its gradient as ${output.type}; only float32 can be trained.`,
      );
    }
    // An exporter may leave axes of an output open; those that it names must agree.
    if (!fits(output, dims)) {
      fail(
        `${what}: its shape is ${describe(input)}, but that of its gradient ${quote(gradient)} is ${describe(output)}; ` +
          'make a graph where the two agree.',
      );
    }
    checkInitial(initial, dims, what);
    return { name, gradient, dims, initial };
  });
}

/**
 * Checks what one step is fed.
 *
 * @param inputs those inputs of the graph that are no parameters.
 * @throws OptimizerError `invalid-parameter` if one is missing, unknown, or of another type or shape.
 */
export function checkFeeds(feeds: Readonly<Record<string, Ort.Tensor>>, inputs: readonly Value[]): void {
  const expected = inputs.map(({ name }) => quote(name)).join(', ') || 'nothing';
  for (const name of Object.keys(feeds)) {
    if (!inputs.some((input) => input.name === name)) {
      fail(`step(): ${quote(name)} is not to be fed; this graph takes ${expected}.`);
    }
  }
  for (const input of inputs) {
    const tensor = feeds[input.name];
    if (tensor?.dims === undefined) {
      fail(`step(): input ${quote(input.name)} is ${quote(tensor)}; feed a tensor to each of ${expected}.`);
    }
    if (!input.isTensor || (tensor.type === input.type && fits(input, tensor.dims))) continue;
    fail(
      `step(): input ${quote(input.name)} is ${tensor.type} [${tensor.dims.join(', ')}]; ` +
        `this graph takes ${input.type} ${describe(input)}${remedyOf(tensor, input)}.`,
    );
  }
}

/** What one may do about a tensor that does not fit, where the graph may be of `webgpu-optim-onnx`. */
function remedyOf({ type, dims }: Ort.Tensor, { type: wanted, shape }: TensorValue): string {
  if (/^u?int/.test(type) && wanted === 'float32') {
    return '; of class indices, webgpu-optim-onnx --label-type int64 makes a graph';
  }
  if (type !== wanted && wanted === 'int64') {
    const isOneHot = type === 'float32' && dims.length === shape.length + 1;
    return isOneHot
      ? '; of a row of numbers for each, webgpu-optim-onnx --label-type float32 makes a graph'
      : `; give new ort.Tensor('int64', BigInt64Array.from(values, BigInt), shape)`;
  }
  const [rows, batch] = [dims[0]!, shape[0]!];
  const isShort =
    type === wanted && typeof batch === 'number' && rows < batch && fits({ shape }, dims.with(0, batch));
  return isShort ? `; fill it up, with weights of 0 as webgpu-optim-onnx --row-weights has them` : '';
}

/** The shape of a graph's value, or undefined if an axis of it is open. */
export function staticDims(value: Value): readonly number[] | undefined {
  if (!value.isTensor || !value.shape.every((size) => typeof size === 'number' && size >= 0))
    return undefined;
  return value.shape as readonly number[];
}

/** Number of elements of a shape. */
export function countElements(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

function fits({ shape }: Pick<TensorValue, 'shape'>, dims: readonly number[]): boolean {
  return (
    shape.length === dims.length &&
    shape.every((size, axis) => typeof size === 'string' || size === dims[axis])
  );
}

function checkInitial(initial: InitialWeights, dims: readonly number[], what: string): void {
  const wanted = `float32 [${dims.join(', ')}]`;
  if (isFloat32Array(initial)) {
    if (initial.length === countElements(dims)) return;
    fail(`${what}: ${initial.length} numbers are given; the graph takes ${wanted}.`);
  }
  if (typeof initial !== 'object' || initial === null || !('dims' in initial)) {
    fail(`${what} is ${quote(initial)}; give a Float32Array or a tensor of ${wanted}.`);
  }
  if (initial.type !== 'float32' || initial.dims.join() !== dims.join()) {
    fail(
      `${what}: a tensor of ${initial.type} [${initial.dims.join(', ')}] is given; the graph takes ${wanted}.`,
    );
  }
  if (initial.location !== 'cpu' && initial.location !== 'gpu-buffer') {
    fail(`${what}: its tensor is at ${quote(initial.location)}; give one on the CPU or in a GPU buffer.`);
  }
}

function find(values: readonly Value[], name: string, missing: string, remedy = ''): TensorValue {
  const value = values.find((other) => other.name === name);
  if (value?.isTensor) return value;
  return fail(`${missing}; it has ${values.map((other) => quote(other.name)).join(', ')}${remedy}.`);
}

/** Whether a value is a Float32Array, be it of another realm. */
export const isFloat32Array = (value: unknown): value is Float32Array =>
  tagOf(value) === '[object Float32Array]';

const describe = (value: Value): string => (value.isTensor ? `[${value.shape.join(', ')}]` : 'no tensor');

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
