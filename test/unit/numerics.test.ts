import { expect, test } from 'vitest';
import { judge } from '../../proof/numerics.js';

test('arithmetic is judged by all inputs, and the sign of a zero says nothing', () => {
  const probe = {
    inputs: [
      [1, 3, 0],
      [2, 4, 0],
    ] as const,
    answers: { divided: (a: number, b: number) => a / b, zero: () => 0 },
  };
  expect(judge(new Float32Array([1 / 3, 0.5]), probe)).toBe('divided');
  expect(judge(new Float32Array([-0, 0]), probe)).toBe('zero');
  const nextAfterThird = new Float32Array(new Uint32Array([0x3eaaaaac, 0x3f000000]).buffer);
  expect(judge(nextAfterThird, probe)).toMatch(
    /^not "divided" in 1 of 2, by up to 1 ULP; not "zero" in 2 of 2/,
  );
});
