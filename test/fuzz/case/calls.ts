import type { OptimizerPlan, RatePlan } from './plans.js';

/**
 * One call, as plain data that makes sense whatever other calls there are: it names optimizers, encoders and shelves by number,
 * and what it cannot be made of is left out. So a list of calls stays one when some are taken out of it.
 */
export type Call =
  | { readonly kind: 'create'; readonly on: number; readonly sync: boolean }
  | { readonly kind: 'gradients'; readonly on: number; readonly seed: number; readonly poison: number }
  | {
      readonly kind: 'step';
      readonly on: number;
      /** Which tensors it leaves out, as bits. */
      readonly skip: number;
      readonly encoder: number;
      /** Whether it is given a compute pass of the encoder. */
      readonly inPass: boolean;
      /** Whether its time is taken, where the pass is its own. */
      readonly isTimed: boolean;
    }
  | {
      readonly kind: 'zeroGrad' | 'accumulate' | 'eval' | 'train';
      readonly on: number;
      readonly encoder: number;
    }
  | { readonly kind: 'swapEma' | 'destroy' | 'destroyArena'; readonly on: number }
  | { readonly kind: 'stats'; readonly on: number }
  | { readonly kind: 'norms'; readonly on: number }
  | { readonly kind: 'facts'; readonly on: number }
  | { readonly kind: 'submit'; readonly encoders: readonly number[] }
  | { readonly kind: 'drop'; readonly encoder: number }
  | {
      readonly kind: 'addGroup';
      readonly on: number;
      readonly sync: boolean;
      /** Which of the tensors that are there move to it, as bits; whether new ones come, too. */
      readonly moved: number;
      readonly hasNew: boolean;
      readonly seed: number;
    }
  | { readonly kind: 'freeze' | 'unfreeze' | 'remove'; readonly on: number; readonly which: number }
  | { readonly kind: 'removeGroup'; readonly on: number; readonly group: number }
  | { readonly kind: 'set'; readonly on: number; readonly group: number; readonly seed: number }
  | { readonly kind: 'mapRows'; readonly on: number; readonly which: number; readonly seed: number }
  | { readonly kind: 'writeState' | 'resetState' | 'copyState'; readonly on: number; readonly seed: number }
  | {
      readonly kind: 'rebind';
      readonly on: number;
      readonly which: number;
      readonly back: boolean;
      readonly seed: number;
    }
  | { readonly kind: 'lr'; readonly on: number; readonly lr: RatePlan; readonly group: number }
  | { readonly kind: 'gradScale'; readonly on: number; readonly value: number }
  | { readonly kind: 'report'; readonly on: number; readonly metric: number }
  | {
      readonly kind: 'readParam' | 'readState' | 'readStep' | 'readEma';
      readonly on: number;
      readonly tensor: number;
      readonly slot: number;
    }
  | { readonly kind: 'save'; readonly on: number; readonly shelf: number }
  | {
      readonly kind: 'load';
      readonly on: number;
      readonly shelf: number;
      readonly sync: boolean;
      readonly strict: boolean;
    }
  | {
      readonly kind: 'saveCheckpoint';
      readonly on: number;
      readonly shelf: number;
      readonly params: boolean;
      /** Whether it is written to a file, by its path, and not to memory. */
      readonly toFile: boolean;
      /** Turns of the queue of microtasks until its signal ends it; {@link NEVER} for no signal. */
      readonly abortAfter: number;
    }
  | {
      readonly kind: 'loadCheckpoint';
      readonly on: number;
      readonly shelf: number;
      readonly strict: boolean;
      readonly abortAfter: number;
      /** What was done to the file: nothing, a bit that is another one, or a cut; at which of its hundredths. */
      readonly damage: 'none' | 'bit' | 'cut';
      readonly damageAt: number;
    }
  /** Behind a lost device, everything anew on another one; then an optimizer that is not there yet, from a checkpoint. */
  | { readonly kind: 'restore'; readonly on: number; readonly shelf: number }
  | {
      readonly kind: 'arenaLoad' | 'arenaRead' | 'arenaReadGrad' | 'arenaInitialize' | 'arenaZeroGrad';
      readonly on: number;
      readonly tensor: number;
      readonly seed: number;
    }
  | { readonly kind: 'bad'; readonly on: number; readonly which: number }
  | { readonly kind: 'lose' }
  | { readonly kind: 'pause'; readonly turns: number };

/** A case: what there is to be made, and what is done with it. */
export interface Case {
  readonly plans: readonly OptimizerPlan[];
  readonly calls: readonly Call[];
}

/** Whether a case's device is lost on the way, so that it needs one of its own. */
export const losesDevice = ({ calls }: Case): boolean => calls.some(({ kind }) => kind === 'lose');

/** No encoder: the work is submitted at once. */
export const NO_ENCODER = -1;
/** No signal ends it. */
export const NEVER = -1;
