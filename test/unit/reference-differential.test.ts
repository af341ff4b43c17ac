import { describe, inject, test } from 'vitest';
import { type AverageOptions, ReferenceOptimizer } from '../../src/index.js';
import { resolveAverages } from '../../src/averages/registry.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { withSettings } from '../../src/rules/rule.js';
import { BoundedRun } from '../../proof/bounded-run.js';
import { checkWithinBound } from '../../proof/compare.js';
import { singleOptionCases } from '../../proof/option-cases.js';
import { Random } from '../../proof/random.js';

const LENGTHS = [1, 7, 32];
const CLIPS = [{}, { maxGradValue: 0.1 }, { minGradValue: -0.3, maxGradValue: 0.01 }];
const STEPS = 30;

function drawAverages(random: Random): AverageOptions {
  const few = () => 1 + random.integer(4);
  const isWanted = () => random.uniform() < 0.5;
  return {
    ...(isWanted() && {
      ema: {
        decay: random.uniform(),
        warmup: isWanted(),
        startStep: few() - 1,
        init: random.pick(['params', 'first-update'] as const),
      },
    }),
    ...(isWanted() && { swa: { start: few(), period: few() } }),
    ...(isWanted() && { lookahead: { every: few(), alpha: 1 - random.uniform() } }),
  };
}

const cases = singleOptionCases();

// The float32 twin and the bound take different ways through the equations: one rounds and flushes, the other computes in
// float64 and adds up what any conforming adapter may be off.
describe('float32 stays within the bound around float64, whatever is drawn', () => {
  test.for(ruleFactories.map(([name], index) => ({ name, index })))('$name', ({ name, index }) => {
    const random = new Random(inject('seed') + index);
    const { rule: plain, title } = random.pick(cases.filter(({ rule }) => rule.name === name));
    const averages = drawAverages(random);
    const clip = random.pick(CLIPS);
    const rule = withSettings(plain, { averages: resolveAverages(averages) });
    const tensors = LENGTHS.map((length, k) => ({ name: `t${k}`, data: random.weights(length) }));
    const bounded = tensors.map(({ data }) => new BoundedRun(rule, data, 0, clip));
    const twin = new ReferenceOptimizer({
      rule: plain,
      ...averages,
      ...clip,
      precision: 'f32',
      params: tensors,
    });
    for (let step = 0; step < STEPS; step++) {
      const gradients = LENGTHS.map((length) => random.gradients(length));
      const skip = tensors.filter(() => random.uniform() < 0.2).map((tensor) => tensor.name);
      twin.step(gradients, { skip });
      bounded.forEach((run, k) => (skip.includes(tensors[k]!.name) ? run.skip() : run.step(gradients[k]!)));
    }
    for (const [k, run] of bounded.entries()) {
      const what = `${tensors[k]!.name} of ${title} with ${JSON.stringify({ ...averages, ...clip })}`;
      checkWithinBound(twin.readParam(tensors[k]!.name), run.weights, what);
      for (const { name: slot } of layoutOf(rule).slots) {
        checkWithinBound(twin.readState(tensors[k]!.name, slot), run.state(slot), `${slot} of ${what}`);
      }
    }
  });
});
