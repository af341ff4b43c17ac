import { describe, expect, test } from 'vitest';
import { aftermaths, costOf } from '../../demo/splats/comparison.js';
import { REACH, TILE, planSplats, reasonAgainst, roomFor } from '../../demo/splats/model/plan.js';
import { counts, intervals, planFor, sizes, stepCounts } from '../../demo/splats/settings.js';

describe('a plan', () => {
  test('adds up, whatever is chosen', () => {
    for (const count of counts) {
      for (const steps of stepCounts) {
        for (const every of intervals) {
          const plan = planFor({ width: 128, count, steps, every });
          let now = plan.startCount;
          for (const { before, pruned, split, after } of plan.densifications) {
            expect(before).toBe(now);
            expect(after).toBe(before - pruned + split);
            // Who is pruned is not split, and an empty list binds nothing.
            expect(split).toBeLessThanOrEqual(before - pruned);
            expect(Math.min(split, before - pruned)).toBeGreaterThan(0);
            now = after;
          }
          expect(now).toBe(count);
          expect(plan.densifications.every(({ step }) => step <= 0.6 * steps)).toBe(true);
        }
      }
    }
  });

  test('has room in the tiles’ lists for the largest splat, wherever it lies', () => {
    const { tilesPerSplat, deviations } = planFor({ ...sizes.gpu, width: 1024 });
    const box = 2 * REACH * deviations.most;
    const reached = Array.from({ length: 10 * TILE }, (_, k) => {
      const start = k / 10;
      return Math.ceil((start + box) / TILE) - Math.floor(start / TILE);
    });
    expect(Math.max(...reached) ** 2).toBeLessThanOrEqual(tilesPerSplat);
  });

  test('that binds more than a device does is refused, with the number', () => {
    const plan = planFor({ width: 1024, count: 1_000_000, steps: 2000, every: 100 });
    const bytes = Math.max(4 * plan.tilesPerSplat, 48) * roomFor(1_000_000);
    const limits = { maxBufferSize: bytes, maxStorageBufferBindingSize: bytes };
    expect(reasonAgainst(plan, limits)).toBeUndefined();
    expect(reasonAgainst(plan, { ...limits, maxStorageBufferBindingSize: bytes - 1 })).toBe(
      `it takes a buffer of ${Math.ceil(bytes / 1e6)} MB; this device binds at most ${Math.floor((bytes - 1) / 1e6)} MB`,
    );
  });
});

describe('what dropping costs', () => {
  const plan = planSplats({ width: 64, height: 64, count: 100, steps: 40, densifyEvery: 6 });

  test('is the difference of PSNR in the steps just behind densifications, and at the end', () => {
    const losses = (behind: number, end: number): number[] =>
      Array.from({ length: 41 }, (_, step) => {
        if (step === 40) return end;
        return plan.densifications.some((each) => step > each.step && step <= each.step + 5) ? behind : 1;
      });
    const both = { kept: losses(0.01, 0.001), dropped: losses(0.1, 0.01) };
    expect(aftermaths(plan, both).map(({ kept, dropped }) => [kept, dropped])).toEqual(
      plan.densifications.map(() => [expect.closeTo(20, 9), expect.closeTo(10, 9)]),
    );
    expect(costOf(plan, both)).toEqual({ behind: expect.closeTo(10, 9), atEnd: expect.closeTo(10, 9) });
  });

  test('is not told before it is known', () => {
    const first = plan.densifications[0]!.step;
    const [few, enough] = [first + 5, first + 6].map((length) => {
      const losses = Array.from({ length }, () => 0.1);
      return { kept: losses, dropped: losses };
    });
    expect(costOf(plan, few!)).toBeUndefined();
    expect(aftermaths(plan, enough!)).toHaveLength(1);
  });
});
