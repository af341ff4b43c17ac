import { type WordView, wordStruct, wordView } from '../../kernel/structs.js';

/** What the control stage keeps from step to step for all tensors; the WGSL struct `Head`. */
export interface ControlHead {
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
export type KeptHead = Omit<ControlHead, 'gradNorm' | 'clipFactor'>;

// Norm and factor are words: WGSL lets a compiler assume that floats are not NaN.
const HEAD = wordStruct('Head', {
  step: 'u32',
  skipped: 'u32',
  consecutive_skips: 'u32',
  growth_tracker: 'u32',
  loss_scale: 'f32',
  grad_norm: 'u32',
  clip_factor: 'u32',
  was_skipped: 'u32',
});

/** The WGSL declaration of the struct. */
export const HEAD_WGSL = HEAD.wgsl;

/** Byte length of the struct. */
export const HEAD_BYTE_LENGTH = HEAD.byteLength;

/** The byte of its number of applied steps. */
export const STEP_OFFSET = 4 * HEAD.wordOf('step');

/** The bytes of a head before the next step: norm NaN, factor 1. */
export function headBytes(head: KeptHead): ArrayBuffer {
  const bytes = new ArrayBuffer(HEAD_BYTE_LENGTH);
  const view = wordView(bytes);
  HEAD.write(view, 0, {
    step: head.step,
    skipped: head.skipped,
    consecutive_skips: head.consecutiveSkips,
    growth_tracker: head.growthTracker,
    loss_scale: head.lossScale,
  });
  view.f32[HEAD.wordOf('grad_norm')] = NaN;
  view.f32[HEAD.wordOf('clip_factor')] = 1;
  return bytes;
}

/** Reads a head from its bytes. */
export function parseHead(bytes: ArrayBuffer): ControlHead {
  const view: WordView = wordView(bytes, 0, HEAD_BYTE_LENGTH);
  const count = (field: Parameters<typeof HEAD.wordOf>[0]): number => view.u32[HEAD.wordOf(field)]!;
  const number = (field: Parameters<typeof HEAD.wordOf>[0]): number => view.f32[HEAD.wordOf(field)]!;
  return {
    step: count('step'),
    skipped: count('skipped'),
    consecutiveSkips: count('consecutive_skips'),
    growthTracker: count('growth_tracker'),
    lossScale: number('loss_scale'),
    gradNorm: number('grad_norm'),
    clipFactor: number('clip_factor'),
  };
}
