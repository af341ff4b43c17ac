import { afterAll, inject } from 'vitest';
import { ruleFactories } from '../../src/rules/registry.js';
import type { Deviation } from '../support/compare.js';
import { gpuTest } from '../support/device.js';
import { type RuleCase, combinedOptionCases, singleOptionCases } from '../support/option-cases.js';
import { type TensorLayout, checkParity } from '../support/parity.js';
import { Random } from '../support/random.js';
import { checkTogether } from '../support/together.js';

/** One tensor for each way a kernel reaches its elements. */
const ALL_PATHS: TensorLayout[] = [
  { length: 256, dataOffset: 0, gradOffset: 0 }, // body alone
  { length: 257, dataOffset: 1, gradOffset: 3 }, // edges alone
  { length: 4099, dataOffset: 3, gradOffset: 3 }, // body and edges
  { length: 4101, dataOffset: 0, gradOffset: 2 }, // body that gathers its gradients, and edges
];

const largestOfRule = new Map<string, Deviation>();

function record(rule: string, { ulp, ofBound }: Deviation): void {
  const largest = largestOfRule.get(rule) ?? { ulp: 0, ofBound: 0 };
  largestOfRule.set(rule, { ulp: Math.max(largest.ulp, ulp), ofBound: Math.max(largest.ofBound, ofBound) });
}

afterAll(() => {
  const rows = [...largestOfRule].map(
    ([rule, { ulp, ofBound }]) =>
      `${rule}: ${ulp.toFixed(1)} ULP, ${(100 * ofBound).toFixed(1)} % of the bound`,
  );
  console.log(`largest deviation of a weight from float64, ${inject('runtime')}:\n  ${rows.join('\n  ')}`);
});

const seed = inject('seed');
const single = singleOptionCases();
const combined = combinedOptionCases(new Random(seed));

for (const [name] of ruleFactories) {
  const ofRule = ({ rule }: RuleCase) => rule.name === name;
  const titleOf = ({ title }: RuleCase) => title;
  gpuTest(
    `50 steps, every path, ${name} with each setting of each option: ${single.filter(ofRule).length}`,
    ({ device, track }) =>
      checkTogether(single.filter(ofRule), titleOf, async (ruleCase) => {
        const index = single.indexOf(ruleCase);
        const deviation = await checkParity({
          device,
          track,
          rule: ruleCase.rule,
          random: new Random(seed + index),
          layouts: ALL_PATHS,
          oneBuffer: index % 2 === 1,
          steps: 50,
          boundedElements: 64,
        });
        record(name, deviation);
      }),
  );
  // Elsewhere bits are no proof, and each kernel takes its time to compile.
  if (inject('runtime') !== 'chrome') continue;
  gpuTest(
    `20 steps, ${name} with settings combined: ${combined.filter(ofRule).length}`,
    ({ device, track }) =>
      checkTogether(combined.filter(ofRule), titleOf, async (ruleCase) => {
        const deviation = await checkParity({
          device,
          track,
          rule: ruleCase.rule,
          random: new Random(seed - combined.indexOf(ruleCase)),
          layouts: ALL_PATHS.slice(0, 2),
          oneBuffer: false,
          steps: 20,
          boundedElements: 32,
        });
        record(name, deviation);
      }),
  );
}
