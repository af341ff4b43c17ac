import { describe, expect, test } from 'vitest';
import { schedules } from '../../src/schedules.js';
import { publishedRates } from '../fixtures/schedules/index.js';

// A rate is some ten roundings, one of them a power or a cosine, away from its operands.
const ROUNDINGS = 32 * 2 ** -52;

describe('published rates', () => {
  test.for(publishedRates)('$title: $source', ({ schedule, expected, steps, tolerance }) => {
    const bound = tolerance ?? ROUNDINGS * Math.max(...expected);
    const off = expected.flatMap((wanted, i) => {
      const step = steps?.[i] ?? i;
      const rate = schedule(step);
      return Math.abs(rate - wanted) <= bound ? [] : [{ step, rate, wanted }];
    });
    expect(off).toEqual([]);
  });

  test('inverseSqrt: η/√(t+1), and the scaled one after a warm-up', () => {
    const plain = schedules.inverseSqrt({ lr: 0.6 });
    expect([0, 3, 8, 15].map(plain)).toEqual([0.6, 0.3, 0.6 / 3, 0.15]);
    expect([0, 4, 12].map(schedules.inverseSqrt({ lr: 1, timescale: 0.5 }))).toEqual([1, 1 / 3, 0.2]);
    // Hugging Face, `_get_inverse_sqrt_schedule_lr_lambda`: 1/√((t + timescale − w)/timescale) after w steps.
    const scaled = schedules.warmup(schedules.inverseSqrt({ lr: 1, timescale: 25 }), { warmupSteps: 9 });
    expect([0, 3, 9, 20, 84].map(scaled)).toEqual([0, 1 / 3, 1, Math.sqrt(25 / 36), 0.5]);
  });
});

