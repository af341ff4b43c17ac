/** Options of gradients: which numbers a kernel holds, and what is refused. */
import { describe, expect, test } from 'vitest';
import { checkGradScale, resolveGradientOptions } from '../../src/engine/input/options/gradient-options.js';
import { resolveKernelOptions } from '../../src/engine/input/options/kernel-options.js';
import { errorOf } from '../support/error-of.js';

describe('gradient options are float32 on the GPU', () => {
  test.for<[string, object]>([
    ['maxGradNorm is 1e-46', { maxGradNorm: 1e-46 }],
    ['maxGradNorm is 1e+39', { maxGradNorm: 1e39 }],
    ['maxGradValue is 1e-40', { maxGradValue: 1e-40 }],
    ['maxGradValue is -1; give a number > 0', { maxGradValue: -1 }],
    ['maxGradValue is NaN', { minGradValue: -1, maxGradValue: NaN }],
    ['maxGradValue is -Infinity', { minGradValue: -1, maxGradValue: -Infinity }],
    ['minGradValue is "1"', { minGradValue: '1' }],
    ['minGradValue is null', { minGradValue: null }],
    ['minGradValue is NaN; give a number that float32 can hold, or -Infinity', { minGradValue: NaN }],
    ['minGradValue is Infinity', { minGradValue: Infinity }],
    ['minGradValue is 1e-40', { minGradValue: 1e-40 }],
    ['minGradValue is 2 and maxGradValue 1', { minGradValue: 2, maxGradValue: 1 }],
    ['minGradValue is 1 and maxGradValue 1', { minGradValue: 1, maxGradValue: 1 }],
    ['minGradValue is 1 and maxGradValue 1.00000001', { minGradValue: 1, maxGradValue: 1.00000001 }],
    ['gradScale is 1e-46', { gradScale: 1e-46 }],
    ['gradScale is 1e+39', { gradScale: 1e39 }],
    ['lossScale is 1e+39', { lossScale: 1e39 }],
    ['lossScale is Infinity', { lossScale: Infinity }],
    ['init is 1e-46', { lossScale: { init: 1e-46 } }],
    ['growthFactor is 1.00000001', { lossScale: { growthFactor: 1.00000001 } }],
    ['growthFactor is 1e+39', { lossScale: { growthFactor: 1e39 } }],
    ['backoffFactor is 1e-46', { lossScale: { backoffFactor: 1e-46 } }],
    ['backoffFactor is 0.99999999', { lossScale: { backoffFactor: 0.99999999 } }],
    ['growthInterval is 4294967296', { lossScale: { growthInterval: 2 ** 32 } }],
    ['growthInterval is 1.5', { lossScale: { growthInterval: 1.5 } }],
    ['maxConsecutiveSkips is 4294967296', { maxConsecutiveSkips: 2 ** 32 }],
    ['gradScale is 1e-30 and lossScale 1e+30', { gradScale: 1e-30, lossScale: 1e30 }],
    ['gradScale is 1e+30 and lossScale 1e-30', { gradScale: 1e30, lossScale: { init: 1e-30 } }],
  ])('%s', async ([message, options]) => {
    const error = await errorOf(() => resolveGradientOptions(options));
    expect([error.code, error.message]).toEqual(['invalid-option', expect.stringContaining(message)]);
  });

  test('what they hold is taken', () => {
    const options = {
      maxGradNorm: 3e38,
      maxGradValue: Infinity,
      gradScale: 2 ** -126,
      maxConsecutiveSkips: Infinity,
    };
    expect(resolveGradientOptions(options)).toMatchObject(options);
    expect(resolveGradientOptions({ maxGradValue: 2 })).toMatchObject({ minGradValue: -2, maxGradValue: 2 });
    expect(resolveGradientOptions({ minGradValue: 0 })).toMatchObject({
      minGradValue: 0,
      maxGradValue: Infinity,
    });
    const negative = { minGradValue: -3, maxGradValue: -1 };
    expect(resolveGradientOptions(negative)).toMatchObject(negative);
    const oneSided = { minGradValue: -Infinity, maxGradValue: 0 };
    expect(resolveGradientOptions(oneSided)).toMatchObject(oneSided);
    expect(resolveGradientOptions({}).minGradValue).toBe(-Infinity);
    expect(resolveGradientOptions({ lossScale: 'dynamic' }).dynamic).toEqual({
      init: 65_536,
      growthFactor: 2,
      backoffFactor: 0.5,
      growthInterval: 2000,
    });
    expect(resolveKernelOptions(undefined)).toEqual({});
  });

  test('a gradScale that is set, together with the loss scale', async () => {
    expect(checkGradScale(1e-30, 1)).toBe(1e-30);
    expect((await errorOf(() => checkGradScale(1e-30, 1e30))).message).toContain('nearer to each other');
    expect((await errorOf(() => checkGradScale(1e39))).message).toContain('gradScale is 1e+39');
  });
});
