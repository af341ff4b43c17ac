import type { RisingRate } from '../rules/declaring/declaration.js';
import { alignUp } from './alignment.js';
import type { RuleLayout } from './rule-layout.js';
import { type WordStruct, type WordType, wordStruct } from './structs.js';

/** Uniform offsets are multiples of this on every device. */
const PAGE_ALIGNMENT = 256;

/** The most steps that a count holds: it is a u32 on the GPU. */
export const MOST_STEPS = 2 ** 32 - 1;

/**
 * The numbers of a step for tensors that have made the same number of steps: the WGSL struct `Scalars`, of which kernels
 * see one as `h`. Beside the rule's scalars it has `is_active`, which is 0 where the step is not to be made, and the count
 * of the tensors' own steps, as a float32 `t` and exactly as `t_count`.
 */
export interface RowLayout {
  readonly struct: WordStruct;
  /** Rows that lie in one page, the unit that kernels bind. */
  readonly rowsPerPage: number;
  readonly pageByteLength: number;
  /** Names of the bias corrections, which are fields that lie behind one another. */
  readonly corrections: readonly string[];
}

/** Layout of the rows of a rule, or of several that groups have; the same for all their options. */
export function rowLayout(...layouts: readonly Pick<RuleLayout, 'scalars' | 'corrections'>[]): RowLayout {
  const fields: Record<string, WordType> = { is_active: 'u32', t_count: 'u32' };
  // Corrections last: the control stage writes them one behind the other.
  const names = [...new Set(layouts.flatMap(({ corrections }) => corrections.map(({ name }) => name)))];
  for (const { scalars } of layouts)
    for (const name of scalars) if (!names.includes(name)) fields[name] = 'f32';
  for (const name of names) fields[name] = 'f32';
  const byteLength = 2 ** Math.ceil(Math.log2(4 * Object.keys(fields).length));
  const rowsPerPage = Math.max(1, PAGE_ALIGNMENT / byteLength);
  return {
    struct: wordStruct('Scalars', fields, byteLength),
    rowsPerPage,
    pageByteLength: alignUp(rowsPerPage * byteLength, PAGE_ALIGNMENT),
    corrections: names,
  };
}

/** Of what another rule's rows are corrected by: it stays 1. */
const NO_RATE: RisingRate = { beta: 0, damping: 0 };

/** The rates of a rule's corrections, in the order of the rows' corrections. */
export function ratesInRow(
  { corrections }: Pick<RuleLayout, 'corrections'>,
  row: Pick<RowLayout, 'corrections'>,
): RisingRate[] {
  const rateOf = new Map(corrections.map(({ name, rate }) => [name, rate]));
  return row.corrections.map((name) => rateOf.get(name) ?? NO_RATE);
}

/**
 * A slot of the ring, one per step: first the settings of the control stage, then pages of rows, then, per row and
 * correction, the words of its rates (see stages/control). Byte offsets; `byteLength` is a multiple of 256.
 */
export interface SlotLayout {
  readonly rows: number;
  readonly rates: number;
  readonly byteLength: number;
}

/** Bytes at the beginning of a slot, for the settings of the control stage. */
export const SETTINGS_BYTE_LENGTH = 256;

/** Bytes of the rates of one correction: β and d as 64-bit fractions, high and low word each. */
export const RATE_BYTE_LENGTH = 16;

/**
 * The layout of slots for a number of rows.
 *
 * @param controlled whether there are settings and rates at all.
 */
export function slotLayout(row: RowLayout, rowCapacity: number, controlled: boolean): SlotLayout {
  const rows = controlled ? SETTINGS_BYTE_LENGTH : 0;
  const rates = rows + row.pageByteLength * Math.ceil(rowCapacity / row.rowsPerPage);
  const ratesByteLength = controlled ? RATE_BYTE_LENGTH * row.corrections.length * rowCapacity : 0;
  return { rows, rates, byteLength: alignUp(rates + ratesByteLength, PAGE_ALIGNMENT) };
}

/** Byte of a row within a slot. */
export function rowOffset(
  { struct, rowsPerPage, pageByteLength }: RowLayout,
  slot: SlotLayout,
  row: number,
): number {
  return slot.rows + pageByteLength * Math.floor(row / rowsPerPage) + struct.byteLength * (row % rowsPerPage);
}
