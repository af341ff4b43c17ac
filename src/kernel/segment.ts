import { uniformByteLength } from './alignment.js';

/**
 * What one dispatch covers of one tensor, in the order of the WGSL struct `Segment`; every field is a u32. Bases are indices
 * into the bound arrays: of vec4s where access is `vector`, of f32s where it is `gather`.
 */
export interface Segment {
  /** Number of lanes to process. */
  readonly laneCount: number;
  readonly dataBase: number;
  readonly gradBase: number;
  readonly stateBase: number;
  /** Edges only: lanes from `split` on lie `skip` elements further, past the body. */
  readonly split: number;
  readonly skip: number;
}

const FIELDS = ['laneCount', 'dataBase', 'gradBase', 'stateBase', 'split', 'skip'] as const;

function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The WGSL declaration of the struct. */
export const SEGMENT_WGSL = declareSegment(FIELDS);

/** A struct of the same name with other fields, all u32, given in camelCase. */
export function declareSegment(fields: readonly string[]): string {
  return `struct Segment {\n${fields.map((field) => `  ${toSnakeCase(field)}: u32,\n`).join('')}}`;
}

/** The WGSL declaration of a struct of several, each {@link SEGMENT_BYTE_LENGTH} behind the last. */
export function declareSegments(names: readonly string[]): string {
  return `struct Segments {\n${names.map((name) => `  @align(16) ${name}: Segment,\n`).join('')}}`;
}

/** Byte length of the struct in a uniform buffer, and from one to the next in a struct of several. */
export const SEGMENT_BYTE_LENGTH = uniformByteLength(FIELDS.length);

/** The struct's words, for upload. */
export function segmentWords(segment: Segment): number[] {
  return FIELDS.map((field) => segment[field]);
}
