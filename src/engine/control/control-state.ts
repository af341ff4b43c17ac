import { correctionRates } from '../../kernel/scalars.js';
import type { Rule } from '../../rules/rule.js';
import { correctionWords } from '../../stages/control/fixed-point.js';

/** What the control pass keeps from step to step; the head of the WGSL struct `State`. */
export interface ControlState {
  /** Steps applied. */
  readonly step: number;
  /** Steps skipped. */
  readonly skipped: number;
  readonly consecutiveSkips: number;
  /** Steps with finite gradients since the loss scale last changed. */
  readonly growthTracker: number;
  readonly lossScale: number;
  /** Global norm of the unscaled gradients of the last step, before clipping. */
  readonly gradNorm: number;
  readonly clipFactor: number;
}

/** The part of it that is set, and not found out by the next step. */
export type KeptState = Omit<ControlState, 'gradNorm' | 'clipFactor'>;

/** Bytes of the head of the WGSL struct `State`. */
export const CONTROL_STATE_BYTE_LENGTH = 32;
/** Bytes of what the WGSL struct `State` has of a correction. */
export const CORRECTION_BYTE_LENGTH = 32;
/** Bytes of what it has of a group's joining. */
const JOINED_BYTE_LENGTH = 16;

/** Corrections that a rule has; of all groups of an optimizer, for theirs is the same. */
export function correctionCount(rules: readonly Rule[]): number {
  return correctionRates(rules[0]!).length;
}

/** Where the corrections of all groups end, and what is known of their joining begins. */
function correctionsEnd(rules: readonly Rule[]): number {
  return CONTROL_STATE_BYTE_LENGTH + rules.length * CORRECTION_BYTE_LENGTH * correctionCount(rules);
}

/** Byte length of the WGSL struct `State` for groups of such rules. */
export function stateByteLength(rules: readonly Rule[]): number {
  return correctionsEnd(rules) + JOINED_BYTE_LENGTH * rules.length;
}

/**
 * The words of the WGSL struct `State`.
 *
 * @param rules per group, for its decay rates.
 * @param joinedAt per group, the steps applied before it took part.
 */
export function stateWords(
  state: KeptState,
  rules: readonly Rule[],
  joinedAt: readonly number[],
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(stateByteLength(rules) / 4);
  words.set([state.step, state.skipped, state.consecutiveSkips, state.growthTracker]);
  new Float32Array(words.buffer).set([state.lossScale, NaN, 1], 4);
  const powers = rules.flatMap((rule, g) =>
    correctionRates(rule).flatMap(([, rate]) => correctionWords(rate, state.step - joinedAt[g]!)),
  );
  const joined = joinedAt.flatMap((step) => [step, 0, 0, 0]);
  words.set([...powers, ...joined], CONTROL_STATE_BYTE_LENGTH / 4);
  return words;
}

/**
 * Encodes the taking over of a state on the GPU, where steps may be under way.
 *
 * @param known the rules that the source is of.
 * @param all these and those of groups that join now.
 */
export function copyState(
  encoder: GPUCommandEncoder,
  source: GPUBuffer,
  known: readonly Rule[],
  target: GPUBuffer,
  all: readonly Rule[],
): void {
  const copy = (from: number, to: number, byteLength: number) =>
    encoder.copyBufferToBuffer(source, from, target, to, byteLength);
  copy(0, 0, correctionsEnd(known));
  copy(correctionsEnd(known), correctionsEnd(all), JOINED_BYTE_LENGTH * known.length);
  // The count of applied steps is the first word.
  for (let g = known.length; g < all.length; g++) copy(0, correctionsEnd(all) + JOINED_BYTE_LENGTH * g, 4);
}

/** Reads the head of the state from its bytes. */
export function parseControlState(bytes: ArrayBuffer): ControlState {
  const [step, skipped, consecutiveSkips, growthTracker] = new Uint32Array(bytes, 0, 4);
  const [lossScale, gradNorm, clipFactor] = new Float32Array(bytes, 16, 3);
  return {
    step: step!,
    skipped: skipped!,
    consecutiveSkips: consecutiveSkips!,
    growthTracker: growthTracker!,
    lossScale: lossScale!,
    gradNorm: gradNorm!,
    clipFactor: clipFactor!,
  };
}
