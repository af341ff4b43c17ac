import { describe, expect, test } from 'vitest';
import { ReferenceOptimizer, novograd, sgd } from '../../src/index.js';
import type { GradientOptions } from '../../src/index.js';

/** A weight that moves by minus its gradient, as the rule sees it. */
function make(options: GradientOptions) {
  const data = new Float64Array([0]);
  return {
    data,
    optimizer: new ReferenceOptimizer({ rule: sgd({ lr: 1 }), params: [{ data }], ...options }),
  };
}

describe('what the reference does to gradients before the rule sees them', () => {
  test('gradScale multiplies them, and the loss scale is divided out', () => {
    const { data, optimizer } = make({ gradScale: 0.5, lossScale: 4 });
    optimizer.step([[8]]);
    expect(data[0]).toBe(-1);
    expect(optimizer.stats().gradNorm).toBe(1);
  });

  test('the clip factor is max / (norm + 1e-6), and never above 1', () => {
    const { data, optimizer } = make({ maxGradNorm: 5e-7 });
    optimizer.step([[1e-6]]);
    expect(data[0]).toBeCloseTo(-0.25e-6, 20);
    expect(optimizer.stats().clipFactor).toBeCloseTo(0.25, 14);
    optimizer.step([[1e-7]]);
    expect(optimizer.stats().clipFactor).toBe(0.5e-6 / 1.1e-6);
    optimizer.step([[0]]);
    expect(optimizer.stats().clipFactor).toBe(0.5);
    const wide = make({ maxGradNorm: 3 });
    wide.optimizer.step([[2]]);
    expect([wide.data[0], wide.optimizer.stats().clipFactor]).toEqual([-2, 1]);
  });

  test('each gradient is clipped by its own norm, as Keras documents its clipnorm', () => {
    // g · clipnorm / max(‖g‖₂, clipnorm), in float64.
    const clipByNorm = (values: readonly number[], clipnorm: number) => {
      const norm = Math.hypot(...values);
      return values.map((g) => (g * clipnorm) / Math.max(norm, clipnorm));
    };
    const gradients = [[3, 4], [0.3, -0.4, 0], [0], [1e-200, 1e-200], [3e19, 4e19], [0.6, 0.8]];
    for (const [options, scale] of [
      [{}, 1],
      [{ gradScale: 0.5, lossScale: 4 }, 1 / 8],
    ] as const) {
      const params = gradients.map(({ length }) => ({ data: new Float64Array(length) }));
      const rule = sgd({ lr: 1 });
      const optimizer = new ReferenceOptimizer({ rule, params, maxGradNormPerTensor: 1, ...options });
      optimizer.step(gradients);
      params.forEach(({ data }, k) => {
        const want = clipByNorm(
          gradients[k]!.map((g) => g * scale),
          1,
        );
        data.forEach((w, i) =>
          expect(Math.abs(w + want[i]!)).toBeLessThanOrEqual(4e-16 * Math.abs(want[i]!)),
        );
      });
    }
    const { data, optimizer } = make({ maxGradNormPerTensor: 2, maxGradValue: 0.5 });
    optimizer.step([[8]]);
    // The norm first, and then elements; the norm that is told is that before.
    expect(data[0]).toBe(-0.5);
    expect(optimizer.stats()).toMatchObject({ gradNorm: 8, clipFactor: 1 });
  });

  test('of a masked tensor the rows that count are clipped by their norm', () => {
    const data = new Float64Array(6);
    const params = [{ data, rowLength: 2, rowMask: [1, 0, 3] }];
    const optimizer = new ReferenceOptimizer({ rule: sgd({ lr: 1 }), params, maxGradNormPerTensor: 1 });
    optimizer.step([[3, 0, 100, 100, 0, 4]]);
    [-0.6, 0, 0, 0, 0, -0.8].forEach((w, i) => expect(data[i]).toBeCloseTo(w, 14));
  });

  test('so many steps in a row are skipped, and no more', () => {
    const { data, optimizer } = make({ skipNonFinite: true, maxConsecutiveSkips: 2 });
    const skipped = [NaN, NaN, 1, NaN, Infinity, NaN].map((gradient) => {
      optimizer.step([[gradient]]);
      return optimizer.stats().skipped;
    });
    expect(skipped).toEqual([1, 2, 2, 3, 4, 4]);
    expect(optimizer.stats().step).toBe(2);
    expect(data[0]).toBeNaN();
  });

  test('a dynamic loss scale grows after so many finite steps, and backs off at each other one', () => {
    const lossScale = { init: 8, growthFactor: 4, backoffFactor: 0.25, growthInterval: 3 };
    const { data, optimizer } = make({ lossScale });
    const scales = [8, 8, 8, NaN, 8, Infinity, 2, 2, 2, 8].map((gradient) => {
      optimizer.step([[gradient]]);
      return optimizer.stats().lossScale;
    });
    // As torch.amp.GradScaler, which counts anew after a step that was skipped.
    expect(scales).toEqual([8, 8, 32, 8, 8, 2, 2, 2, 8, 8]);
    expect(data[0]).toBe(-8);
  });

  test('a dynamic loss scale backs off to 2⁻²⁴; one below that stays', () => {
    const after = (init: number) => {
      const { optimizer } = make({ lossScale: { init, backoffFactor: 0.25 } });
      optimizer.step([[NaN]]);
      return optimizer.stats().lossScale;
    };
    expect([2 ** -20, 2 ** -23, 2 ** -30].map(after)).toEqual([2 ** -22, 2 ** -24, 2 ** -30]);
  });

  test('elements are clamped after the norm, from below and above', () => {
    const { data, optimizer } = make({ maxGradNorm: 8, minGradValue: -2, maxGradValue: 3 });
    for (const gradient of [4, -4, 1]) optimizer.step([[gradient]]);
    expect(data[0]).toBe(-3 + 2 - 1);
    optimizer.step([[-Infinity]]);
    // ∞ · 8/∞ is NaN, which no bound catches.
    expect(data[0]).toBeNaN();
  });
});

test('state of a whole tensor is one number', () => {
  const params = [{ name: 'w', data: new Float64Array(5) }];
  const optimizer = new ReferenceOptimizer({ rule: novograd({ amsgrad: true }), params });
  optimizer.step([[3, 0, 4, 0, 0]]);
  expect([...optimizer.readState('w', 'exp_avg_sq')]).toEqual([25]);
  expect([...optimizer.readState('w', 'max_exp_avg_sq')]).toEqual([25]);
});
