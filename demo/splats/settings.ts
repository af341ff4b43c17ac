import { heightAt } from '../shared/photo.js';
import { type SplatPlan, planSplats } from './model/plan.js';

/** Widths that the photograph may be scaled to. */
export const widths = [128, 256, 512, 1024] as const;
/** Splats at the end. */
export const counts = [
  1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
] as const;
/** Steps in all. */
export const stepCounts = [60, 150, 300, 600, 1000, 2000, 5000] as const;
/** Steps between densifications. */
export const intervals = [10, 30, 60, 100, 200, 500] as const;

/** What decides a run's size. */
export interface SizeSettings {
  readonly width: number;
  readonly count: number;
  readonly steps: number;
  readonly every: number;
}

/** All that a visitor chooses. */
export interface Settings extends SizeSettings {
  readonly seed: number;
}

/** Sizes to begin with: where a CPU computes, and on a GPU. */
export const sizes = {
  software: { width: 128, count: 2000, steps: 300, every: 30 },
  gpu: { width: 512, count: 50_000, steps: 2000, every: 100 },
} as const satisfies Record<string, SizeSettings>;

/** The fit for these settings. */
export function planFor({ width, count, steps, every }: SizeSettings): SplatPlan {
  return planSplats({ width, height: heightAt(width), count, steps, densifyEvery: every });
}
