import { afterAll, inject } from 'vitest';
import { type Rule, tensorOf } from '../../src/rules/rule.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { type Deviation, largerDeviation } from '../../proof/compare.js';
import { gpuTest } from '../support/device.js';
import { isFirefox } from '../support/runtime.js';
import { drawn, isTurn, takesAll } from '../support/draw.js';
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

/** Steps that show any operator's slip; what adds up over more of them is looked for in one of three cases by the seed. */
const FEW_STEPS = 12;
const MANY_STEPS = 50;

/**
 * With norms three kernels run for each step, and where bits are no proof, what comes after the first steps shows little
 * more: there the few must do.
 */
function stepsOf(rule: Rule, index: number): number {
  if (takesAll) return MANY_STEPS;
  const isCheap = !isFirefox && !tensorOf(rule);
  return isCheap && isTurn(index, 3) ? MANY_STEPS : FEW_STEPS;
}

for (const [name, factory] of ruleFactories) {
  const ofRule = ({ rule }: RuleCase) => rule.name === name;
  const test = (title: string, cases: readonly SuiteCase[], stepsFor: (index: number) => number) =>
    gpuTest(`${title}: ${cases.length}`, ({ device, track }) =>
      checkTogether(
        cases,
        (ruleCase) => ruleCase.title,
        async (ruleCase) => {
          const deviation = await ruleCase.check(device, track, stepsFor(cases.indexOf(ruleCase)));
          largestOfRule.set(name, largerDeviation(largestOfRule.get(name) ?? deviation, deviation));
        },
      ),
    );
  // Each case compiles kernels for each of four layouts; with norms, three of them. By the seed, an eighth of them or a tenth.
  const share = tensorOf(factory()) === undefined ? 8 : 10;
  const ofEach = drawn(single.filter(ofRule), share);
  test(`every path, ${name} with each setting of each option`, ofEach, (k) => stepsOf(ofEach[k]!.rule, k));
  // Elsewhere bits are no proof, and each kernel takes its time to compile.
  if (isFirefox) continue;
  test(`${name} with settings combined`, drawn(combined.filter(ofRule), 2 * share), () => FEW_STEPS);
}
