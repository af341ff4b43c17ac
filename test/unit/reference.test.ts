import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { OptimizerError, ReferenceOptimizer, adam, ftrl, momentum, rmsprop, sgd } from '../../src/index.js';
import { float32 } from '../../src/reference/arithmetic/arithmetic.js';
import { errorBound } from '../../src/reference/arithmetic/error-bound.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { BoundedRun } from '../../proof/bounded-run.js';
import { checkWithinBound } from '../../proof/compare.js';
import { combinedOptionCases } from '../../proof/option-cases.js';
import { Random } from '../../proof/random.js';

const { add, sub, mul, div, sqrt, neg, load, store, larger } = float32;

describe('float32 arithmetic', () => {
  const MIN_NORMAL = 2 ** -126;

  test('rounds once, to nearest even', () => {
    expect(add(1, 2 ** -24)).toBe(1);
    expect(add(1, 3 * 2 ** -24)).toBe(1 + 2 ** -22);
    expect(mul(1 + 2 ** -23, 1 + 2 ** -23)).toBe(1 + 2 ** -22);
    expect(div(1, 3)).toBe(Math.fround(1 / 3));
    expect(sqrt(2)).toBe(Math.fround(Math.SQRT2));
    expect(mul(1e30, 1e30)).toBe(Infinity);
  });

  test('computes without subnormals: they are zeros of their sign before and after, judged after rounding', () => {
    const tiny = 2 ** -127;
    expect(add(tiny, tiny)).toBe(0);
    expect(div(tiny, tiny)).toBeNaN();
    expect(div(1, -tiny)).toBe(-Infinity);
    expect(sqrt(tiny)).toBe(0);
    expect(neg(tiny)).toBe(-0);
    expect(mul(MIN_NORMAL, 0.5)).toBe(0);
    expect(mul(-MIN_NORMAL, 0.5)).toBe(-0);
    expect(sub(MIN_NORMAL * 1.5, MIN_NORMAL)).toBe(0);
    // (2⁻¹²⁶ + 2⁻¹⁴⁹)(1 − 2⁻²³) lies a quarter of a subnormal unit below 2⁻¹²⁶ and rounds up to it.
    expect(mul(MIN_NORMAL + 2 ** -149, 1 - 2 ** -24)).toBe(MIN_NORMAL);
    expect(mul(MIN_NORMAL, 1 - 2 ** -24)).toBe(0);
    expect(mul(MIN_NORMAL, -1)).toBe(-MIN_NORMAL);
  });

  test('moves subnormals as they are: loads, stores and what a comparison chooses, which sees zeros', () => {
    const tiny = 2 ** -127;
    expect([load(tiny), store(tiny), load(-0)]).toEqual([tiny, tiny, -0]);
    expect(larger(tiny, 0)).toBe(tiny);
    expect(larger(0, tiny)).toBe(0);
    expect(float32.where(tiny, 7, 9)).toBe(9);
    expect(float32.where(1, tiny, 9)).toBe(tiny);
    expect(float32.ifPositive(tiny, 7, 9)).toBe(9);
    expect([float32.sign(tiny), float32.sign(-tiny), float32.sign(-1)]).toEqual([tiny, -tiny, -1]);
    expect([float32.clamp(1, tiny), float32.clamp(-1, tiny)]).toEqual([tiny, -tiny]);
    expect(float32.clamp(2 * tiny - 2 ** -149, tiny)).toBe(2 * tiny - 2 ** -149);
    expect([float32.between(-1, -tiny, 1), float32.between(1, -1, tiny)]).toEqual([-tiny, tiny]);
    expect([float32.between(-tiny, 0, 1), float32.between(tiny, -1, 0)]).toEqual([-tiny, tiny]);
    expect(float32.norm(2, () => tiny)).toBe(0);
  });

  test('passes NaN and infinities on', () => {
    expect(add(Infinity, -Infinity)).toBeNaN();
    expect(div(1, 0)).toBe(Infinity);
    expect(sqrt(-1)).toBeNaN();
    expect(larger(1, NaN)).toBeNaN();
  });

  test('agrees with Math.fround on whatever is normal', () => {
    const normal = fc.float({ noNaN: true }).filter((a) => Math.abs(a) >= MIN_NORMAL);
    const check = fc.property(normal, normal, (a, b) => {
      const product = Math.fround(a * b);
      if (Math.abs(product) > MIN_NORMAL) expect(mul(a, b)).toBe(product);
      expect(add(a, a)).toBe(Math.fround(2 * a));
    });
    fc.assert(check, { seed: inject('seed') });
  });
});

describe('a choice by sign', () => {
  test('takes what stands for positive numbers, and keeps a NaN', () => {
    const chosen = [2, 0, -0, -2, NaN].map((a) => float32.where(a, 7, 9));
    expect(chosen).toEqual([7, 9, 9, 9, NaN]);
  });

  test('is bounded by both results where rounding can change the sign, by one where it cannot', () => {
    const [seven, nine] = [
      { value: 7, error: 0.5 },
      { value: 9, error: 0.25 },
    ];
    const choose = (value: number, error: number) => errorBound.where({ value, error }, seven, nine);
    expect(choose(2, 1)).toEqual(seven);
    expect(choose(-2, 1)).toEqual(nine);
    expect(choose(0, 0)).toEqual(nine);
    expect(choose(2, 2)).toEqual({ value: 7, error: 2.25 });
    expect(choose(0, 1)).toEqual({ value: 9, error: 2.5 });
    expect(choose(NaN, 0).value).toBeNaN();
  });
});

