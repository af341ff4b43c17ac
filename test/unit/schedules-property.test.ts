import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { type LearningRateSchedule, schedules } from '../../src/schedules.js';

const EPSILON = 2 ** -52;

const lr = fc.double({ min: 1e-3, max: 1, noNaN: true });
// Zero or ordinary: subnormal rates have no digits that a relative bound could be about.
const low = fc.oneof(fc.constant(0), fc.double({ min: 1e-12, max: 1e-3, noNaN: true }));
const rate = fc.oneof(fc.constant(0), lr);
const gamma = fc.double({ min: 0.05, max: 1, noNaN: true });
const length = fc.integer({ min: 1, max: 60 });
const power = fc.double({ min: 0, max: 4, noNaN: true });
const boundaries = (min: number) =>
  fc
    .uniqueArray(fc.integer({ min, max: 80 }), { maxLength: 5 })
    .map((steps) => steps.toSorted((a, b) => a - b));

/** Runs a property with the seed of the test run. */
function check<T>(property: fc.IProperty<T>): void {
  fc.assert(property, { seed: inject('seed') });
}

/** Schedules that only ever fall. */
const falling = fc.oneof(
  fc.record({ lr }).map((o) => schedules.inverseSqrt(o)),
  fc
    .record({ lr, decayRate: power, decaySteps: length, staircase: fc.boolean() })
    .map((o) => schedules.inverseTime(o)),
  fc.record({ lr, stepSize: length, gamma }).map((o) => schedules.step(o)),
  fc.record({ lr, milestones: boundaries(0), gamma }).map((o) => schedules.multiStep(o)),
  fc
    .record({ lr, gamma, decaySteps: length, staircase: fc.boolean(), endLr: low })
    .map((o) => schedules.exponential(o)),
  fc.record({ lr, totalIters: length, power, endLr: low }).map((o) => schedules.polynomial(o)),
  fc.record({ lr, tMax: length, etaMin: low, exponent: power }).map((o) => schedules.cosine(o)),
);

const { schedule: anySchedule } = fc.letrec<{ schedule: LearningRateSchedule }>((tie) => ({
  schedule: fc.oneof(
    { maxDepth: 2 },
    falling,
    fc.record({ lr: rate, factor: rate, totalIters: length }).map((o) => schedules.constant(o)),
    fc
      .record({ lr, totalIters: length, power, endLr: rate, cycle: fc.boolean() })
      .map((o) => schedules.polynomial(o)),
    fc.record({ lr, totalIters: length, startFactor: rate, endLr: rate }).map((o) => schedules.linear(o)),
    fc.record({ lr, tMax: length, etaMin: low }).map((o) => schedules.cosine({ ...o, afterEnd: 'rise' })),
    fc
      .record({ lr, t0: length, tMult: fc.double({ min: 1, max: 3, noNaN: true }), etaMin: low, mMul: gamma })
      .map((o) => schedules.cosineRestarts(o)),
    fc
      .record({
        maxLr: lr,
        totalSteps: length,
        pctStart: fc.double({ min: 0, max: 0.5, noNaN: true }),
        annealStrategy: fc.constantFrom('cos', 'linear'),
        threePhase: fc.boolean(),
        phaseEnds: fc.constantFrom('torch', 'optax'),
      })
      .map((o) => schedules.oneCycle(o)),
    fc
      .tuple(
        boundaries(0),
        fc.array(rate, { minLength: 6, maxLength: 6 }),
        fc.constantFrom('none', 'cosine', 'linear'),
      )
      .map(([steps, values, interpolation]) =>
        schedules.piecewise({ boundaries: steps, values: values.slice(0, steps.length + 1), interpolation }),
      ),
    fc
      .tuple(boundaries(1), fc.array(tie('schedule'), { minLength: 6, maxLength: 6 }))
      .map(([steps, parts]) => schedules.join(parts.slice(0, steps.length + 1), steps)),
    fc.array(tie('schedule'), { minLength: 1, maxLength: 3 }).map((parts) => schedules.product(parts)),
    fc
      .record({ lr, numWarmupSteps: fc.nat(20), rest: length })
      .map(({ rest, ...o }) =>
        schedules.linearWithWarmup({ ...o, numTrainingSteps: o.numWarmupSteps + rest }),
      ),
    fc
      .record({
        inner: tie('schedule'),
        warmupSteps: length,
        startLr: lr,
        mode: fc.constantFrom('linear', 'constant', 'exponential', 'cosine'),
        position: fc.constantFrom('outside', 'inside', 'overlap'),
      })
      .map(({ inner, ...o }) =>
        schedules.warmup(inner, o.position === 'inside' ? { ...o, totalSteps: o.warmupSteps + 40 } : o),
      ),
  ),
}));

