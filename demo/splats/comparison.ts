import type { Densification, SplatPlan } from './model/plan.js';

/** Steps behind a densification that are "just behind it". */
export const WINDOW = 10;

/** Losses of the same steps, of the run that keeps its state and of the one that drops it. */
export interface Losses {
  readonly kept: readonly number[];
  readonly dropped: readonly number[];
}

/** How both runs do in the steps just behind a densification: PSNR in dB of their mean error. */
export interface Aftermath extends Densification {
  readonly kept: number;
  readonly dropped: number;
}

/** PSNR in dB of a mean squared error; the peak is 1. */
export function psnr(error: number): number {
  return -10 * Math.log10(error);
}

/** Those densifications whose next {@link WINDOW} steps are known, as far as the next one is not sooner. */
export function aftermaths({ shape, densifications }: SplatPlan, { kept, dropped }: Losses): Aftermath[] {
  // The loss of step k is from before its update: the first that tells of an update behind a densification is one later.
  const length = Math.min(WINDOW, shape.densifyEvery - 1);
  return densifications
    .filter(({ step }) => step + length < kept.length)
    .map((densification) => {
      const mean = (losses: readonly number[]): number => {
        const seen = losses.slice(densification.step + 1, densification.step + 1 + length);
        return psnr(seen.reduce((sum, loss) => sum + loss, 0) / seen.length);
      };
      return { ...densification, kept: mean(kept), dropped: mean(dropped) };
    });
}

/** What dropping costs, in dB; below 0 it gains. */
export interface Cost {
  /** On average just behind a densification. */
  readonly behind: number;
  /** At the last step that is known. */
  readonly atEnd: number;
}

/** Undefined until something is known. */
export function costOf(plan: SplatPlan, losses: Losses): Cost | undefined {
  const known = aftermaths(plan, losses);
  if (known.length === 0) return undefined;
  return {
    behind: known.reduce((sum, { kept, dropped }) => sum + kept - dropped, 0) / known.length,
    atEnd: psnr(losses.kept.at(-1)!) - psnr(losses.dropped.at(-1)!),
  };
}
