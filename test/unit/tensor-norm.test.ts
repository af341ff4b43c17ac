import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { LANES_PER_PARTIAL } from '../../src/kernel/measure-shape.js';
import { measuresAlike, planMeasure } from '../../src/plan/measure.js';
import { placeState } from '../../src/plan/plan.js';
import { float32 } from '../../src/reference/arithmetic/arithmetic.js';
import { errorBound } from '../../src/reference/arithmetic/error-bound.js';
import { float64Norm } from '../../src/reference/tensor/tensor-norm.js';

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

  test('adds medium numbers to large ones, and is 0 where it is less than normal numbers', () => {
    // One lane whose square is too much for a sum, and many whose are not: invocations of their own.
    const elements = Array.from({ length: 256 }, (_, i) => (i === 0 ? 1.25 : 0.75) * 2 ** 44);
    const got = float32.norm(elements.length, (i) => elements[i]!);
    const want = 2 ** 44 * Math.sqrt(1.25 ** 2 + 255 * 0.75 ** 2);
    expect(Math.abs(got / want - 1)).toBeLessThan(2 ** -20);
    expect(float32.norm(1, () => 2 ** -126, 0.5)).toBe(0);
  });

  test('rounds each sum of two, as the kernel does', () => {
    // Squares 2¼, and three times a quarter of its last place: the first is lost, and of the pair half a place, to the even side.
    const elements = [1.5, 2 ** -12, 2 ** -12, 2 ** -12];
    expect(float32.norm(4, (i) => elements[i]!)).toBe(1.5);
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
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupsPerDimension: 65_535,
  };
  const facts = { limits, paddingOf: () => 0 };
  /** Tensors in buffers of their own, at offsets in words, with a place for their state. */
  const makeTensors = (counts: readonly number[], dataOffset: number, gradOffset: number) => {
    const tensors = counts.map((elementCount, index) => ({
      index,
      row: index % 2,
      data: [{ buffer: `d${index}`, byteOffset: 4 * dataOffset, elementCount }],
      grad: [{ buffer: `g${index}`, byteOffset: 4 * gradOffset, elementCount }],
    }));
    const { stateOfTensor } = placeState(tensors, facts, false);
    return tensors.map((tensor) => ({ ...tensor, state: stateOfTensor.get(tensor.index)! }));
  };

  test('gives every element of every tensor to one lane', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 400_000 }), { minLength: 1, maxLength: 4 });
    const offsets = fc.tuple(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 0, max: 70 }));
    const check = fc.property(lengths, offsets, (counts, [dataOffset, gradOffset]) => {
      const tensors = makeTensors(counts, dataOffset, gradOffset);
      const plan = planMeasure(tensors, facts);
      expect(plan.map(({ index, row }) => [index, row])).toEqual(
        tensors.map(({ index, row }) => [index, row]),
      );
      plan.forEach(({ chunks, row }, k) => {
        let covered = 0;
        for (const chunk of chunks) {
          const { access, data, grad, state, elementCount, laneCount, workgroupCount, grid } = chunk;
          const bytesOf = (base: number, mode: string) => base * (mode === 'vector' ? 16 : 4);
          expect(data.offset + bytesOf(chunk.dataBase, access.data)).toBe(4 * (dataOffset + covered));
          expect(grad.offset + bytesOf(chunk.gradBase, access.grad)).toBe(4 * (gradOffset + covered));
          // State begins at a lane, wherever weights and gradients do.
          expect(access.state).toBe('vector');
          expect(bytesOf(chunk.stateBase, access.state) + 4 * elementCount).toBeLessThanOrEqual(
            4 * state!.elementCount,
          );
          for (const { offset, size } of [data, grad]) {
            expect(offset % limits.minStorageBufferOffsetAlignment).toBe(0);
            expect(size).toBeLessThanOrEqual(limits.maxStorageBufferBindingSize);
          }
          expect(chunk.row).toBe(row);
          expect(workgroupCount * LANES_PER_PARTIAL).toBeGreaterThanOrEqual(laneCount);
          expect((workgroupCount - 1) * LANES_PER_PARTIAL).toBeLessThan(laneCount);
          expect(grid[0] * grid[1]).toBeGreaterThanOrEqual(workgroupCount);
          expect(laneCount).toBe(Math.ceil(elementCount / 4));
          covered += elementCount;
        }
        expect(covered).toBe(counts[k]);
      });
    });
    fc.assert(check, { seed: inject('seed'), numRuns: 100 });
  });

  test('tells a chunk that only lies elsewhere from one that needs another kernel', () => {
    const [chunk] = planMeasure(makeTensors([1000], 0, 64), facts)[0]!.chunks;
    const alike = (counts: number[], dataOffset: number, gradOffset: number) =>
      measuresAlike(planMeasure(makeTensors(counts, dataOffset, gradOffset), facts)[0]!.chunks[0]!, chunk);
    expect(alike([1000], 128, 0)).toBe(true);
    expect(alike([1000], 1, 0)).toBe(false);
    expect(alike([1000], 0, 4)).toBe(false);
    expect(alike([1000], 4, 64)).toBe(false);
    expect(alike([1000], 0, 68)).toBe(false);
    expect(alike([999], 0, 0)).toBe(false);
  });
});
