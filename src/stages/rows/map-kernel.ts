import mapWgsl from '../../../shaders/stages/rows/map-rows.wgsl?raw';
import type { PipelineSource } from '../../gpu/pipelines.js';
import type { KernelShape } from '../../kernel/shape.js';
import { wordStruct } from '../../kernel/structs.js';
import { ELEMENT_BYTE_LENGTH } from '../../plan/pieces.js';

/** What a dispatch is told of the parts that it moves rows between; in units. */
const FIELDS = {
  first_row: 'u32',
  row_count: 'u32',
  first: 'u32',
  end: 'u32',
  source_first_row: 'u32',
  source_end_row: 'u32',
  source_first: 'u32',
  source_end: 'u32',
  source_base: 'u32',
  source_stride: 'u32',
  source_column: 'u32',
  target_base: 'u32',
  target_stride: 'u32',
  target_column: 'u32',
  first_entry: 'u32',
  rows_before: 'u32',
  counts_strays: 'u32',
} as const;

export const PORTION = wordStruct('Portion', { ...FIELDS, fresh: 'f32' });
/** Of words that are no float32. */
const WORDS_PORTION = wordStruct('Portion', { ...FIELDS, fresh: 'u32' });

/** Longer shares of a row are moved in a loop, which costs more than as many statements. */
const MOST_STATEMENTS = 16;

/** How the rows of a kernel are shared out among invocations. */
export interface Share {
  readonly workgroupSize: number;
  readonly rowsPerInvocation: number;
  /** Units of each of these rows. */
  readonly length: number;
}

/** Whole rows where an invocation is to move neighbours, else a unit each, so that neighbours touch neighbouring addresses. */
export function shareOf(shape: KernelShape, columnCount: number): Share {
  const { workgroupSize, lanesPerInvocation, consecutive } = shape;
  if (!consecutive) return { workgroupSize, rowsPerInvocation: lanesPerInvocation, length: 1 };
  const rowsPerInvocation = Math.max(1, Math.floor(lanesPerInvocation / columnCount));
  return { workgroupSize, rowsPerInvocation, length: columnCount };
}

/** What one kernel is made for; lengths in units. */
export interface MapKernel extends Share {
  /** Of a row: what is moved. */
  readonly columnCount: number;
  readonly sourceRowLength: number;
  readonly targetRowLength: number;
  /** Elements of a unit. */
  readonly width: number;
  /** Whether they are words that are no float32. */
  readonly isWords: boolean;
  /** On which sides they are numbers of 2 bytes, two to a word: there, a unit is one of those. */
  readonly hasHalves: Readonly<Record<'source' | 'target', boolean>>;
  readonly stays: boolean;
  readonly fills: boolean;
  readonly isCut: boolean;
}

const composeSource = (isOfHalves: boolean): string =>
  isOfHalves
    ? `@group(0) @binding(2) var<storage, read> source: array<u32>;

fn unit_at(k: u32) -> unit {
  return (source[k >> 1u] >> (16u * (k & 1u))) & 0xffffu;
}
`
    : `@group(0) @binding(2) var<storage, read> source: array<unit>;

fn unit_at(k: u32) -> unit {
  return source[k];
}
`;

/** What shares a word with a number of 2 bytes may be somebody else's, or be written at the same time. */
const composeTarget = (isOfHalves: boolean): string =>
  isOfHalves
    ? `@group(0) @binding(3) var<storage, read_write> target_units: array<atomic<u32>>;

fn put_unit(k: u32, value: unit) {
  let shift = 16u * (k & 1u);
  let before = atomicLoad(&target_units[k >> 1u]) >> shift;
  atomicXor(&target_units[k >> 1u], ((value ^ before) & 0xffffu) << shift);
}
`
    : `@group(0) @binding(3) var<storage, read_write> target_units: array<unit>;

fn put_unit(k: u32, value: unit) {
  target_units[k] = value;
}
`;

/** The kernel that moves rows. */
export function mapSource(kernel: MapKernel): PipelineSource {
  const { width, length, isCut, isWords, hasHalves } = kernel;
  const word = isWords ? 'u32' : 'f32';
  const move = (k: string) =>
    isCut ? `move_unit(row, origin, column + ${k});` : `put_unit(to + ${k}, unit_at(at + ${k}));`;
  const statements =
    length <= MOST_STATEMENTS
      ? Array.from({ length }, (_, k) => `  ${move(`${k}u`)}`).join('\n')
      : `  for (var k = 0u; k < SHARE; k++) {\n    ${move('k')}\n  }`;
  return {
    label: 'webgpu-optim map rows',
    code: `alias unit = ${width === 1 ? word : `vec4<${word}>`};
${(isWords ? WORDS_PORTION : PORTION).wgsl}
${composeSource(hasHalves.source)}${composeTarget(hasHalves.target)}
${mapWgsl}
fn move_units(row: u32, origin: u32, column: u32) {
  let to = portion.target_base + row * portion.target_stride + column;
  let at = portion.source_base + origin * portion.source_stride + column;
${statements}
}`,
    entryPoint: 'map_rows',
    constants: {
      WORKGROUP_SIZE: kernel.workgroupSize,
      ROWS_PER_INVOCATION: kernel.rowsPerInvocation,
      COLUMN_COUNT: kernel.columnCount,
      SOURCE_ROW_LENGTH: kernel.sourceRowLength,
      TARGET_ROW_LENGTH: kernel.targetRowLength,
      SHARE: length,
      STAYS: Number(kernel.stays),
      FILLS: Number(kernel.fills),
      IS_CUT: Number(isCut),
    },
    bindGroups: [
      [
        { type: 'uniform', minBindingSize: PORTION.byteLength },
        { type: 'read-only-storage', minBindingSize: 4 },
        { type: 'read-only-storage', minBindingSize: ELEMENT_BYTE_LENGTH * width },
        { type: 'storage', minBindingSize: ELEMENT_BYTE_LENGTH * width },
        { type: 'storage', minBindingSize: 4 },
      ],
    ],
  };
}
