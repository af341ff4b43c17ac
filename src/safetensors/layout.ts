import { quote, readProperty, rejectUnknownKeys, isRecord } from '../errors.js';
import { tagOf } from '../given.js';
import { type SafetensorsDType, arraysFor, byteLengthOf, dtypes, isDType, placeOf } from './format/dtypes.js';
import { METADATA } from './format/header.js';
import { type SafetensorsPieces, hasMethod, isPieces } from './pieces.js';
import { MAX_HEADER_BYTE_LENGTH, PREFIX_BYTE_LENGTH, refuse } from './format/refuse.js';
import { isWellFormed } from './format/scanner.js';

/** A tensor to be written. */
export interface WritableTensor {
  /** Any text but `__metadata__`, once in a file; no half of a surrogate pair. */
  readonly name: string;
  /** What its elements are. */
  readonly dtype: SafetensorsDType;
  /** Its sizes, whole numbers from 0; none for a single number. */
  readonly shape: readonly number[];
  /**
   * Its elements: a typed array of the dtype (of `F16` and `BF16` a Uint16Array of their bits will do), its bytes in a Uint8Array
   * or ArrayBuffer, or pieces of these bytes, which are asked for when the tensor's turn comes. They are read while the file is
   * written: leave them as they are until then.
   */
  readonly data: ArrayBuffer | ArrayBufferView | SafetensorsPieces;
}

/** A tensor that has been checked. */
export interface PlannedTensor {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly byteLength: number;
  readonly data: Uint8Array | SafetensorsPieces;
}

/** A file to be written. */
export interface PlannedFile {
  /** All before the bytes of tensors. */
  readonly head: Uint8Array;
  /** In the order of their bytes. */
  readonly tensors: readonly PlannedTensor[];
  readonly byteLength: number;
}

/**
 * Checks what is to be written and says how it will lie: tensors of larger elements first, as `prepare` in the reference
 * implementation's tensor.rs has it, then by their names; what follows the header begins at a multiple of 8.
 *
 * @throws OptimizerError `invalid-safetensors`.
 */
export function planFile(tensors: unknown, metadata: unknown): PlannedFile {
  if (!hasMethod(tensors, Symbol.iterator)) {
    refuse(`The tensors are ${quote(tensors)}. Give a list of { name, dtype, shape, data }.`);
  }
  const planned = Array.from(tensors as Iterable<unknown>, planTensor);
  const names = new Set<string>();
  for (const { name } of planned) {
    if (names.has(name)) refuse(`Two tensors are named ${quote(name)}. Give each a name of its own.`);
    names.add(name);
  }
  planned.sort(compareTensors);
  const head = writeHead(planned, checkMetadata(metadata));
  const byteLength = planned.reduce((sum, tensor) => sum + tensor.byteLength, head.byteLength);
  if (!Number.isSafeInteger(byteLength)) {
    refuse(`The file would have ${byteLength} bytes, more than can be counted. Write several.`);
  }
  return { head, tensors: planned, byteLength };
}

const FIELDS = ['name', 'dtype', 'shape', 'data'] as const;

function planTensor(given: unknown, index: number): PlannedTensor {
  const place = `Tensor ${index}`;
  if (typeof given !== 'object' || given === null) {
    refuse(`${place} is ${quote(given)}. Give { name, dtype, shape, data }.`);
  }
  rejectUnknownKeys(given, FIELDS, place, 'invalid-safetensors');
  const [name, dtype, shape, data] = FIELDS.map((field) =>
    readProperty(given, field, `${place}: its ${field}`, 'invalid-safetensors'),
  );
  if (typeof name !== 'string') refuse(`${place} is named ${quote(name)}. Give a text.`);
  const what = `Tensor ${quote(name)}`;
  if (name === METADATA) refuse(`${what} has the name of the metadata. Give another one.`);
  if (!isWellFormed(name))
    refuse(`${what} has half of a surrogate pair in its name. Give a well-formed text.`);
  if (!isDType(dtype)) refuse(`${what} has dtype ${quote(dtype)}; the format has ${dtypes.join(', ')}.`);
  const sizes = checkShape(shape, what);
  const byteLength = byteLengthOf(dtype, sizes, what);
  return { name, dtype, shape: sizes, byteLength, data: checkData(data, dtype, sizes, byteLength, what) };
}