describe('where libraries disagree an option chooses', () => {
  test('a boundary belongs to what follows (PyTorch, optax) or to what was before (Keras)', () => {
    const steps = [99, 100, 101];
    const piece = { boundaries: [100], values: [1, 0.5] };
    expect(steps.map(schedules.piecewise(piece))).toEqual([1, 0.5, 0.5]);
    expect(steps.map(schedules.piecewise({ ...piece, boundary: 'at' }))).toEqual([1, 0.5, 0.5]);
    expect(steps.map(schedules.piecewise({ ...piece, boundary: 'after' }))).toEqual([1, 1, 0.5]);
    const multi = { lr: 1, milestones: [100], gamma: 0.5 };
    expect(steps.map(schedules.multiStep(multi))).toEqual([1, 0.5, 0.5]);
    expect(steps.map(schedules.multiStep({ ...multi, boundary: 'after' }))).toEqual([1, 1, 0.5]);
  });

  test('step and multiStep count epochs (PyTorch by habit) or steps', () => {
    const steps = [5, 6, 17, 18];
    const byStep = { lr: 1, stepSize: 2, gamma: 0.5 };
    expect(steps.map(schedules.step(byStep))).toEqual([0.25, 0.125, 2 ** -8, 2 ** -9]);
    expect(steps.map(schedules.step({ ...byStep, stepsPerEpoch: 3 }))).toEqual([1, 0.5, 0.25, 0.125]);
    const byMilestone = { lr: 1, milestones: [2, 6], gamma: 0.5, stepsPerEpoch: 3 };
    expect(steps.map(schedules.multiStep(byMilestone))).toEqual([1, 0.5, 0.5, 0.25]);
    // Epoch 2 is steps 6 to 8, and all of it is at the boundary.
    expect([8, 9].map(schedules.multiStep({ ...byMilestone, boundary: 'after' }))).toEqual([1, 0.5]);
  });

  test('inverseTime: smooth or a staircase', () => {
    const options = { lr: 6, decayRate: 2, decaySteps: 2 };
    expect([0, 1, 2, 3, 5].map(schedules.inverseTime(options))).toEqual([6, 3, 2, 1.5, 1]);
    expect([0, 1, 2, 3, 5].map(schedules.inverseTime({ ...options, staircase: true }))).toEqual([
      6, 6, 2, 2, 1.2,
    ]);
    expect([0, 7].map(schedules.inverseTime({ lr: 6, decayRate: 0 }))).toEqual([6, 6]);
  });

  test('exponential: smooth or a staircase', () => {
    const options = { lr: 1, gamma: 0.25, decaySteps: 2 };
    expect([0, 1, 2, 3].map(schedules.exponential(options))).toEqual([1, 0.5, 0.25, 0.125]);
    expect([0, 1, 2, 3].map(schedules.exponential({ ...options, staircase: true }))).toEqual([
      1, 1, 0.25, 0.25,
    ]);
    expect([0, 1].map(schedules.exponential({ lr: 1, gamma: 0 }))).toEqual([1, 0]);
  });

  test('polynomial: holds its end, or starts again (Keras)', () => {
    const options = { lr: 1, totalIters: 4 };
    expect([0, 4, 5, 8, 9].map(schedules.polynomial(options))).toEqual([1, 0, 0, 0, 0]);
    expect([0, 4, 5, 8, 9].map(schedules.polynomial({ ...options, cycle: true }))).toEqual([
      1,
      0,
      3 / 8,
      0,
      0.25,
    ]);
  });

  test('linear: ends as factors (PyTorch) or as rates (optax)', () => {
    const steps = [0, 1, 2, 9];
    expect(steps.map(schedules.linear({ lr: 3, totalIters: 2 }))).toEqual([1, 2, 3, 3]);
    expect(steps.map(schedules.linear({ lr: 4, totalIters: 2, startFactor: 1, endFactor: 0.5 }))).toEqual([
      4, 3, 2, 2,
    ]);
    expect(steps.map(schedules.linear({ lr: 9, totalIters: 2, startLr: 4, endLr: 0.5 }))).toEqual([
      4, 2.25, 0.5, 0.5,
    ]);
  });

  test('cosine: holds past its end (Keras, optax), or rises again (PyTorch)', () => {
    const options = { lr: 1, tMax: 10, etaMin: 0.25 };
    expect([0, 10, 15, 20, 30, 40].map(schedules.cosine(options))).toEqual([1, 0.25, 0.25, 0.25, 0.25, 0.25]);
    const swing = schedules.cosine({ ...options, afterEnd: 'rise' });
    expect([0, 10, 20, 30, 40].map(swing)).toEqual([1, 0.25, 1, 0.25, 1]);
    expect(swing(15)).toBeCloseTo(0.625, 15);
  });

  test('the warm-up comes before the decay, is a part of it, or scales it', () => {
    const decay = schedules.polynomial({ lr: 8, totalIters: 8 });
    const steps = [0, 2, 4, 6, 8, 12];
    const rates = (options: object) => steps.map(schedules.warmup(decay, { warmupSteps: 4, ...options }));
    expect(rates({})).toEqual([0, 4, 8, 6, 4, 0]);
    expect(rates({ position: 'outside' })).toEqual([0, 4, 8, 6, 4, 0]);
    expect(rates({ position: 'inside', totalSteps: 8 })).toEqual([0, 4, 8, 4, 0, 0]);
    expect(rates({ position: 'overlap' })).toEqual([0, 3, 4, 2, 0, 0]);
    expect(rates({ position: 'overlap', startLr: 2 })).toEqual([2, 4, 4, 2, 0, 0]);
  });

  test('the way up', () => {
    const up = (options: object) => [0, 1, 2, 3, 4].map(schedules.warmup(16, { warmupSteps: 4, ...options }));
    expect(up({ startFactor: 0.25 })).toEqual([4, 7, 10, 13, 16]);
    expect(up({ startLr: 8 })).toEqual([8, 10, 12, 14, 16]);
    expect(up({ startLr: 8, mode: 'constant' })).toEqual([8, 8, 8, 8, 16]);
    expect(up({ startFactor: 1 / 16, mode: 'exponential' })).toEqual([1, 2, 4, 8, 16]);
    expect(up({ startLr: 1, mode: 'exponential' })).toEqual([1, 2, 4, 8, 16]);
    const [first, quarter, half, , last] = up({ mode: 'cosine' });
    expect([first, last]).toEqual([0, 16]);
    expect(quarter).toBeCloseTo(8 - 8 * Math.SQRT1_2, 12);
    expect(half).toBeCloseTo(8, 12);
  });

  test('linearWithWarmup: up to its top, down to 0 and held, or down from the first step', () => {
    const steps = [0, 1, 4, 7, 10, 11];
    const options = { lr: 8, numWarmupSteps: 4, numTrainingSteps: 10 };
    expect(steps.map(schedules.linearWithWarmup(options))).toEqual([0, 2, 8, 4, 0, 0]);
    const down = schedules.linearWithWarmup({ ...options, numWarmupSteps: 0 });
    expect([0, 5, 10, 11].map(down)).toEqual([8, 4, 0, 0]);
    const sharp = schedules.linearWithWarmup({ ...options, numWarmupSteps: 9 });
    expect([8, 9, 10].map((t) => sharp(t) / 8)).toEqual([8 / 9, 1, 0]);
  });

  test('product: of schedules and numbers, each at the same step', () => {
    const up = schedules.linear({ lr: 1, startFactor: 0, totalIters: 4 });
    expect([0, 1, 2, 8].map(schedules.product([3, up, up]))).toEqual([0, 3 / 16, 3 / 4, 3]);
    expect([0, 5].map(schedules.product([up]))).toEqual([0, 1]);
  });

  test('oneCycle: two phases or three, ends as in PyTorch or optax, and held', () => {
    const options = { maxLr: 24, divFactor: 24, finalDivFactor: 2, annealStrategy: 'linear' } as const;
    const rates = (more: object) =>
      [0, 4, 5, 9, 10, 11, 12, 99].map(
        schedules.oneCycle({ ...options, totalSteps: 11, pctStart: 5 / 11, ...more }),
      );
    expect(rates({}).map((rate) => Math.round(rate * 1e9) / 1e9)).toEqual([
      1, 24, 20.083333333, 4.416666667, 0.5, 0.5, 0.5, 0.5,
    ]);
    expect(rates({ threePhase: true })[4]).toBeCloseTo(0.5, 12);
    expect(rates({ threePhase: true })[3]).toBeCloseTo(0.75, 12);
    const optax = rates({ phaseEnds: 'optax' });
    expect(optax[2]).toBe(24);
    expect(optax[4]).toBeCloseTo(0.5 + 23.5 / 6, 12);
    expect(optax.slice(5)).toEqual([0.5, 0.5, 0.5]);
    // 0.35 · 10 = 3.5: at the top at step 3.
    const early = schedules.oneCycle({ ...options, totalSteps: 10, pctStart: 0.35, phaseEnds: 'optax' });
    expect([2, 3].map((t) => early(t) === 24)).toEqual([false, true]);
    // 0.85 · 11 = 9.35: down to the first rate at step 9.
    expect(rates({ phaseEnds: 'optax', threePhase: true })[3]).toBe(1);
  });

  test('cosineRestarts: cycles of one length or more, of one height (PyTorch) or less (Keras)', () => {
    const options = { lr: 1, t0: 2, etaMin: 0.5 };
    expect([0, 2, 4, 6].map(schedules.cosineRestarts(options))).toEqual([1, 1, 1, 1]);
    expect([0, 2, 4, 6].map(schedules.cosineRestarts({ ...options, mMul: 0.5 }))).toEqual([
      1, 0.75, 0.625, 0.5625,
    ]);
    expect([0, 2, 4, 6].map(schedules.cosineRestarts({ ...options, tMult: 2 }))).toEqual([1, 1, 0.75, 1]);
  });

  test('the last allowed value is allowed', () => {
    expect(schedules.cosine({ lr: 1, tMax: 2, etaMin: 1 })(1)).toBe(1);
    expect(schedules.cosineRestarts({ lr: 1, t0: 2, etaMin: 1 })(1)).toBe(1);
    expect(schedules.reduceOnPlateau({ lr: 1, minLr: 1 })(0)).toBe(1);
    const sharp = { maxLr: 1, totalSteps: 8, pctStart: 0.5, threePhase: true, phaseEnds: 'optax' } as const;
    expect([4, 5].map(schedules.oneCycle({ ...sharp, pctFinal: 0.5, annealStrategy: 'linear' }))).toEqual([
      1,
      1 / 25 / 1e4 + (1 / 25 - 1 / 25 / 1e4) * 0.75,
    ]);
    expect(schedules.oneCycle({ ...sharp, pctFinal: 1 })(8)).toBe(1 / 25);
  });

  test('a phase may have no steps', () => {
    const options = { maxLr: 4, divFactor: 4, finalDivFactor: 2, annealStrategy: 'linear' } as const;
    // PyTorch divides 0 by 0 here: its first phase ends at 0.5 · 2 − 1 = 0.
    expect([0, 1].map(schedules.oneCycle({ ...options, totalSteps: 2, pctStart: 0.5 }))).toEqual([4, 0.5]);
    expect(schedules.oneCycle({ ...options, totalSteps: 1 })(0)).toBe(0.5);
    const fromBoundary = schedules.piecewise({
      boundaries: [0, 2],
      values: [9, 4, 2],
      interpolation: 'linear',
    });
    expect([0, 1, 2].map(fromBoundary)).toEqual([4, 3, 2]);
  });
});

