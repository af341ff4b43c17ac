import { OptimizerError, isRecord, quote } from '../../errors.js';
import { copyGiven } from '../../given.js';
import { MOST_STEPS } from '../../kernel/row.js';

/** @throws OptimizerError `invalid-state-dict`. */
export function fail(message: string): never {
  throw new OptimizerError('invalid-state-dict', message);
}

/**
 * @param most the largest that it may be, if that is less than what a u32 holds, as steps and other counts are on the GPU.
 * @throws OptimizerError `invalid-state-dict` unless an integer ≥ 0 that a u32 holds.
 */
export function checkCount(value: unknown, what: string, most = MOST_STEPS): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most) return value as number;
  return fail(`${what} is ${quote(value)}; give an integer from 0 to ${most}, as stateDict() returned.`);
}

/**
 * A copy of a part of a dict.
 *
 * @param form what it should be, for the error.
 * @throws OptimizerError `invalid-state-dict` unless it is an object of named fields.
 */
export function copyRecord(
  given: unknown,
  what: string,
  form = 'what stateDict() returned',
): Record<string, unknown> {
  if (!isRecord(given)) fail(`${what} is ${quote(given)}; give ${form}.`);
  return copyGiven(given);
}

/** @throws OptimizerError `invalid-state-dict` unless `got` has just these keys. */
export function sameKeys(
  got: Readonly<Record<string, unknown>>,
  want: readonly string[],
  what: string,
): void {
  const wanted = new Set(want);
  const missing = want.filter((key) => got[key] === undefined);
  const extra = Object.keys(got).filter((key) => !wanted.has(key));
  if (missing.length === 0 && extra.length === 0) return;
  const complaints = [
    ...(missing.length > 0 ? [`lacks ${listed(missing)}`] : []),
    ...(extra.length > 0 ? [`has ${listed(extra)}, unknown to this optimizer`] : []),
  ];
  fail(`${what} ${complaints.join(' and ')}; save it from an optimizer of the same configuration.`);
}

/** Of thousands of names, some. */
function listed(names: readonly string[]): string {
  return names.slice(0, 20).map(quote).join(', ') + (names.length > 20 ? ', …' : '');
}