describe('a value within limits', () => {
  test('is as uncertain as the limit, or as it was itself', () => {
    const clamp = (error: number, limitError: number) =>
      errorBound.clamp({ value: 2, error }, { value: 1, error: limitError });
    expect(clamp(0.5, 0.25)).toEqual({ value: 1, error: 0.5 });
    expect(clamp(0.25, 0.5)).toEqual({ value: 1, error: 0.5 });
  });
});

describe('the bound of one operation', () => {
  test('is what WGSL allows', () => {
    const [two, four] = [errorBound.load(2), errorBound.load(4)];
    const all = [
      errorBound.scalar(2),
      errorBound.add(two, four),
      errorBound.sub(four, two),
      errorBound.mul(two, four),
      errorBound.div(four, two),
      errorBound.sqrt(four),
    ];
    expect(all.map(({ value, error }) => error / value / 2 ** -23)).toEqual([0.5, 1, 1, 1, 2.5, 5]);
  });

  test('has room for a flush where the result may be subnormal', () => {
    const tiny = errorBound.load(2 ** -70);
    expect(errorBound.mul(tiny, tiny).error).toBeGreaterThanOrEqual(2 ** -126);
    expect(errorBound.mul(tiny, errorBound.load(1)).error).toBe(2 ** -93);
  });
});

describe('the sign', () => {
  test('keeps a NaN and the sign of a zero', () => {
    expect([2, -2, 0, -0, NaN].map(float32.sign)).toEqual([1, -1, 0, -0, NaN]);
  });

  test('is certain where rounding cannot move its argument past zero, and open where it can', () => {
    expect(errorBound.sign({ value: -2, error: 1 })).toEqual({ value: -1, error: 0 });
    expect(errorBound.sign({ value: 0, error: 0 })).toEqual({ value: 0, error: 0 });
    expect(errorBound.sign({ value: -2, error: 2 })).toEqual({ value: -1, error: 2 });
    expect(errorBound.sign({ value: 0, error: 1 })).toEqual({ value: 0, error: 1 });
  });
});

describe('the reference optimizer', () => {
  test('updates in place, and reads its own precision', () => {
    const data = new Float32Array([1]);
    const reference = new ReferenceOptimizer({ rule: sgd({ lr: 0.1 }), params: [{ name: 'w', data }] });
    reference.step([[1]]);
    expect(reference.readParam('w')[0]).toBe(0.9);
    expect(data[0]).toBe(Math.fround(0.9));
    reference.lr = 0.2;
    reference.step({ w: [1] });
    expect(reference.readParam('w')[0]).toBeCloseTo(0.7, 15);
  });

  test('takes the gradients that its parameters hold, if it is given none', () => {
    const [data, grad] = [new Float64Array([1, 2]), new Float64Array([1, 1])];
    const reference = new ReferenceOptimizer({ rule: sgd({ lr: 0.5 }), params: [{ data, grad }] });
    reference.step();
    grad[0] = 2;
    reference.step();
    expect([...data]).toEqual([-0.5, 1]);
  });

  test('Adam corrects the bias with the power of the step', () => {
    // With a constant gradient m̂ = g and v̂ = g² at every step, so each step is η·g/(|g|+ε).
    const reference = new ReferenceOptimizer({
      rule: adam({ eps: 0 }),
      params: [{ data: new Float64Array([0]) }],
    });
    for (let t = 1; t <= 100; t++) {
      reference.step([[3]]);
      expect(reference.readParam('param0')[0]).toBeCloseTo(-0.001 * t, 12);
    }
  });

  test('the first step of momentum is not dampened', () => {
    const rule = momentum({ lr: 1, momentum: 0.5, dampening: 0.25, lrInVelocity: false });
    const reference = new ReferenceOptimizer({ rule, params: [{ data: new Float64Array([0]) }] });
    reference.step([[1]]);
    expect(reference.readState('param0', 'momentum_buffer')[0]).toBe(1);
    reference.step([[1]]);
    expect(reference.readState('param0', 'momentum_buffer')[0]).toBe(1.25);
  });

  test('lr inside or outside the velocity differ as soon as lr changes', () => {
    const run = (lrInVelocity: boolean) => {
      const rule = momentum({ lr: 1, momentum: 0.5, lrInVelocity });
      const reference = new ReferenceOptimizer({ rule, params: [{ data: new Float64Array([0]) }] });
      reference.step([[1]]);
      reference.lr = 0.5;
      reference.step([[1]]);
      return reference.readParam('param0')[0];
    };
    expect(run(true)).toBe(-1 - (0.5 + 0.5));
    expect(run(false)).toBe(-1 - 0.5 * 1.5);
  });

  test('centered RMSprop survives a variance that rounds below zero', () => {
    const rule = rmsprop({ centered: true, alpha: 0.5, eps: 0 });
    const reference = new ReferenceOptimizer({
      rule,
      params: [{ data: new Float32Array([0]) }],
      precision: 'f32',
    });
    for (let t = 0; t < 60; t++) reference.step([[0.1]]);
    expect(reference.readParam('param0')[0]).not.toBeNaN();
  });

  test('refuses gradients that do not fit, changing nothing', () => {
    const reference = new ReferenceOptimizer({
      rule: sgd(),
      params: [{ name: 'w', data: new Float64Array([1, 2]) }],
    });
    for (const grads of [[], [[1]], { v: [1, 2] }, [[1, 2, 3]]]) {
      expect(() => reference.step(grads as never)).toThrow(OptimizerError);
    }
    expect([...reference.readParam('w')]).toEqual([1, 2]);
    expect(() => reference.readParam('v')).toThrow('"v"');
    expect(() => reference.readState('w', 'sum' as never)).toThrow('"sum"');
    const two = { name: 'w', data: new Float32Array(1) };
    expect(() => new ReferenceOptimizer({ rule: sgd(), params: [two, two] })).toThrow('"w"');
    expect(() => new ReferenceOptimizer({ rule: sgd(), params: [two], precision: 'f16' as never })).toThrow(
      '"f16"',
    );
    expect(() => new ReferenceOptimizer({ rule: sgd(), params: [{ data: [1] as never }] })).toThrow(
      'Float32Array',
    );
  });
});