describe('properties', () => {
  test('a rate is finite and ≥ 0 at every step, and the same whenever it is asked for', () => {
    const steps = fc.array(fc.oneof(fc.nat(200), fc.nat(2 ** 24)), { minLength: 1, maxLength: 30 });
    check(
      fc.property(anySchedule, steps, (schedule, asked) => {
        const rates = asked.map((t) => schedule(t));
        for (const value of rates) expect(Number.isFinite(value) && value >= 0, `${value}`).toBe(true);
        const again = asked.toReversed().map((t) => schedule(t));
        expect(again.toReversed()).toEqual(rates);
      }),
    );
  });

  test('decays never rise', () => {
    check(
      fc.property(falling, (schedule) => {
        for (let t = 0; t < 150; t++) {
          // A power may round up where it hardly changes.
          expect(schedule(t + 1)).toBeLessThanOrEqual(schedule(t) * (1 + 8 * EPSILON));
        }
      }),
    );
  });

  test('ends are met exactly, and held', () => {
    check(
      fc.property(lr, low, length, length, (base, end, n, more) => {
        const ways = [
          schedules.polynomial({ lr: base, totalIters: n, endLr: end, power: 2 }),
          schedules.linear({ lr: 1, startLr: base, endLr: end, totalIters: n }),
          schedules.cosine({ lr: base, tMax: n, etaMin: end }),
          schedules.piecewise({ boundaries: [n], values: [base, end], interpolation: 'cosine' }),
          schedules.piecewise({ boundaries: [n], values: [base, end], interpolation: 'linear' }),
        ];
        for (const way of ways) expect([way(0), way(n), way(n + more)]).toEqual([base, end, end]);
        const cycle = schedules.oneCycle({ maxLr: base, totalSteps: n + 1 });
        expect([n, n + more].map(cycle)).toEqual([base / 25 / 1e4, base / 25 / 1e4]);
      }),
    );
  });

  test('a warm-up rises without a jump, from its start to the schedule, and then is the schedule', () => {
    const mode = fc.constantFrom('linear' as const, 'cosine' as const, 'exponential' as const);
    const startFactor = fc.double({ min: 0.05, max: 1, noNaN: true });
    check(
      fc.property(falling, length, startFactor, mode, (inner, W, start, shape) => {
        const warm = schedules.warmup(inner, { warmupSteps: W, startFactor: start, mode: shape });
        const top = inner(0);
        expect(warm(0)).toBeCloseTo(start * top, 15);
        // No shape is steeper than π/2 times the line, nor the exponential than ln(1/start) < 3 at the top.
        const steepest = (3 * top * (1 - start)) / start / W;
        const rounding = 8 * EPSILON * top;
        for (let t = 0; t < W; t++) {
          expect(warm(t + 1) - warm(t)).toBeGreaterThanOrEqual(-rounding);
          expect(warm(t + 1) - warm(t)).toBeLessThanOrEqual(steepest + rounding);
        }
        for (let t = 0; t < 50; t++) expect(warm(W + t)).toBe(inner(t));
      }),
    );
  });

  test('a squeezed schedule ends where it would have', () => {
    check(
      fc.property(lr, low, length, length, (base, end, W, rest) => {
        const totalSteps = W + rest;
        const inner = schedules.cosine({ lr: base, tMax: totalSteps, etaMin: end });
        const warm = schedules.warmup(inner, { warmupSteps: W, position: 'inside', totalSteps });
        const wanted = schedules.cosine({ lr: base, tMax: rest, etaMin: end });
        expect([W, totalSteps, totalSteps + 1].map(warm)).toEqual([base, end, end]);
        for (let t = 0; t <= rest; t++) expect(warm(W + t)).toBeCloseTo(wanted(t), 14);
      }),
    );
  });

  test('one cycle rises to its top and then falls, and its phases meet', () => {
    const options = fc.record({
      totalSteps: fc.integer({ min: 8, max: 80 }),
      pctStart: fc.double({ min: 0.25, max: 0.5, noNaN: true }),
      annealStrategy: fc.constantFrom('cos' as const, 'linear' as const),
      threePhase: fc.boolean(),
      phaseEnds: fc.constantFrom('torch' as const, 'optax' as const),
    });
    check(
      fc.property(options, (o) => {
        const cycle = schedules.oneCycle({ maxLr: 1, ...o });
        expect(cycle(0)).toBe(1 / 25);
        const rates = Array.from({ length: o.totalSteps + 2 }, (_, t) => cycle(t));
        const top = rates.indexOf(Math.max(...rates));
        const peak = o.pctStart * o.totalSteps - (o.phaseEnds === 'torch' ? 1 : 0);
        expect(Math.abs(top - peak)).toBeLessThanOrEqual(1);
        for (let t = 1; t < rates.length; t++) {
          const change = rates[t]! - rates[t - 1]!;
          expect(t <= top ? change : -change).toBeGreaterThanOrEqual(-8 * EPSILON);
        }
      }),
    );
  });

  test('a restart comes exactly when a cycle is over, however many there were', () => {
    check(
      fc.property(length, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 8 }), (t0, tMult, n) => {
        const schedule = schedules.cosineRestarts({ lr: 1, t0, tMult });
        let start = 0;
        for (let i = 0; i < n; i++) start += t0 * tMult ** i;
        expect(schedule(start)).toBe(1);
        if (t0 > 1) expect(schedule(start - 1)).toBeLessThan(0.51);
      }),
    );
  });
});
