import { f16 } from '../../codecs/f16.js';
import { OptimizerError, isRecord, quote } from '../../errors.js';
import { tagOf } from '../../given.js';
import { countElements, isFloat32Array } from './parameters.js';
import { type Field, join, readFields, readIntegers, writeField } from './protobuf.js';

/** Numbers of fields in `onnx.proto`, which do not change. */
const GRAPH = 7;
const INITIALIZER = 5;
const DIMS = 1;
const DATA_TYPE = 2;
const NAME = 8;
const RAW_DATA = 9;
/** Numbers of float32, and of float16 in int32. */
const OTHER_DATA = [4, 5];
const DATA_LOCATION = 14;
const FLOAT32 = 1;
const FLOAT16 = 10;

/**
 * Puts trained weights into the inference model that the training graph was made of: a model to be shipped. All else of it stays,
 * byte for byte.
 *
 * @param model the ONNX file's bytes, with its data inside.
 * @param weights numbers by the names of the model's initializers, as `OnnxTrainer.readWeights()` gives them. Initializers of
 *   float16 take what is nearest to them in float16.
 * @returns the bytes of the model with these weights.
 * @throws OptimizerError `invalid-config` if the bytes are no ONNX model, `invalid-parameter` if it has no such initializer, of
 *   so many numbers of float32 or float16, or a number is too large for float16.
 *
 * @example
 * const model = new Uint8Array(await (await fetch('model.onnx')).arrayBuffer());
 * const trained = putWeights(model, await trainer.readWeights());
 */
export function putWeights(
  model: Uint8Array | ArrayBuffer,
  weights: Readonly<Record<string, Float32Array>>,
): Uint8Array<ArrayBuffer> {
  const left = checkWeights(weights);
  const names: string[] = [];
  const exchange = (field: Field): Uint8Array[] => {
    if (field.number !== INITIALIZER) return [field.bytes];
    const fields = parse(field.value);
    const name = nameOf(fields);
    names.push(name);
    const values = left.get(name);
    left.delete(name);
    return values ? writeField(INITIALIZER, withData(fields, name, values)) : [field.bytes];
  };
  const made = parse(bytesOf(model)).flatMap((field) =>
    field.number === GRAPH ? writeField(GRAPH, parse(field.value).flatMap(exchange)) : [field.bytes],
  );
  const [missing] = left.keys();
  if (missing === undefined) return join(made);
  return fail(
    `the model has no initializer ${quote(missing)}; it has ${names.map(quote).join(', ') || 'none'}.`,
  );
}

/** The fields of a tensor with other numbers. */
function withData(fields: readonly Field[], name: string, values: Float32Array): Uint8Array[] {
  const last = (number: number): number => fields.findLast((field) => field.number === number)?.integer ?? 0;
  const what = `initializer ${quote(name)}`;
  const dataType = last(DATA_TYPE);
  if (dataType !== FLOAT32 && dataType !== FLOAT16) {
    fail(`${what} is of ONNX's type ${dataType}; only float32 and float16 (1 and 10) take weights.`);
  }
  if (last(DATA_LOCATION) !== 0) {
    fail(`the data of ${what} lies in another file; save the model with its data inside.`);
  }
  const dims = fields.filter(({ number }) => number === DIMS).flatMap(readIntegers);
  if (countElements(dims) !== values.length) {
    fail(`${what} has shape [${dims.join(', ')}], but ${values.length} numbers are given.`);
  }
  const data = dataType === FLOAT16 ? halvesOf(values, what) : new Uint8Array(values.slice().buffer);
  const kept = fields.filter(({ number }) => number !== RAW_DATA && !OTHER_DATA.includes(number));
  return [...kept.map(({ bytes }) => bytes), ...writeField(RAW_DATA, [data])];
}

function halvesOf(values: Float32Array, what: string): Uint8Array {
  const k = values.findIndex((value) => Number.isFinite(value) && Math.abs(value) >= f16.overflowsFrom!);
  if (k >= 0) fail(`${what} is of float16, but element ${k} is ${values[k]}; save the model in float32.`);
  return f16.encode(new Float32Array(values)).subarray(0, 2 * values.length);
}

function checkWeights(weights: Readonly<Record<string, Float32Array>>): Map<string, Float32Array> {
  const entries = isRecord(weights) ? Object.entries(weights) : [];
  if (entries.length === 0) {
    fail(`weights is ${quote(weights)}; give numbers by the names of the model's initializers.`);
  }
  for (const [name, values] of entries) {
    if (!isFloat32Array(values))
      fail(`the weights ${quote(name)} are ${quote(values)}; give a Float32Array.`);
  }
  return new Map(entries);
}

function nameOf(fields: readonly Field[]): string {
  const value = fields.findLast(({ number }) => number === NAME)?.value;
  // A mark of byte order is part of a name like any other letter.
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(value);
}

function bytesOf(model: Uint8Array | ArrayBuffer): Uint8Array {
  // Of whatever realm.
  const tag = tagOf(model);
  if (tag === '[object Uint8Array]') return model as Uint8Array;
  if (tag === '[object ArrayBuffer]') return new Uint8Array(model);
  return refuse(`the model is ${quote(model)}; give an ONNX file's bytes.`);
}

function parse(message: Uint8Array = new Uint8Array()): Field[] {
  try {
    return readFields(message);
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    return refuse(
      `the bytes are no ONNX model, or cut short: there is ${found}; give a whole ONNX file.`,
      cause,
    );
  }
}

function refuse(message: string, cause?: unknown): never {
  throw new OptimizerError('invalid-config', `putWeights(): ${message}`, { cause });
}

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', `putWeights(): ${message}`);
}
