import type { Random } from '../../proof/random.js';
import { type Call, type Case, NO_ENCODER } from './calls.js';
import { type Palette, SIMPLE, drawOptimizer, drawRate } from './plans.js';

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
  addGroup: 5,
  freeze: 3,
  unfreeze: 3,
  remove: 1.5,
  removeGroup: 0.5,
  set: 4,
  mapRows: 7,
  writeState: 2,
  resetState: 2,
  copyState: 2,
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
      return { kind, on, sync: chance(0.4) };
    case 'addGroup': {
      const moved = chance(0.5) ? 1 + random.integer(2 ** 8) : 0;
      return { kind, on, sync: chance(0.4), moved, hasNew: moved === 0 || chance(0.3), seed };
    }
    case 'freeze':
    case 'unfreeze':
    case 'remove':
      return { kind, on, which: 1 + random.integer(2 ** 8) };
    case 'removeGroup':
      return { kind, on, group: random.integer(4) };
    case 'set':
      return { kind, on, group: random.integer(4), seed };
    case 'mapRows':
      return { kind, on, which: random.integer(2 ** 8), seed };
    case 'writeState':
    case 'resetState':
    case 'copyState':
      return { kind, on, seed };
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
      return { kind, on, shelf: random.integer(SHELVES), sync: chance(0.5), strict: chance(0.5) };
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
