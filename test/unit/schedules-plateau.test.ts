import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { type ReduceOnPlateauOptions, type ScheduleState, schedules } from '../../src/schedules.js';
import { repeat, tabulate } from '../fixtures/schedules/types.js';

const { reduceOnPlateau } = schedules;

/** The rate after each report. */
function follow(options: ReduceOnPlateauOptions, metrics: readonly number[]): number[] {
  const schedule = reduceOnPlateau(options);
  return metrics.map((metric) => schedule.report(metric));
}

describe('published runs', () => {
  const growing = tabulate(20, (i) => 1.5 * 1.005 ** i);
  const relative = { mode: 'max', thresholdMode: 'rel', threshold: 0.1 } as const;
  const patient = { patience: 5, cooldown: 5 };
  const oneFall = [...repeat(0.5, 6), ...repeat(0.05, 11), ...repeat(0.005, 3)];

  // pytorch/pytorch test/optim/test_lrscheduler.py test_reduce_lr_on_plateau1 to 8; lr 0.5 throughout.
  test.for([
    {
      name: 1,
      options: { thresholdMode: 'abs', threshold: 0.01, ...patient } as const,
      metrics: tabulate(10, (i) => 10 - i * 0.0167),
      expected: repeat(0.5, 10),
    },
    {
      name: 2,
      options: { thresholdMode: 'abs', threshold: 0.1, patience: 5 } as const,
      metrics: tabulate(22, (i) => 10 - i * 0.0165),
      expected: [...repeat(0.5, 6), ...repeat(0.05, 7), ...repeat(0.005, 7), ...repeat(0.0005, 2)],
    },
    {
      name: 3,
      options: { mode: 'max', thresholdMode: 'abs', ...patient } as const,
      metrics: [...repeat(-0.8, 2), ...repeat(-0.234, 20)],
      expected: [...repeat(0.5, 8), ...repeat(0.05, 11), ...repeat(0.005, 3)],
    },
    {
      name: 4,
      options: { ...relative, patience: 3 },
      metrics: tabulate(20, (i) => 1.5 * 1.025 ** i),
      expected: repeat(0.5, 20),
    },
    { name: 5, options: { ...relative, ...patient }, metrics: growing, expected: oneFall },
    {
      name: 6,
      options: { mode: 'min', thresholdMode: 'rel', threshold: 0.1 } as const,
      metrics: tabulate(20, (i) => 1.5 * 0.85 ** i),
      expected: repeat(0.5, 20),
    },
    {
      name: 7,
      options: { mode: 'min', thresholdMode: 'rel', threshold: 0.1, ...patient } as const,
      metrics: [...repeat(1, 7), 0.6, ...repeat(0.5, 12)],
      expected: oneFall,
    },
    {
      name: 8,
      options: { ...relative, ...patient, minLr: 0.4 },
      metrics: growing,
      expected: [...repeat(0.5, 6), ...repeat(0.4, 14)],
    },
  ])('PyTorch $name', ({ options, metrics, expected }) => {
    const rates = follow({ lr: 0.5, ...options }, metrics);
    rates.forEach((rate, i) => expect(rate).toBeCloseTo(expected[i]!, 15));
  });

  // keras-team/keras reduce_lr_on_plateau_test.py: no loss falls by min_delta, so the first stays the best.
  test('Keras', () => {
    const keras = { lr: 0.1, patience: 1, thresholdMode: 'abs', threshold: 100, counting: 'keras' } as const;
    expect(follow(keras, [1, 1]).at(-1)).toBeCloseTo(0.01, 15);
    expect(follow({ ...keras, minLr: 0.005 }, repeat(1, 4)).at(-1)).toBe(0.005);
    expect(follow({ ...keras, cooldown: 2 }, repeat(1, 4)).at(-1)).toBeCloseTo(0.001, 15);
  });

  // google-deepmind/optax optax/contrib/_reduce_on_plateau_test.py
  test('optax', () => {
    const schedule = reduceOnPlateau({ lr: 1, patience: 5, cooldown: 5, counting: 'optax' });
    for (let i = 0; i < 6; i++) schedule.report(1);
    const reduced = { kind: 'reduceOnPlateau', lr: 0.1, best: 1, numBadEpochs: 0, cooldownCounter: 5 };
    expect(schedule.state()).toEqual(reduced);
    schedule.report(1);
    expect(schedule.state()).toEqual({ ...reduced, cooldownCounter: 4 });
    schedule.loadState({ ...reduced, numBadEpochs: 3, cooldownCounter: 0 });
    schedule.report(0.1);
    expect(schedule.state()).toEqual({ ...reduced, best: 0.1, cooldownCounter: 0 });
    schedule.loadState({ ...reduced, cooldownCounter: 3 });
    schedule.report(2);
    expect(schedule.state()).toEqual({ ...reduced, cooldownCounter: 2 });
  });
});

