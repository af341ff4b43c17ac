import { afterAll, inject } from 'vitest';
import type { Deviation } from '../support/compare.js';
import { gpuTest } from '../support/device.js';
import { combinedOptionCases, singleOptionCases } from '../support/option-cases.js';
import { type TensorLayout, checkParity } from '../support/parity.js';
import { Random } from '../support/random.js';

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

for (const [index, { title, rule }] of singleOptionCases().entries()) {
  gpuTest(`50 steps, every path, ${title}`, async ({ device, track }) => {
    const random = new Random(inject('seed') + index);
    const deviation = await checkParity({
      device,
      track,
      rule,
      random,
      layouts: ALL_PATHS,
      oneBuffer: index % 2 === 1,
      steps: 50,
      boundedElements: 64,
    });
    record(rule.name, deviation);
  });
}

for (const [index, { title, rule }] of combinedOptionCases(new Random(inject('seed'))).entries()) {
  gpuTest(`20 steps, ${title}`, async ({ device, track }) => {
    const random = new Random(inject('seed') - index);
    const deviation = await checkParity({
      device,
      track,
      rule,
      random,
      layouts: ALL_PATHS.slice(0, 2),
      oneBuffer: false,
      steps: 20,
      boundedElements: 32,
    });
    record(rule.name, deviation);
  });
}
