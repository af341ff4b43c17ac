/** Gradients in fixed point, on the CPU and as they are put into shaders. */
import { expect, inject, test } from 'vitest';
import sumRowsWgsl from '../../shaders/stages/sparse/sum-rows.wgsl?raw';
import { fixedPoint } from '../../src/codecs/i32.js';
import { ReferenceOptimizer, sgd } from '../../src/index.js';
import { convertValues } from '../../src/stages/sparse/compose-row-sums.js';
import { shortenWgsl } from '../../scripts/shorten-wgsl.js';
import { stripWgsl } from '../../scripts/wgsl-plugin.js';
import { Random } from '../../proof/random.js';

const encoded = (scale: number, ...values: number[]): number[] => [
  ...new Int32Array(fixedPoint(scale).encode(Float32Array.from(values)).buffer),
];
const decoded = (scale: number, ...integers: number[]): number[] => [
  ...fixedPoint(scale).decode(Int32Array.from(integers).buffer, integers.length),
];

test('numbers become the nearest integers, and come back', () => {
  expect(encoded(1, 0, -0, 1.5, 2.5, -1.5, -2.5, 0.49, -0.51)).toEqual([0, 0, 2, 2, -2, -2, 0, -1]);
  expect(encoded(1, 3e9, -3e9, Infinity, -Infinity)).toEqual([
    2_147_483_520,
    -(2 ** 31),
    2_147_483_520,
    -(2 ** 31),
  ]);
  expect(encoded(256, 1, -0.001953125, 0.005859375)).toEqual([256, 0, 2]);
  expect(decoded(256, 256, -1, 2 ** 24 + 1, 2 ** 24 + 3)).toEqual([1, -1 / 256, 2 ** 16, 2 ** 16 + 2 ** -6]);
  const random = new Random(inject('seed'));
  for (const scale of [65_536, 1000, 0.3]) {
    const integers = Array.from({ length: 1000 }, () => random.integer(2 ** 22) - 2 ** 21);
    expect(encoded(scale, ...decoded(scale, ...integers))).toEqual(integers);
  }
  expect(fixedPoint(7)).toBe(fixedPoint(7));
});

test('sums of sparse ones convert each value once, in a shader as it is and as it is shipped', () => {
  for (const wgsl of [sumRowsWgsl, shortenWgsl(stripWgsl(sumRowsWgsl))]) {
    for (const width of [1, 4] as const) {
      const converted = convertValues(wgsl, fixedPoint(8), width);
      expect(converted.match(/converted\(values\[\w+\]\);/g)).toHaveLength(1);
      expect(converted.match(/\bvalues\b/g)).toHaveLength(2);
      expect(converted).toMatch(/values: ?array<stored>/);
    }
  }
});

test('the reference divides integers, and rounds what is of 2 bytes', () => {
  const step = (parameter: object, gradients: number[], precision: 'f32' | 'f64' = 'f64') => {
    const data = new Float64Array(gradients.length);
    const reference = new ReferenceOptimizer({
      rule: sgd({ lr: 1 }),
      precision,
      params: [{ name: 'w', data, ...parameter }],
    });
    reference.step([gradients]);
    return [...reference.readParam('w')].map((w) => 0 - w);
  };
  expect(step({ gradDtype: 'i32', gradScale: 1000 }, [1, -2, 3])).toEqual([0.001, -0.002, 0.003]);
  const { fround } = Math;
  expect(step({ gradDtype: 'i32', gradScale: 1000 }, [7], 'f32')).toEqual([fround(7 * fround(0.001))]);
  expect(step({ gradDtype: 'i32' }, [2 ** 31 - 1])).toEqual([2 ** 31 - 1]);
  expect(step({ gradDtype: 'bf16' }, [1.001])).toEqual([1]);
  expect(step({ gradDtype: 'f16' }, [1.0004])).toEqual([1]);
});
