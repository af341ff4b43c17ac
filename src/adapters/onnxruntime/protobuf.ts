/** As much of protobuf's encoding as it takes to exchange fields of a message, and keep all others byte for byte. */

/** A field of a message. */
export interface Field {
  readonly number: number;
  /** Its value if that is an integer, else 0. */
  readonly integer: number;
  /** Its value if that is text, bytes, a message or packed numbers. */
  readonly value: Uint8Array | undefined;
  /** All of it, with what names it. */
  readonly bytes: Uint8Array;
}

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/**
 * The fields of a message, in their order.
 *
 * @throws RangeError if a field reaches beyond the end, or begins with what names none.
 */
export function readFields(message: Uint8Array): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < message.length;) {
    const begin = at;
    const key = readVarint(message, at);
    at = key.end;
    let integer = 0;
    let value: Uint8Array | undefined;
    const type = key.value % 8;
    if (type === VARINT) {
      ({ value: integer, end: at } = readVarint(message, at));
    } else if (type === DELIMITED) {
      const { value: byteLength, end } = readVarint(message, at);
      value = message.subarray(end, end + byteLength);
      at = end + byteLength;
    } else if (type === FIXED32 || type === FIXED64) {
      at += type === FIXED32 ? 4 : 8;
    } else {
      throw new RangeError(`a field of type ${type}`);
    }
    if (at > message.length) throw new RangeError('a field beyond the end');
    fields.push({ number: Math.floor(key.value / 8), integer, value, bytes: message.subarray(begin, at) });
  }
  return fields;
}

/** The integers of a repeated field: packed, or a field for each. */
export function readIntegers({ integer, value }: Field): number[] {
  if (!value) return [integer];
  const integers: number[] = [];
  for (let at = 0; at < value.length;) {
    const read = readVarint(value, at);
    integers.push(read.value);
    at = read.end;
  }
  return integers;
}

/** A field of bytes, or of a message, given in pieces: with what names it in front. */
export function writeField(number: number, pieces: readonly Uint8Array[]): Uint8Array[] {
  const byteLength = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return [Uint8Array.from([...varint(8 * number + DELIMITED), ...varint(byteLength)]), ...pieces];
}

/** Pieces behind each other. */
export function join(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Seven bits in a byte, the lowest first; exact below 2⁵³. */
function readVarint(bytes: Uint8Array, begin: number): { value: number; end: number } {
  let value = 0;
  for (let [at, scale] = [begin, 1]; at < bytes.length; at++, scale *= 128) {
    value += (bytes[at]! % 128) * scale;
    if (bytes[at]! < 128) return { value, end: at + 1 };
  }
  throw new RangeError('an integer beyond the end');
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
