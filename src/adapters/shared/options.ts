import { SETTING_KEYS } from '../../engine/config.js';
import { OptimizerError, quote, rejectUnknownKeys } from '../../errors.js';

/**
 * A copy of options, so that nobody changes them behind a check: own and inherited ones alike, without those that are
 * undefined.
 */
export function copyOptions<T extends object>(options: T): T {
  const copied: [string, unknown][] = [];
  // oxlint-disable-next-line guard-for-in -- inherited ones count
  for (const name in options) {
    if (options[name] !== undefined) copied.push([name, options[name]]);
  }
  return Object.fromEntries(copied) as T;
}

/**
 * A copy of what an adapter was given: the engine's settings, and options of the adapter's own.
 *
 * @param own names of the latter.
 * @param words what an error begins with, e.g. `'the options are'`, and what to give, e.g. `'{ maxGradNorm: 1 }'`.
 * @throws OptimizerError `invalid-config` unless it is an object, and all in it is known.
 */
export function checkOptions<T extends object>(
  given: T,
  own: readonly string[],
  words: { readonly subject: string; readonly example: string },
): T {
  if (typeof given !== 'object' || given === null) {
    const message = `${words.subject} ${quote(given)}; give ${words.example}.`;
    throw new OptimizerError('invalid-config', message);
  }
  const options = copyOptions(given);
  rejectUnknownKeys(options, [...own, ...SETTING_KEYS], 'config', 'invalid-config');
  return options;
}