describe('ftrl', () => {
  test('raises to any power from 0 to 1 as closely as the roots it is made of', () => {
    // With g = 1 from n = x − 1, z = 0 and w = 0 the new weight is −η/xᵖ.
    for (const exponent of [0, 0.1, 0.2, 1 / 3, 0.5, 0.75, 0.9, 1]) {
      for (const x of [1, 1.5, 7, 1000, 1e6, 2 ** 24]) {
        const weigh = (precision: 'f32' | 'f64') => {
          const rule = ftrl({ lr: 1, lrPower: -exponent, initialAccumulator: x - 1 });
          const reference = new ReferenceOptimizer({
            rule,
            precision,
            params: [{ data: new Float64Array([0]) }],
          });
          reference.step([[1]]);
          return -reference.readParam('param0')[0]!;
        };
        const want = x ** -Math.fround(exponent);
        expect(Math.abs(weigh('f64') / want - 1)).toBeLessThan(7 * 2 ** -53);
        // In units u of half an ULP: √y, √x and their product err by u each, and what y brought is halved by its root,
        // so e = e/2 + 3u stays below 6u; the division adds one.
        expect(Math.abs(weigh('f32') / want - 1)).toBeLessThan(7 * 2 ** -24);
      }
    }
  });

  test('takes what it can compute, and says so', () => {
    expect(() => ftrl({ lrPower: -1.5 })).toThrow('lrPower is -1.5; give a number in [-1, 0]');
    expect(() => ftrl({ lrPower: 0.1 })).toThrow('lrPower is 0.1; give a number in [-1, 0]');
    expect(() => ftrl({ lr: 0 })).toThrow('lr is 0; give a finite number > 0');
  });

  test('keeps weights at 0 that never saw a gradient', () => {
    const rule = ftrl({ initialAccumulator: 0 });
    const reference = new ReferenceOptimizer({ rule, params: [{ data: new Float64Array([0, 0]) }] });
    reference.step([[0, 1]]);
    expect(reference.readParam('param0')[0]).toBe(0);
  });
});

describe('the error bound', () => {
  // The float32 twin is one conforming implementation: if it broke the bound, the bound would be wrong.
  test.for(combinedOptionCases(new Random(inject('seed'))))(
    'holds for the float32 twin: $title',
    ({ rule }) => {
      const random = new Random(inject('seed'));
      const weights = random.weights(40);
      const bounded = new BoundedRun(rule, weights);
      const twin = new ReferenceOptimizer({ rule, precision: 'f32', params: [{ name: 'w', data: weights }] });
      for (let step = 0; step < 50; step++) {
        const gradients = random.gradients(40);
        bounded.step(gradients);
        twin.step([gradients]);
      }
      checkWithinBound(twin.readParam('w'), bounded.weights, 'w');
    },
  );

  test('is tight enough to tell wrong equations: a relative slip of 1e-5 in lr breaks it', () => {
    for (const [name, factory] of ruleFactories) {
      const random = new Random(inject('seed'));
      const weights = new Float32Array(200);
      const rule = factory({ lr: 0.01 });
      const bounded = new BoundedRun(rule, weights);
      const wrong = new ReferenceOptimizer({
        rule: factory({ lr: 0.01 * (1 + 1e-5) }),
        precision: 'f32',
        params: [{ name: 'w', data: weights }],
      });
      for (let step = 0; step < 3; step++) {
        const gradients = random.weights(200);
        bounded.step(gradients);
        wrong.step([gradients]);
      }
      expect(() => checkWithinBound(wrong.readParam('w'), bounded.weights, 'w'), name).toThrow('±');
    }
  });
});
