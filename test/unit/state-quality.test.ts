/** How far a run with state in 8 bits is from one in float32: the bars that bitsandbytes holds its own 8-bit Adam to. */
import { expect, inject, test } from 'vitest';
import { ReferenceOptimizer, type StateDtype, adam } from '../../src/index.js';
import { Random } from '../../proof/random.js';

const STEPS = 50;
/** bitsandbytes takes 1024 × {32, 1024, 4097}. The mean of few is as near; that of relative differences is not: the least weight decides it. */
const LENGTH = 1024;

/** As many numbers of the normal distribution, times a factor. */
function normal(random: Random, factor: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: LENGTH }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()));
    return factor * radius * Math.cos(2 * Math.PI * random.uniform());
  });
}

/** The mean difference of the weights after a step, and how many elements of the state differ at the end. */
function compare(stateDtype: StateDtype) {
  const random = new Random(inject('seed'));
  const weights = normal(random, 0.1);
  const make = (data: Float32Array<ArrayBuffer>, settings: { stateDtype?: StateDtype } = {}) =>
    new ReferenceOptimizer({ rule: adam(), precision: 'f32', ...settings, params: [{ name: 'w', data }] });
  const exact = make(weights.slice());
  let kept = make(weights.slice(), { stateDtype });
  let difference = 0;
  for (let step = 0; step < STEPS; step++) {
    const gradients = normal(random, 0.01);
    exact.step([gradients]);
    kept.step([gradients]);
    const [want, got] = [exact, kept].map((run) => Float32Array.from(run.readParam('w')));
    for (const [i, value] of want!.entries()) difference += Math.abs(got![i]! - value) / LENGTH / STEPS;
    // As there, weights go on from the exact ones, or what was different would add up.
    const dict = kept.stateDict();
    kept = make(want!, { stateDtype });
    kept.loadStateDict(dict);
  }
  const others = (['exp_avg', 'exp_avg_sq'] as const).map((slot) => {
    const got = kept.readState('w', slot);
    return Array.from(exact.readState('w', slot)).filter(
      (value, i) => Math.abs(got[i]! - value) > 1e-3 + 3e-3 * Math.abs(value),
    ).length;
  });
  return { difference, others };
}

test.each(['bf16', 'int8'] as const)('Adam in %s makes steps like those in float32', (stateDtype) => {
  const { difference, others } = compare(stateDtype);
  expect(difference).toBeLessThan(6e-5);
  for (const count of others) expect(count).toBeLessThan(20);
});