test('what a schedule was made of may change afterwards', () => {
  const boundaries = [1];
  const values = [1, 2];
  const parts = [1, 2];
  const made = [
    schedules.piecewise({ boundaries, values }),
    schedules.piecewise({ boundaries, values, interpolation: 'linear' }),
    schedules.multiStep({ lr: 1, milestones: boundaries, gamma: 2 }),
    schedules.join(parts, boundaries),
    schedules.product(parts),
  ];
  for (const list of [boundaries, values, parts]) list.fill(7);
  expect(made.map((schedule) => schedule(1))).toEqual([2, 2, 2, 2, 2]);
});

test('defaults are the documented ones', () => {
  const { constant, step, multiStep, exponential, polynomial, linear, cosine, oneCycle } = schedules;
  const lr = 0.8;
  const pairs = [
    [constant({ lr }), constant({ lr, factor: 1, totalIters: 1 })],
    [schedules.inverseSqrt({ lr }), schedules.inverseSqrt({ lr, timescale: 1 })],
    [step({ lr, stepSize: 7 }), step({ lr, stepSize: 7, gamma: 0.1, stepsPerEpoch: 1 })],
    [
      multiStep({ lr, milestones: [7] }),
      multiStep({ lr, milestones: [7], gamma: 0.1, boundary: 'at', stepsPerEpoch: 1 }),
    ],
    [
      schedules.inverseTime({ lr, decayRate: 0.3 }),
      schedules.inverseTime({ lr, decayRate: 0.3, decaySteps: 1, staircase: false }),
    ],
    [exponential({ lr, gamma: 0.9 }), exponential({ lr, gamma: 0.9, decaySteps: 1, staircase: false })],
    [polynomial({ lr, totalIters: 7 }), polynomial({ lr, totalIters: 7, power: 1, endLr: 0, cycle: false })],
    [linear({ lr, totalIters: 7 }), linear({ lr, totalIters: 7, startFactor: 1 / 3, endFactor: 1 })],
    [cosine({ lr, tMax: 7 }), cosine({ lr, tMax: 7, etaMin: 0, afterEnd: 'hold', exponent: 1 })],
    [
      schedules.cosineRestarts({ lr, t0: 7 }),
      schedules.cosineRestarts({ lr, t0: 7, tMult: 1, etaMin: 0, mMul: 1 }),
    ],
    [
      schedules.warmup(lr, { warmupSteps: 7 }),
      schedules.warmup(lr, { warmupSteps: 7, startFactor: 0, mode: 'linear', position: 'outside' }),
    ],
    [
      oneCycle({ maxLr: lr, totalSteps: 20 }),
      oneCycle({
        maxLr: lr,
        totalSteps: 20,
        pctStart: 0.3,
        annealStrategy: 'cos',
        divFactor: 25,
        finalDivFactor: 1e4,
        threePhase: false,
        phaseEnds: 'torch',
      }),
    ],
    [
      oneCycle({ maxLr: lr, totalSteps: 20, threePhase: true }),
      oneCycle({ maxLr: lr, totalSteps: 20, threePhase: true, pctFinal: 0.6 }),
    ],
    [
      oneCycle({ maxLr: lr, totalSteps: 20, threePhase: true, phaseEnds: 'optax' }),
      oneCycle({ maxLr: lr, totalSteps: 20, threePhase: true, phaseEnds: 'optax', pctFinal: 0.85 }),
    ],
  ] as const;
  for (const [short, long] of pairs) {
    for (let t = 0; t < 30; t++) expect(short(t)).toBe(long(t));
  }
});
