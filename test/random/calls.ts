import type { OptimizerPlan, RatePlan } from './plans.js';

/**
 * One call, as plain data that makes sense whatever other calls there are: it names optimizers, encoders and shelves by number,
 * and what it cannot be made of is left out. So a list of calls stays one when some are taken out of it.
 */
export type Call =
  | { readonly kind: 'create'; readonly on: number; readonly sync: boolean }
  | { readonly kind: 'gradients'; readonly on: number; readonly seed: number; readonly poison: number }
  | { readonly kind: 'step'; readonly on: number; readonly skip: number; readonly encoder: number }
  | {
      readonly kind: 'zeroGrad' | 'accumulate' | 'eval' | 'train';
      readonly on: number;
      readonly encoder: number;
    }
  | { readonly kind: 'swapEma' | 'destroy' | 'destroyArena'; readonly on: number }
  | { readonly kind: 'stats'; readonly on: number }
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
  | { readonly kind: 'bad'; readonly on: number; readonly which: number }
  | { readonly kind: 'lose' }
  | { readonly kind: 'pause'; readonly turns: number };

/** A case: what there is to be made, and what is done with it. */
export interface Case {
  readonly title: string;
  readonly plans: readonly OptimizerPlan[];
  readonly calls: readonly Call[];
  /** Whether its device is lost on the way, so that it needs one of its own. */
  readonly losesDevice: boolean;
}

/** No encoder: the work is submitted at once. */
export const NO_ENCODER = -1;
