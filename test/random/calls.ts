import type { Random } from '../../proof/random.js';
import { type OptimizerPlan, type Palette, type RatePlan, SIMPLE, drawOptimizer, drawRate } from './plans.js';

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
  | { readonly kind: 'addGroup'; readonly on: number; readonly sync: boolean }
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
  | { readonly kind: 'load'; readonly on: number; readonly shelf: number; readonly sync: boolean }
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
const ENCODERS = 4;
const SHELVES = 3;
const MOST_CALLS = 60;
/** One of so many cases loses its device, whose kernels are compiled anew. */
const LOSS_SHARE = 40;

/** How often each kind is drawn, in proportion. */
const WEIGHTS: Readonly<Record<Call['kind'], number>> = {
  step: 26,
  gradients: 12,
  submit: 10,
  readParam: 5,
  readState: 5,
  readStep: 2,
  readEma: 2,
  stats: 5,
  save: 5,
  load: 4,
  addGroup: 4,
  rebind: 4,
  lr: 3,
  gradScale: 2,
  report: 3,
  zeroGrad: 2,
  accumulate: 3,
  eval: 3,
  train: 5,
  swapEma: 2,
  drop: 2,
  bad: 2,
  pause: 6,
  create: 1,
  destroy: 0.3,
  destroyArena: 0.2,
  lose: 0,
};

/** Draws a case; the same for the same seed. */
export function drawCase(random: Random, given: Palette, title: string): Case {
  const losesDevice = random.integer(LOSS_SHARE) === 0;
  const palette = losesDevice ? SIMPLE : given;
  const first = drawOptimizer(random, palette);
  const plans = [first];
  if (random.uniform() < 0.5) {
    // Another one that takes the first one's dicts, or any.
    const isAlike = random.uniform() < 0.6;
    const placeSeed = random.integer(2 ** 31);
    plans.push(isAlike ? { ...first, placeSeed } : drawOptimizer(random, palette));
  }
  const begin = plans.flatMap((_, on): Call[] => [
    { kind: 'create', on, sync: random.uniform() < 0.3 },
    { kind: 'gradients', on, seed: random.integer(2 ** 31), poison: 0 },
  ]);
  const count = 5 + random.integer(MOST_CALLS);
  const calls = [...begin, ...Array.from({ length: count }, () => drawCall(random, plans.length))];
  if (losesDevice) calls.splice(begin.length + random.integer(count), 0, { kind: 'lose' });
  return { title, plans, calls, losesDevice };
}

function drawCall(random: Random, optimizers: number): Call {
  const kind = drawKind(random);
  const on = random.integer(optimizers);
  const chance = (share: number) => random.uniform() < share;
  const seed = random.integer(2 ** 31);
  const encoder = chance(0.4) ? random.integer(ENCODERS) : NO_ENCODER;
  switch (kind) {
    case 'create':
    case 'addGroup':
      return { kind, on, sync: chance(0.4) };
    case 'gradients':
      return { kind, on, seed, poison: chance(0.15) ? 1 + random.integer(2) : 0 };
    case 'step':
      return { kind, on, skip: chance(0.3) ? random.integer(2 ** 31) : 0, encoder };
    case 'zeroGrad':
    case 'accumulate':
    case 'eval':
    case 'train':
      return { kind, on, encoder };
    case 'swapEma':
    case 'destroy':
    case 'destroyArena':
      return { kind, on };
    case 'stats':
      return { kind, on };
    case 'submit':
      return {
        kind,
        encoders: Array.from({ length: 1 + random.integer(2) }, () => random.integer(ENCODERS)),
      };
    case 'drop':
      return { kind, encoder: random.integer(ENCODERS) };
    case 'rebind':
      return { kind, on, which: 1 + random.integer(2 ** 16), back: chance(0.3), seed };
    case 'lr':
      return { kind, on, lr: drawRate(random), group: chance(0.3) ? random.integer(4) : -1 };
    case 'gradScale':
      return { kind, on, value: random.pick([1, 0.5, 2, 0.7]) };
    case 'report':
      return { kind, on, metric: random.integer(4) };
    case 'readParam':
    case 'readState':
    case 'readStep':
    case 'readEma':
      return { kind, on, tensor: random.integer(64), slot: random.integer(8) };
    case 'save':
      return { kind, on, shelf: random.integer(SHELVES) };
    case 'load':
      return { kind, on, shelf: random.integer(SHELVES), sync: chance(0.5) };
    case 'bad':
      return { kind, on, which: random.integer(64) };
    case 'pause':
      return { kind, turns: random.integer(12) };
    default:
      return { kind: 'lose' };
  }
}

function drawKind(random: Random): Call['kind'] {
  const entries = Object.entries(WEIGHTS) as [Call['kind'], number][];
  let left = random.uniform() * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of entries) {
    left -= weight;
    if (left < 0) return kind;
  }
  return 'step';
}