function checkShape(shape: unknown, what: string): number[] {
  if (!Array.isArray(shape)) refuse(`${what} has shape ${quote(shape)}. Give a list of sizes.`);
  return Array.from(shape as unknown[], (size) => {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || Object.is(size, -0)) {
      refuse(`${what} has shape ${quote(shape)}. Give whole numbers from 0.`);
    }
    return size;
  });
}

/** The data as bytes or as pieces. */
function checkData(
  data: unknown,
  dtype: SafetensorsDType,
  shape: readonly number[],
  byteLength: number,
  what: string,
): Uint8Array | SafetensorsPieces {
  const className = tagOf(data).slice('[object '.length, -1);
  const classes = arraysFor(dtype);
  if (ArrayBuffer.isView(data) || className === 'ArrayBuffer') {
    if (!classes.includes(className)) {
      refuse(`${what} has dtype ${dtype} and data ${quote(data)}. Give ${classes.join(' or ')}, or pieces.`);
    }
    const bytes = toBytes(data as ArrayBuffer | ArrayBufferView);
    if (bytes.byteLength !== byteLength) {
      refuse(
        `${what} has ${bytes.byteLength} bytes of data; ${dtype} ${quote(shape)} takes ${byteLength}. Give all elements, and no more.`,
      );
    }
    return bytes;
  }
  if (isPieces(data)) return data;
  return refuse(
    `${what} has data ${quote(data)}. Give ${classes.join(', ')}, or a stream or an iterable of Uint8Arrays.`,
  );
}

function toBytes(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  // Of this length for good: one that follows its buffer could grow.
  if (!ArrayBuffer.isView(data)) return new Uint8Array(data, 0, data.byteLength);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function checkMetadata(metadata: unknown): Map<string, string> {
  if (!isRecord(metadata)) refuse(`The metadata is ${quote(metadata)}. Give an object of texts.`);
  return new Map(
    Object.keys(metadata).map((key) => {
      const value = readProperty(
        metadata,
        key,
        `The metadata: the value of ${quote(key)}`,
        'invalid-safetensors',
      );
      if (typeof value !== 'string') {
        refuse(
          `The metadata has ${quote(value)} for ${quote(key)}. Give texts only: String(…), JSON.stringify(…).`,
        );
      }
      if (!isWellFormed(key) || !isWellFormed(value)) {
        refuse(`The metadata has half of a surrogate pair in ${quote(key)}. Give well-formed texts.`);
      }
      return [key, value];
    }),
  );
}

/** The order of tensors in a file: by alignment, then by name. */
export const compareTensors = (
  a: Pick<PlannedTensor, 'dtype' | 'name'>,
  b: Pick<PlannedTensor, 'dtype' | 'name'>,
): number => placeOf(b.dtype) - placeOf(a.dtype) || compareTexts(a.name, b.name);

/** As the bytes of their UTF-8 compare, which is the order of code points, not of UTF-16. */
function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let k = 0; k < length; k += 1) {
    const difference = rankOf(a.charCodeAt(k)) - rankOf(b.charCodeAt(k));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Halves of surrogate pairs stand for code points behind all others. */
function rankOf(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

/** The length of the header, and the header, as serde_json writes it, with spaces up to a multiple of 8 bytes. */
function writeHead(tensors: readonly PlannedTensor[], metadata: ReadonlyMap<string, string>): Uint8Array {
  const members: string[] = [];
  if (metadata.size > 0) {
    const texts = Array.from(metadata, ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
    members.push(`"${METADATA}":{${texts.join(',')}}`);
  }
  let begin = 0;
  for (const { name, dtype, shape, byteLength } of tensors) {
    const end = begin + byteLength;
    members.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${begin},${end}]}`,
    );
    begin = end;
  }
  const json = new TextEncoder().encode(`{${members.join(',')}}`);
  const byteLength = Math.ceil(json.byteLength / PREFIX_BYTE_LENGTH) * PREFIX_BYTE_LENGTH;
  if (byteLength > MAX_HEADER_BYTE_LENGTH) {
    refuse(
      `The header would have ${byteLength} bytes; ${MAX_HEADER_BYTE_LENGTH} are the most. Use less metadata, or several files.`,
    );
  }
  const head = new Uint8Array(PREFIX_BYTE_LENGTH + byteLength).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(byteLength), true);
  head.set(json, PREFIX_BYTE_LENGTH);
  return head;
}
