import fc from 'fast-check';
import type { Call, Case } from '../case/calls.js';
import { chance, record, seeds } from './basics.js';
import { calls, restores } from './calls.js';
import { optimizers } from './optimizers.js';
import { type Palette, SIMPLE } from './palettes.js';

const MOST_CALLS = 65;
/** One of so many cases loses its device, whose kernels are compiled anew. */
const LOSS_SHARE = 30;

/**
 * Cases of a palette. They shrink by calls that are taken out, then by calls and plans that get simpler.
 *
 * Nothing is biased to small values: what goes wrong does so between many calls.
 */
export function cases(palette: Palette): fc.Arbitrary<Case> {
  return fc.noBias(
    fc.oneof(
      { arbitrary: casesOf(palette, false), weight: LOSS_SHARE - 1 },
      { arbitrary: casesOf(SIMPLE, true), weight: 1 },
    ),
  );
}

function casesOf(palette: Palette, isLost: boolean): fc.Arbitrary<Case> {
  const some = fc.array(calls, { maxLength: MOST_CALLS, size: 'max' });
  // First what shrinks first.
  const parts = record({
    calls: some,
    restores: isLost ? fc.array(restores, { maxLength: 3 }) : fc.constant([]),
    behind: isLost ? some : fc.constant([]),
    second: fc.option(record({ isAlike: chance(60), placeSeed: seeds, plan: optimizers(palette) }), {
      freq: 1,
    }),
    first: optimizers(palette),
    begin: fc.array(record({ sync: chance(30), seed: seeds }), { minLength: 2, maxLength: 2 }),
  });
  return parts.map(({ first, second, begin, ...drawn }) => {
    // Another one that takes the first one's dicts, or any.
    const other = second && (second.isAlike ? { ...first, placeSeed: second.placeSeed } : second.plan);
    const plans = other ? [first, other] : [first];
    const made = plans.flatMap((_, on): Call[] => [
      { kind: 'create', on, sync: begin[on]!.sync },
      { kind: 'gradients', on, seed: begin[on]!.seed, poison: 0 },
    ]);
    const lost: Call[] = isLost ? [{ kind: 'lose' }] : [];
    const all = [...made, ...drawn.calls, ...lost, ...drawn.restores, ...drawn.behind];
    return {
      plans,
      calls: all.map((call) => ('on' in call ? { ...call, on: call.on % plans.length } : call)),
    };
  });
}
