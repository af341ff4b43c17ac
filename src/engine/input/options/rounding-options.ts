import { OptimizerError, quote } from '../../../errors.js';
import { LANE } from '../../../codecs/codec.js';
import type { Rule } from '../../../rules/rule.js';
import type { ResolvedParameter } from '../parameter/parameter.js';

/** How weights of 2 bytes are rounded. */
export interface RoundingOptions {
  /**
   * Whether weights of `'f16'` and `'bf16'` are rounded up or down by chance, so that their mean is right: small steps add up that
   * rounding to the nearest would lose. Which way follows from the seed, the parameter's name, its count of steps and the element's
   * number alone: the same on every device, and again after a run is resumed. What lies beyond the largest number is rounded to the nearest.
   * Default false.
   */
  stochasticRounding?: boolean;
  /** What these random numbers begin from: an integer from 0 to 2⁵³ − 1. With `stochasticRounding`; default 0. */
  seed?: number;
}

/** Names of these options. */
export const ROUNDING_KEYS = ['stochasticRounding', 'seed'] satisfies (keyof RoundingOptions)[];

/**
 * Checks them in a config; its other keys are ignored.
 *
 * @returns the seed, if weights are rounded by chance.
 * @throws OptimizerError `invalid-config`.
 */
export function resolveRounding(config: Readonly<Record<string, unknown>>): { readonly seed?: number } {
  const { stochasticRounding = false, seed } = config;
  if (typeof stochasticRounding !== 'boolean') {
    fail(`stochasticRounding is ${quote(stochasticRounding)}; give true or false.`);
  }
  if (seed === undefined) return stochasticRounding ? { seed: 0 } : {};
  if (!stochasticRounding) fail(`seed is ${quote(seed)} without stochasticRounding: true; leave it out.`);
  if (Number.isSafeInteger(seed) && (seed as number) >= 0) return { seed: seed as number };
  return fail(`seed is ${quote(seed)}; give an integer from 0 to 2^53 − 1.`);
}

/** @throws OptimizerError `invalid-config` if stochastic rounding has no effect on any parameter. */
export function rejectIdleRounding({ seed }: Rule, isAnyRounded: boolean): void {
  if (seed === undefined || isAnyRounded) return;
  fail(
    'stochasticRounding is true, but all weights are float32; leave it out, or give parameters a dtype "f16" or "bf16".',
  );
}

/**
 * Of rows that have lanes of their own, each begins with a lane; rows that are divided by their norm would be rounded twice.
 *
 * @throws OptimizerError `invalid-config` for a parameter whose weights cannot be rounded by chance.
 */
export function rejectUnfitRounding({ seed }: Rule, parameter: ResolvedParameter): void {
  const { name, data, sparse, rowLength = 0, constraint } = parameter;
  if (seed === undefined || !data[0]!.codec) return;
  const what = `parameter ${quote(name)}`;
  if (constraint === 'unit-rows') {
    fail(
      `${what} has constraint "unit-rows", which stochasticRounding does not take; leave one of them out.`,
    );
  }
  if (sparse && rowLength % LANE !== 0) {
    fail(
      `${what} has a sparse grad and rows of ${rowLength} elements, of which stochasticRounding takes multiples of ${LANE} only; pad the rows, or ` +
        'leave it out.',
    );
  }
}

function fail(message: string): never {
  throw new OptimizerError('invalid-config', message);
}
