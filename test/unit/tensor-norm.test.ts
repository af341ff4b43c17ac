import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { planDispatches } from '../../src/engine/plan/plan.js';
import { planMeasure } from '../../src/engine/plan/measure.js';
import { LANES_PER_PARTIAL } from '../../src/kernel/measure-shape.js';
import { float32 } from '../../src/reference/arithmetic.js';
import { errorBound } from '../../src/reference/error-bound.js';
import { float64Norm } from '../../src/reference/tensor-norm.js';

describe('the norm', () => {
  const values = fc.array(
    fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.integer({ min: -90, max: 90 })),
    { minLength: 1, maxLength: 3000 },
  );

  test('in float32 is within the bound, whatever the magnitudes', () => {
    const check = fc.property(values, (pairs) => {
      const floats = Float32Array.from(pairs, ([mantissa, exponent]) => mantissa * 2 ** exponent);
      const got = float32.norm(floats.length, (i) => float32.load(floats[i]!));
      const { value, error } = errorBound.norm(floats.length, (i) => errorBound.load(floats[i]!));
      expect(Math.abs(got - value)).toBeLessThanOrEqual(error);
    });
    fc.assert(check, { seed: inject('seed'), numRuns: 200 });
  });

  test('is exact where the sum is, in every bin', () => {
    for (const scale of [1, 2 ** 100, 2 ** -100]) {
      expect(float32.norm(2, (i) => [3 * scale, 4 * scale][i]!)).toBe(5 * scale);
    }
  });

  test.for([
    [[1, NaN, Infinity], NaN],
    [[1, -Infinity], Infinity],
    [[0, -0], 0],
  ] as const)('of %o is %d', ([elements, want]) => {
    expect(float32.norm(elements.length, (i) => elements[i]!)).toBe(want);
    expect(float64Norm(elements.length, (i) => elements[i]!)).toBe(want);
  });
});

describe('the measuring plan', () => {
  const limits = {
    maxStorageBufferBindingSize: 2 ** 20,
    minStorageBufferOffsetAlignment: 256,
    maxBufferSize: 2 ** 28,
  };
  const piece = (buffer: string, byteOffset: number, elements: number) => ({
    buffer,
    byteOffset,
    byteLength: 4 * elements,
  });

  test('gives every element of every tensor to one lane, and every partial to one tensor', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 400_000 }), { minLength: 1, maxLength: 4 });
    const offsets = fc.tuple(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 0, max: 70 }));
    const check = fc.property(lengths, offsets, (counts, [dataOffset, gradOffset]) => {
      const tensors = counts.map((count, k) => ({
        data: [piece(`d${k}`, 4 * dataOffset, count)],
        grad: [piece(`g${k}`, 4 * gradOffset, count)],
      }));
      const { chunks } = planDispatches(tensors, limits, true, () => 0, false);
      const plan = planMeasure(chunks, counts.length, limits, 65_535);
      const covered = counts.map(() => 0);
      let partial = 0;
      plan.dispatches.forEach(({ access, portion, data, grad, state }, k) => {
        const { parameterIndex } = chunks[k]!;
        const bytesOf = (base: number, mode: string) => base * (mode === 'vector' ? 16 : 4);
        expect(data.offset + bytesOf(portion.dataBase, access.data)).toBe(
          4 * (dataOffset + covered[parameterIndex]!),
        );
        expect(grad.offset + bytesOf(portion.gradBase, access.grad)).toBe(
          4 * (gradOffset + covered[parameterIndex]!),
        );
        for (const binding of [data, grad, state]) {
          expect(binding.offset % limits.minStorageBufferOffsetAlignment).toBe(0);
          expect(binding.size).toBeLessThanOrEqual(limits.maxStorageBufferBindingSize);
        }
        covered[parameterIndex]! += portion.elementCount;
        expect(portion.partialBase).toBe(partial);
        expect(portion.workgroupCount * LANES_PER_PARTIAL).toBeGreaterThanOrEqual(portion.laneCount);
        expect(portion.laneCount).toBe(Math.ceil(portion.elementCount / 4));
        partial += portion.workgroupCount;
      });
      expect(covered).toEqual(counts);
      expect(plan.partialCount).toBe(partial);
      let first = 0;
      for (const [start, count] of plan.spans) {
        expect(start).toBe(first);
        first += count;
      }
      expect(first).toBe(partial);
    });
    fc.assert(check, { seed: inject('seed'), numRuns: 100 });
  });
});
