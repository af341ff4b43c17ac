import { alignUp } from './alignment.js';

/** Type of a field: one 32-bit word. */
export type WordType = 'u32' | 'f32';

/** Words to be written as either type. */
export interface WordView {
  readonly u32: Uint32Array<ArrayBuffer>;
  readonly f32: Float32Array<ArrayBuffer>;
}

/** The same bytes as u32 and as f32. */
export function wordView(buffer: ArrayBuffer, byteOffset = 0, byteLength = buffer.byteLength): WordView {
  return {
    u32: new Uint32Array(buffer, byteOffset, byteLength / 4),
    f32: new Float32Array(buffer, byteOffset, byteLength / 4),
  };
}

/** A WGSL struct of 32-bit fields and its writer, from one declaration. */
export interface WordStruct<Field extends string = string> {
  readonly name: string;
  readonly fields: readonly Field[];
  /** The WGSL declaration. */
  readonly wgsl: string;
  /** Bytes that it occupies, from one to the next in an array, too. */
  readonly byteLength: number;
  /** Index of a field's word. */
  wordOf(field: Field): number;
  /** Writes the fields that are given, from a word of the view on. */
  write(view: WordView, firstWord: number, values: Readonly<Partial<Record<Field, number>>>): void;
}

/**
 * Declares a struct.
 *
 * @param fields names in WGSL, in order, with their types.
 * @param byteLength what it is padded to; default the next multiple of 16, which arrays in uniform buffers need.
 */
export function wordStruct<Field extends string>(
  name: string,
  fields: Readonly<Record<Field, WordType>>,
  byteLength = alignUp(4 * Object.keys(fields).length, 16),
): WordStruct<Field> {
  const names = Object.keys(fields) as Field[];
  const indexOf = new Map(names.map((field, k) => [field, k]));
  const padding = Array.from({ length: byteLength / 4 - names.length }, (_, k) => `  padding_${k}: u32,\n`);
  const lines = names.map((field) => `  ${field}: ${fields[field]},\n`);
  return {
    name,
    fields: names,
    wgsl: `struct ${name} {\n${lines.join('')}${padding.join('')}}\n`,
    byteLength,
    wordOf: (field) => indexOf.get(field)!,
    write: (view, firstWord, values) => {
      for (const field in values) {
        const word = firstWord + indexOf.get(field)!;
        if (fields[field] === 'u32') view.u32[word] = values[field]!;
        else view.f32[word] = values[field]!;
      }
    },
  };
}
