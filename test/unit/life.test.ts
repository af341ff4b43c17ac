/** What PyTorch did while parameters rested and hyper-parameters changed, recorded by test/fixtures/recorded/life.py. */
import { expect, test } from 'vitest';
import { ReferenceOptimizer } from '../../src/index.js';
import { LIFE, changingOptions, lifeRule, restingAt } from '../support/life-runs.js';

/** At most twenty operations on values below 8 in a step, each off by 2⁻⁵³; corrections lose at most a thousand roundings. */
const TOLERANCE = (20 * 8 + 1000 * 0.3) * 2 ** -53;

for (const [k, run] of LIFE.runs.entries()) {
  test(`${run.rule}, ${LIFE.source}, run ${k}`, () => {
    const params = Object.entries(LIFE.start).map(([name, data]) => ({
      name,
      data: Float64Array.from(data),
    }));
    const optimizer = new ReferenceOptimizer({ rule: lifeRule(run, changingOptions(run)), params });
    run.weights.forEach((weights, step) => {
      optimizer.step(
        params.map(({ name }) => LIFE.grads[step]![name]!),
        { skip: restingAt(step) },
      );
      for (const { name } of params) {
        const got = optimizer.readParam(name);
        weights[name]!.forEach((want, i) => {
          expect(Math.abs(got[i]! - want), `step ${step + 1}, ${name}[${i}]`).toBeLessThanOrEqual(
            (step + 1) * TOLERANCE,
          );
        });
      }
    });
  });
}
