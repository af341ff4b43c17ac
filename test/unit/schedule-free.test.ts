import { expect, test } from 'vitest';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { ReferenceOptimizer, scheduleFreeAdamw, scheduleFreeSgd } from '../../src/index.js';

// What optax 0.2.8 prints in optax/contrib/_schedule_free.py, the examples of both functions: f(x) = Σx² of the weights to
// evaluate with, from (1, 2, 3), after each of five steps.
test.for([
  { rule: scheduleFreeSgd(), printed: ['1.40e+1', '1.75e-14', '9.96e-1', '8.06e-1', '2.41e-1'] },
  {
    rule: scheduleFreeAdamw({ lr: 1 }),
    printed: ['5.00e+0', '3.05e+0', '1.73e+0', '8.94e-1', '4.13e-1'],
  },
])('$rule.name evaluates to what optax prints', ({ rule, printed }) => {
  const optimizer = new ReferenceOptimizer({ rule, params: [{ name: 'w', data: Float64Array.of(1, 2, 3) }] });
  const seen = printed.map(() => {
    optimizer.step([optimizer.readParam('w').map((w) => 2 * w)]);
    optimizer.eval();
    const value = Array.from(optimizer.readParam('w')).reduce((sum, x) => sum + x * x, 0);
    optimizer.train();
    return value;
  });
  // The second of SGD's is what float32 leaves of zero.
  seen.forEach((value, k) => {
    if (Number(printed[k]) < 1e-12) expect(value).toBeLessThan(1e-12);
    else expect(value.toExponential(2)).toBe(printed[k]);
  });
});

/** The share of the newest z in the average, by the sum that the closed form stands for. */
function shareBySum(t: number, { warmupSteps, r, weightLrPower }: Record<string, number>): number {
  let sum = 0;
  let weight = 0;
  for (let i = 1; i <= t; i++) {
    const rise = warmupSteps! > 0 ? Math.min(i / warmupSteps!, 1) : 1;
    weight = i ** r! * rise ** weightLrPower!;
    sum += weight;
  }
  return weight / sum;
}

test('the closed form of the average is its sum, at every power, before, at and after the warm-up', () => {
  for (const warmupSteps of [0, 1, 2, 7, 40]) {
    for (const r of [0, 1, 2]) {
      for (const weightLrPower of [0, 1, 2]) {
        const options = { warmupSteps, r, weightLrPower };
        const scalars = layoutOf(scheduleFreeSgd(options)).values(1, 1);
        for (const t of [1, 2, 3, 6, 7, 8, 39, 40, 41, 1000]) {
          const inverse = 1 / t;
          const total =
            t <= warmupSteps
              ? scalars['warm_slope']! * t +
                scalars['warm_level']! +
                (scalars['warm_inverse']! - scalars['warm_cube']! * inverse ** 2) * inverse
              : scalars['full_slope']! * t +
                scalars['full_level']! +
                (scalars['full_inverse']! + scalars['full_square']! * inverse) * inverse;
          const want = shareBySum(t, options);
          // A few hundred roundings of sums of positive terms, and cancellation by no more than 3.
          expect(Math.abs(1 / total / want - 1), JSON.stringify({ t, ...options })).toBeLessThan(1e-12);
        }
      }
    }
  }
});
