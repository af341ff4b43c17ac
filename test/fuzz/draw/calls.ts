import fc from 'fast-check';
import { type Call, NEVER, NO_ENCODER } from '../case/calls.js';
import { chance, masks, rates, record, seeds, simplest } from './basics.js';

const ENCODERS = 4;
const SHELVES = 3;

const upTo = (most: number) => simplest(0, fc.nat(most));
const encoder = simplest(NO_ENCODER, fc.nat(ENCODERS - 1), 60, 40);
const shelf = upTo(SHELVES - 1);
const on = fc.nat(1);
const abortAfter = simplest(NEVER, fc.nat(12), 70, 30);

/** A kind of call: how often it is drawn, in proportion, and the rest of it. */
type Drawn = { readonly weight: number; readonly arbitrary: fc.Arbitrary<Call> };

type CallOf<K extends Call['kind'], C = Call> = C extends { readonly kind: infer O }
  ? K extends O
    ? C
    : never
  : never;

function drawn<K extends Call['kind']>(
  weight: number,
  kind: K,
  rest: { [P in Exclude<keyof CallOf<K>, 'kind'>]: fc.Arbitrary<CallOf<K>[P]> },
): Drawn {
  // Weights of fast-check are integers.
  return {
    weight: Math.round(10 * weight),
    arbitrary: record({ kind: fc.constant(kind), ...rest }) as unknown as fc.Arbitrary<Call>,
  };
}

const tensor = { on, tensor: upTo(63), slot: upTo(7) };
const ofArena = { on, tensor: upTo(63), seed: seeds };

/** Of what is done behind a lost device. */
export const restores: fc.Arbitrary<Call> = drawn(1, 'restore', { on, shelf }).arbitrary;

/** Calls; on which of two optimizers is yet to be held against how many there are. */
export const calls: fc.Arbitrary<Call> = fc.oneof(
  drawn(26, 'step', {
    on,
    skip: simplest(0, fc.nat(2 ** 31 - 1), 70, 30),
    encoder,
    inPass: chance(20),
    isTimed: chance(5),
  }),
  drawn(12, 'gradients', { on, seed: seeds, poison: simplest(0, fc.constantFrom(1, 2), 85, 15) }),
  drawn(10, 'submit', { encoders: fc.array(fc.nat(ENCODERS - 1), { minLength: 1, maxLength: 2 }) }),
  drawn(5, 'readParam', tensor),
  drawn(5, 'readState', tensor),
  drawn(2, 'readStep', tensor),
  drawn(2, 'readEma', tensor),
  drawn(5, 'stats', { on }),
  drawn(2, 'norms', { on }),
  drawn(2, 'facts', { on }),
  drawn(5, 'save', { on, shelf }),
  drawn(4, 'load', { on, shelf, sync: chance(50), strict: chance(50) }),
  drawn(5, 'saveCheckpoint', { on, shelf, params: chance(75), toFile: chance(30), abortAfter }),
  drawn(6, 'loadCheckpoint', {
    on,
    shelf,
    strict: chance(50),
    abortAfter,
    damage: simplest('none', fc.constantFrom<'bit' | 'cut'>('bit', 'cut'), 80, 20),
    damageAt: simplest(0, fc.nat(99)),
  }),
  { weight: 10, arbitrary: restores },
  drawn(5, 'addGroup', {
    on,
    sync: chance(40),
    moved: simplest(0, masks(8), 50, 50),
    hasNew: chance(65),
    seed: seeds,
  }),
  drawn(3, 'freeze', { on, which: masks(8) }),
  drawn(3, 'unfreeze', { on, which: masks(8) }),
  drawn(1.5, 'remove', { on, which: masks(8) }),
  drawn(0.5, 'removeGroup', { on, group: upTo(3) }),
  drawn(4, 'set', { on, group: upTo(3), seed: seeds }),
  drawn(7, 'mapRows', { on, which: upTo(255), seed: seeds }),
  drawn(2, 'writeState', { on, seed: seeds }),
  drawn(2, 'resetState', { on, seed: seeds }),
  drawn(2, 'copyState', { on, seed: seeds }),
  drawn(4, 'rebind', { on, which: masks(16), back: chance(30), seed: seeds }),
  drawn(3, 'lr', { on, lr: rates, group: simplest(-1, fc.nat(3), 70, 30) }),
  drawn(2, 'gradScale', { on, value: fc.constantFrom(1, 0.5, 2, 0.7) }),
  drawn(3, 'report', { on, metric: upTo(3) }),
  drawn(2, 'zeroGrad', { on, encoder }),
  drawn(3, 'accumulate', { on, encoder }),
  drawn(3, 'eval', { on, encoder }),
  drawn(5, 'train', { on, encoder }),
  drawn(2, 'swapEma', { on }),
  drawn(2, 'drop', { encoder: fc.nat(ENCODERS - 1) }),
  drawn(2, 'bad', { on, which: upTo(63) }),
  drawn(6, 'pause', { turns: upTo(11) }),
  drawn(1, 'arenaLoad', ofArena),
  drawn(1, 'arenaRead', ofArena),
  drawn(1, 'arenaReadGrad', ofArena),
  drawn(0.5, 'arenaInitialize', ofArena),
  drawn(0.5, 'arenaZeroGrad', ofArena),
  drawn(1, 'create', { on, sync: chance(40) }),
  drawn(0.3, 'destroy', { on }),
  drawn(0.2, 'destroyArena', { on }),
);
