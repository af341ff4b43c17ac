import fc from 'fast-check';
import { describe, inject, test, expect } from 'vitest';
import { type LearningRateSchedule, schedules } from '../../src/schedules.js';

const EPSILON = 2 ** -52;

const lr = fc.double({ min: 1e-3, max: 1, noNaN: true });
const low = fc.double({ min: 0, max: 1e-3, noNaN: true });
const gamma = fc.double({ min: 0.05, max: 1, noNaN: true });
const length = fc.integer({ min: 1, max: 60 });
const power = fc.double({ min: 0, max: 4, noNaN: true });
const milestoneList = fc
  .uniqueArray(fc.integer({ min: 1, max: 80 }), { maxLength: 5 })
  .map((steps) => steps.toSorted((a, b) => a - b));

/** Runs a property with the seed of the test run. */
function check<T>(property: fc.IProperty<T>): void {
  fc.assert(property, { seed: inject('seed') });
}

/** Applies a recursion: the rate at step 0, then each from the one before it. */
function recursion(steps: number, start: number, next: (lr: number, t: number) => number): number[] {
  const rates = [start];
  for (let t = 1; t < steps; t++) rates.push(next(rates[t - 1]!, t));
  return rates;
}

/** Compares the first steps; each recursion step may add `roundings` units in the last place of `scale`. */
function expectClose(schedule: LearningRateSchedule, wanted: number[], scale: number, roundings = 64): void {
  wanted.forEach((value, t) => {
    const off = Math.abs(schedule(t) - value);
    if (off > (t + 1) * roundings * EPSILON * scale)
      expect({ t, rate: schedule(t) }).toEqual({ t, rate: value });
  });
}

// PyTorch's schedulers derive each rate from the one before: no closed form, so an oracle of its own.
describe('the recursion of PyTorch, in float64', () => {
  const STEPS = 150;

  test('StepLR', () => {
    check(
      fc.property(lr, length, gamma, (base, stepSize, g) => {
        const wanted = recursion(STEPS, base, (last, t) => (t % stepSize === 0 ? last * g : last));
        expectClose(schedules.step({ lr: base, stepSize, gamma: g }), wanted, base);
      }),
    );
  });

  test('MultiStepLR', () => {
    check(
      fc.property(lr, milestoneList, gamma, (base, milestones, g) => {
        const wanted = recursion(STEPS, base, (last, t) => (milestones.includes(t) ? last * g : last));
        expectClose(schedules.multiStep({ lr: base, milestones, gamma: g }), wanted, base);
      }),
    );
  });

  test('ConstantLR', () => {
    check(
      fc.property(lr, length, gamma, (base, totalIters, factor) => {
        const wanted = recursion(STEPS, base * factor, (last, t) =>
          t === totalIters ? last / factor : last,
        );
        expectClose(schedules.constant({ lr: base, factor, totalIters }), wanted, base);
      }),
    );
  });

  test('LinearLR', () => {
    check(
      fc.property(lr, length, gamma, gamma, (base, totalIters, startFactor, endFactor) => {
        const rise = endFactor - startFactor;
        const wanted = recursion(STEPS, base * startFactor, (last, t) =>
          t > totalIters ? last : last * (1 + rise / (totalIters * startFactor + (t - 1) * rise)),
        );
        // Close to its smallest factor, 1/20, the sum in the denominator cancels: 20 times the rounding.
        const schedule = schedules.linear({ lr: base, totalIters, startFactor, endFactor });
        expectClose(schedule, wanted, base, 20 * 64);
      }),
    );
  });

  test('ExponentialLR', () => {
    check(
      fc.property(lr, gamma, (base, g) => {
        const wanted = recursion(STEPS, base, (last) => last * g);
        expectClose(schedules.exponential({ lr: base, gamma: g }), wanted, base);
      }),
    );
  });

  test('PolynomialLR', () => {
    check(
      fc.property(lr, length, power, (base, totalIters, p) => {
        const wanted = recursion(STEPS, base, (last, t) => {
          if (t > totalIters) return last;
          return last * ((1 - t / totalIters) / (1 - (t - 1) / totalIters)) ** p;
        });
        expectClose(schedules.polynomial({ lr: base, totalIters, power: p }), wanted, base);
      }),
    );
  });

  test('CosineAnnealingLR, through several turns', () => {
    check(
      fc.property(lr, fc.integer({ min: 1, max: 30 }), low, (base, tMax, etaMin) => {
        const wave = (t: number) => 1 + Math.cos((Math.PI * t) / tMax);
        const wanted = recursion(STEPS, base, (last, t) => {
          if ((t - 1 - tMax) % (2 * tMax) === 0) return last + ((base - etaMin) * (2 - wave(1))) / 2;
          return (wave(t) / wave(t - 1)) * (last - etaMin) + etaMin;
        });
        // After a turn an error of the small lr − etaMin grows with it, by up to 2/wave(tMax − 1) < tMax².
        const schedule = schedules.cosine({ lr: base, tMax, etaMin, afterEnd: 'rise' });
        expectClose(schedule, wanted, base, 64 * tMax ** 2);
      }),
    );
  });

  test('CosineAnnealingWarmRestarts', () => {
    check(
      fc.property(lr, length, fc.integer({ min: 1, max: 4 }), low, (base, t0, tMult, etaMin) => {
        let [current, cycle] = [0, t0];
        const at = () => etaMin + ((base - etaMin) * (1 + Math.cos((Math.PI * current) / cycle))) / 2;
        const wanted = recursion(STEPS, base, () => {
          current++;
          if (current >= cycle) [current, cycle] = [current % cycle, cycle * tMult];
          return at();
        });
        expectClose(schedules.cosineRestarts({ lr: base, t0, tMult, etaMin }), wanted, base);
      }),
    );
  });

  test('SequentialLR: each starts at its own 0; ChainedScheduler: both scale the same rate', () => {
    check(
      fc.property(lr, length, gamma, gamma, (base, W, start, g) => {
        const after = recursion(STEPS, base, (last) => last * g);
        const up = schedules.linear({ lr: base, startFactor: start, totalIters: W });
        const decay = schedules.exponential({ lr: base, gamma: g });
        const wanted = [...Array.from({ length: W }, (_, t) => up(t)), ...after];
        expectClose(schedules.join([up, decay], [W]), wanted, base);
        expectClose(schedules.warmup(decay, { warmupSteps: W, startFactor: start }), wanted, base);
        const chained = after.map((value, t) => (value * up(t)) / base);
        const overlap = schedules.warmup(decay, { warmupSteps: W, startFactor: start, position: 'overlap' });
        expectClose(overlap, chained, base);
        const factor = schedules.linear({ lr: 1, startFactor: start, totalIters: W });
        expectClose(schedules.product([factor, decay]), chained, base);
      }),
    );
  });
});