/** The loops of the three libraries, written as they run: one counter changed after another. */
function oracle(o: Required<ReduceOnPlateauOptions>, metrics: readonly number[]): number[] {
  let [lr, bad, cooldown] = [o.lr, 0, 0];
  let best = o.mode === 'min' ? Infinity : -Infinity;
  const sign = o.mode === 'min' ? -1 : 1;
  const isBetter = (metric: number) => {
    const bar = o.thresholdMode === 'rel' ? best * (1 + sign * o.threshold) : best + sign * o.threshold;
    return sign * metric > sign * bar;
  };
  const reduce = () => {
    const lower = Math.max(lr * o.factor, o.minLr);
    if (lr - lower > o.eps) lr = lower;
  };
  return metrics.map((metric) => {
    if (o.counting === 'keras') {
      if (cooldown > 0) [cooldown, bad] = [cooldown - 1, 0];
      if (isBetter(metric)) {
        [best, bad] = [metric, 0];
      } else if (cooldown === 0) {
        bad++;
        if (bad >= o.patience) {
          reduce();
          [cooldown, bad] = [o.cooldown, 0];
        }
      }
      return lr;
    }
    const better = isBetter(metric);
    if (better) best = metric;
    bad = better ? 0 : bad + 1;
    if (cooldown > 0) {
      [cooldown, bad] = [cooldown - 1, 0];
    } else if (o.counting === 'optax' ? bad === o.patience : bad > o.patience) {
      reduce();
      [cooldown, bad] = [o.cooldown, 0];
    }
    return lr;
  });
}

const plateauOptions = fc.record({
  lr: fc.constant(1),
  mode: fc.constantFrom('min', 'max'),
  factor: fc.constantFrom(0, 0.5),
  patience: fc.integer({ min: 1, max: 4 }),
  threshold: fc.constantFrom(0, 0.1, 0.5),
  thresholdMode: fc.constantFrom('rel', 'abs'),
  cooldown: fc.integer({ min: 0, max: 3 }),
  minLr: fc.constantFrom(0, 0.1),
  eps: fc.constantFrom(0, 0.2),
  counting: fc.constantFrom('torch', 'keras', 'optax'),
});
const metricList = fc.array(fc.oneof(fc.integer({ min: -8, max: 8 }), fc.constant(NaN)), { maxLength: 40 });

describe('any run', () => {
  test('is what the loop of that library does', () => {
    const check = fc.property(plateauOptions, metricList, (options, metrics) => {
      expect(follow(options, metrics)).toEqual(oracle(options, metrics));
    });
    fc.assert(check, { seed: inject('seed'), numRuns: 2000 });
  });

  test('goes on from a state that went through JSON', () => {
    const check = fc.property(plateauOptions, metricList, fc.nat(40), (options, metrics, cut) => {
      const before = reduceOnPlateau(options);
      for (const metric of metrics.slice(0, cut)) before.report(metric);
      const after = reduceOnPlateau(options);
      after.loadState(JSON.parse(JSON.stringify(before.state())) as ScheduleState);
      expect(after(0)).toBe(before(0));
      const rest = metrics.slice(cut).map((metric) => after.report(metric));
      expect(rest).toEqual(follow(options, metrics).slice(cut));
    });
    fc.assert(check, { seed: inject('seed') });
  });
});

test('the three ways of counting differ', () => {
  const fall = (counting: 'torch' | 'keras' | 'optax') =>
    follow({ lr: 1, factor: 0.5, patience: 2, cooldown: 2, counting }, repeat(1, 9));
  expect(fall('torch')).toEqual([1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25]);
  expect(fall('optax')).toEqual([1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]);
  expect(fall('keras')).toEqual([1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]);
  // No patience is none with every count: the first bad report reduces, a good one never does.
  for (const counting of ['torch', 'keras', 'optax'] as const) {
    expect(follow({ lr: 1, factor: 0.5, patience: 0, counting }, [2, 1, 1])).toEqual([1, 1, 0.5]);
  }
});

test('a metric that is not finite is no improvement', () => {
  const rates = follow({ lr: 1, factor: 0.5, patience: 0 }, [-Infinity, NaN, 3, 2, Infinity]);
  expect(rates).toEqual([0.5, 0.25, 0.25, 0.25, 0.125]);
});

test('it depends on reports, not on the step; a state is a copy', () => {
  const schedule = reduceOnPlateau({ lr: 1, factor: 0.5, patience: 0 });
  expect([schedule(0), schedule(1000), schedule(5)]).toEqual([1, 1, 1]);
  const start = schedule.state();
  expect(start).toEqual({ kind: 'reduceOnPlateau', lr: 1, best: null, numBadEpochs: 0, cooldownCounter: 0 });
  schedule.report(1);
  expect(schedule.report(1)).toBe(0.5);
  expect(schedule(0)).toBe(0.5);
  expect(start['lr']).toBe(1);
});

test('defaults are the documented ones', () => {
  // Ten reports without improvement are put up with, the eleventh is not; then there is no cooldown.
  expect(follow({ lr: 1 }, repeat(1, 12)).slice(10)).toEqual([1, 0.1]);
  expect(follow({ lr: 1 }, repeat(1, 23)).slice(21)).toEqual([0.1, 0.1 * 0.1]);
  // 'min', and 'rel' with a threshold of 1e-4: less than 1 part in 10,000 is no improvement.
  const patience = { patience: 0, factor: 0.5 };
  expect(follow({ lr: 1, ...patience }, [100, 99.9901, 99.9899])).toEqual([1, 0.5, 0.5]);
  // Down to 0, but not by 1e-8 or less at a time.
  const last = follow({ lr: 4e-8, ...patience }, repeat(1, 9)).at(-1);
  expect(last).toBe(1e-8 * 2);
});
