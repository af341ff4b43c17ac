import { SETTING_KEYS } from '../../engine/input/config.js';
import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../../errors.js';
import { copyGiven } from '../../given.js';

/**
 * A copy of what an adapter was given, as it is at the call: the engine's settings, and options of the adapter's own.
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
  if (!isRecord(given)) {
    const message = `${words.subject} ${quote(given)}; give ${words.example}.`;
    throw new OptimizerError('invalid-config', message);
  }
  const known = [...own, ...SETTING_KEYS];
  const options = copyGiven(given, known);
  rejectUnknownKeys(options, known, 'config', 'invalid-config');
  return options as unknown as T;
}
