import { expect } from 'vitest';
import { adam, nadam, type Rule } from '../../src/index.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import type { RisingRate } from '../../src/rules/declaring/declaration.js';
import { betaWords, correctionWords } from '../../src/stages/control/fixed-point.js';
import { readBuffer } from '../../proof/read-buffer.js';
import type { Track } from '../../proof/track.js';
import { makeControlRun } from '../support/control-run.js';
import { gpuTest } from '../support/device.js';
import { oneMinusFraction, risenRate, stepFraction, toBigInt } from '../support/fixed-point.js';
import { makeBuffer } from '../support/tensors.js';

const BETAS = [0, 0.5, 0.9, 0.999, 0.999999, 1 - 2 ** -30] as const;
const RULES: [string, Rule[]][] = [
  ['adam, whose rates are constant', [0, 2, 4].map((k) => adam({ betas: [BETAS[k]!, BETAS[k + 1]!] }))],
  [
    'nadam, whose rate rises',
    [0, 1, 2, 3, 4, 5].map((k) =>
      nadam({ betas: [BETAS[k]!, 0.9], momentumDecay: [0.004, 1, 0][k % 3]!, momentumDecayBase: 0.96 }),
    ),
  ],
];
const STARTS = [0, 1, 2, 9, 999, 999_999, 2 ** 24 - 3];
const STEPS = 70;
/** Words of a record before its corrections. */
const COUNT_WORDS = 4;

/** The two fractions that the GPU keeps of a correction, from its first four words. */
function fractionsOf(words: ArrayLike<number>): [product: bigint, damped: bigint] {
  return [toBigInt([words[0]!, words[1]!]), toBigInt([words[2]!, words[3]!])];
}

/** The same after some steps from a count, in exact integers. */
function advance(rate: RisingRate, start: number): [product: bigint, damped: bigint] {
  const [beta, damping] = [toBigInt(betaWords(rate.beta)), toBigInt(betaWords(rate.damping))];
  let [product, damped] = fractionsOf(correctionWords(rate, start));
  for (let t = start + 1; t <= start + STEPS; t++) {
    if (damping > 0n) damped = t === 1 ? damping : stepFraction(damped, damping);
    const now = risenRate(beta, damped);
    product = t === 1 ? now : stepFraction(product, now);
  }
  return [product, damped];
}

/** A tensor, and a row, per start. */
const startTensors = (device: GPUDevice, track: Track) =>
  STARTS.map((_, k) => ({
    index: k,
    row: k,
    data: [{ buffer: makeBuffer(device, track, [1]), byteOffset: 0, elementCount: 1 }],
    grad: [{ buffer: makeBuffer(device, track, [1]), byteOffset: 0, elementCount: 1 }],
  }));

for (const [title, rules] of RULES) {
  gpuTest(
    `corrections on the GPU are those of exact integers, from every start: ${title}`,
    async ({ device, track }) => {
      for (const rule of rules) {
        const tensors = startTensors(device, track);
        const run = makeControlRun(device, track, rule, tensors, { skipNonFinite: true });
        const { corrections } = layoutOf(rule);
        const rates = corrections.map(({ rate }) => rate);
        run.control.restore(
          { step: 0, skipped: 0, consecutiveSkips: 0, growthTracker: 0, lossScale: 1 },
          new Map(STARTS.map((count, k) => [k, { count, rates }])),
        );
        for (let step = 1; step < STEPS; step++) run.step();
        const rows = await run.stepAndReadRows();
        for (const [k, start] of STARTS.entries()) {
          expect(rows[k]!.count).toBe(start + STEPS);
          const { buffer, byteOffset, byteLength } = run.control.recordSpan(k);
          const record = (await readBuffer(device, buffer)).subarray(
            byteOffset / 4,
            (byteOffset + byteLength) / 4,
          );
          corrections.forEach(({ name, rate }, c) => {
            const what = `${name} with β ${rate.beta}, d ${rate.damping}, from ${start}`;
            const want = advance(rate, start);
            const got = fractionsOf(record.subarray(COUNT_WORDS + 8 * c, COUNT_WORDS + 8 * c + 4));
            expect(got[0], what).toBe(want[0]);
            if (rate.damping > 0) expect(got[1], what).toBe(want[1]);
            expect(rows[k]!.corrections[c], what).toBe(oneMinusFraction(want[0]));
          });
        }
      }
    },
  );
}

gpuTest(
  'rates that change count as if they had been so from the first step on',
  async ({ device, track }) => {
    const rule = nadam({ betas: [0.9, 0.999], momentumDecay: 0.004, momentumDecayBase: 0.96 });
    const tensors = startTensors(device, track);
    const run = makeControlRun(device, track, rule, tensors, { skipNonFinite: true });
    const ratesOf = (given: Rule) => layoutOf(given).corrections.map(({ rate }) => rate);
    run.control.restore(
      { step: 0, skipped: 0, consecutiveSkips: 0, growthTracker: 0, lossScale: 1 },
      new Map(STARTS.map((count, k) => [k, { count, rates: ratesOf(rule) }])),
    );
    let made = 0;
    // Another β₁, another β₂, another d, and back.
    for (const changed of [
      nadam({ betas: [0.5, 0.999], momentumDecay: 0.004, momentumDecayBase: 0.96 }),
      nadam({ betas: [0.5, 0.75], momentumDecay: 0.004, momentumDecayBase: 0.96 }),
      nadam({ betas: [0.5, 0.75], momentumDecay: 1, momentumDecayBase: 0.5 }),
      rule,
    ]) {
      const rates = ratesOf(changed);
      const rows = await run.stepAndReadRows(
        undefined,
        () => true,
        () => rates,
      );
      made++;
      for (const [k, start] of STARTS.entries()) {
        rates.forEach((rate, c) => {
          const [product] = fractionsOf(correctionWords(rate, start + made));
          expect(rows[k]!.corrections[c], `${JSON.stringify(rate)} at ${start + made}`).toBe(
            oneMinusFraction(product),
          );
        });
      }
    }
  },
);
