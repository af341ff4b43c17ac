import { afterAll, inject } from 'vitest';
import { tensorOf } from '../../src/rules/rule.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { type Deviation, largerDeviation } from '../../proof/compare.js';
import { gpuTest } from '../support/device.js';
import type { RuleCase } from '../../proof/option-cases.js';
import { type SuiteCase, paritySuite } from '../../proof/parity-suite.js';
import { checkTogether } from '../support/together.js';

const largestOfRule = new Map<string, Deviation>();

afterAll(() => {
  const rows = [...largestOfRule].map(
    ([rule, { ulp, ofBound }]) =>
      `${rule}: ${ulp.toFixed(1)} ULP, ${(100 * ofBound).toFixed(1)} % of the bound`,
  );
  console.log(`largest deviation of a weight from float64, ${inject('runtime')}:\n  ${rows.join('\n  ')}`);
});

const { single, combined } = paritySuite(inject('seed'));

/** Where bits are no proof, what comes after the first steps shows little more, and costs most. */
const steps = inject('runtime') === 'chrome' ? 50 : 10;

for (const [name] of ruleFactories) {
  const ofRule = ({ rule }: RuleCase) => rule.name === name;
  const test = (title: string, cases: readonly SuiteCase[], stepCount: number) =>
    gpuTest(`${title}: ${cases.length}`, ({ device, track }) =>
      checkTogether(
        cases,
        (ruleCase) => ruleCase.title,
        async ({ check }) => {
          const deviation = await check(device, track, stepCount);
          largestOfRule.set(name, largerDeviation(largestOfRule.get(name) ?? deviation, deviation));
        },
      ),
    );
  test(`${steps} steps, every path, ${name} with each setting of each option`, single.filter(ofRule), steps);
  // Elsewhere bits are no proof, and each kernel takes its time to compile.
  if (inject('runtime') !== 'chrome') continue;
  // With norms, three kernels take a second to compile for each case: half of them, by the seed.
  const cases = combined
    .filter(ofRule)
    .filter(({ rule }, k) => !tensorOf(rule) || (k + inject('seed')) % 2 === 0);
  test(`20 steps, ${name} with settings combined`, cases, 20);
}
