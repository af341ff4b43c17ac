import { RATE_BYTE_LENGTH, type RowLayout, SETTINGS_BYTE_LENGTH, type SlotLayout } from '../../kernel/row.js';
import { type WordView, wordStruct } from '../../kernel/structs.js';
import type { ResolvedGradientOptions } from '../../engine/input/options/gradient-options.js';
import type { RisingRate } from '../../rules/declaring/declaration.js';
import { betaWords } from './fixed-point.js';

/** What a step tells the control stage, and in `multiplier` what the decision tells what comes behind it. */
const SETTINGS = wordStruct('Settings', {
  first_rate: 'u32',
  max_consecutive_skips: 'u32',
  growth_interval: 'u32',
  max_grad_norm: 'f32',
  grad_scale: 'f32',
  growth_factor: 'f32',
  backoff_factor: 'f32',
  multiplier: 'u32',
});

/** For `maxConsecutiveSkips` Infinity. */
const NEVER = 0xffff_ffff;

/** Writes the settings of a step to the beginning of its slot. */
export function writeSettings(
  view: WordView,
  firstWord: number,
  { maxConsecutiveSkips, dynamic, maxGradNorm }: ResolvedGradientOptions,
  gradScale: number,
  slot: SlotLayout,
): void {
  SETTINGS.write(view, firstWord, {
    first_rate: (slot.rates - SETTINGS_BYTE_LENGTH) / 4,
    max_consecutive_skips: Math.min(maxConsecutiveSkips, NEVER),
    growth_interval: dynamic?.growthInterval ?? 0,
    max_grad_norm: maxGradNorm,
    grad_scale: gradScale,
    growth_factor: dynamic?.growthFactor ?? 1,
    backoff_factor: dynamic?.backoffFactor ?? 1,
  });
}

/** The words of a row's rates, one correction after the other: what a step's slot has of them. */
export function rateWords(rates: readonly RisingRate[]): number[] {
  return rates.flatMap(({ beta, damping }) => [...betaWords(beta), ...betaWords(damping)]);
}

/** Byte of a row's rates within a slot. */
export function rateOffset({ corrections }: RowLayout, slot: SlotLayout, row: number): number {
  return slot.rates + RATE_BYTE_LENGTH * corrections.length * row;
}

/** The slot of a step as kernels see it at group 1, and where things are in it; all in words from `slot.words` on. */
export function composeSlot({ struct, rowsPerPage, pageByteLength, corrections }: RowLayout): string {
  const [firstCorrection] = corrections;
  return `${SETTINGS.wgsl}
struct Slot {
  @size(${SETTINGS_BYTE_LENGTH}) settings: Settings,
  /// Pages of rows, then the rates of rows.
  words: array<u32>,
}

@group(1) @binding(0) var<storage, read_write> slot: Slot;

const ROWS_PER_PAGE: u32 = ${rowsPerPage}u;
const PAGE_WORDS: u32 = ${pageByteLength / 4}u;
const ROW_WORDS: u32 = ${struct.byteLength / 4}u;
const IS_ACTIVE: u32 = ${struct.wordOf('is_active')}u;
const T_COUNT: u32 = ${struct.wordOf('t_count')}u;
const T: u32 = ${struct.wordOf('t')}u;
const GRAD_MULTIPLIER: u32 = ${struct.wordOf('grad_multiplier')}u;
const CORRECTION_COUNT: u32 = ${corrections.length}u;
const FIRST_CORRECTION: u32 = ${firstCorrection === undefined ? 0 : struct.wordOf(firstCorrection)}u;
`;
}

/** The layout of group 1 where it is a slot: at a dynamic offset. */
export const SLOT_LAYOUT: GPUBufferBindingLayout = {
  type: 'storage',
  hasDynamicOffset: true,
  minBindingSize: SETTINGS_BYTE_LENGTH + 4,
};
