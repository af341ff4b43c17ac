import { quote } from '../errors.js';
import { refuse } from './format/refuse.js';

/** What reading and writing take beside what is read and written. */
export interface SafetensorsOptions {
  /** Ends the work: what is under way rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The signal of a call's options; throws if it is none, or there is an option that does not exist. */
export function signalOf(options: unknown, call: string): AbortSignal | undefined {
  if (typeof options !== 'object' || options === null) {
    refuse(`${call} has options ${quote(options)}. Give an object, { signal }, or nothing.`);
  }
  for (const key of Object.keys(options)) {
    if (key !== 'signal') refuse(`${call} has an option ${quote(key)}; it knows signal.`);
  }
  const { signal } = options as { signal?: unknown };
  if (signal === undefined) return undefined;
  if (!isSignal(signal))
    refuse(`${call} has signal ${quote(signal)}. Give the signal of an AbortController.`);
  return signal;
}

/** By what it can do: polyfills and other realms have signals, too. */
function isSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  const { throwIfAborted, addEventListener } = value as Partial<AbortSignal>;
  return typeof throwIfAborted === 'function' && typeof addEventListener === 'function';
}

/** What a promise gives, or the signal's reason as soon as it is aborted, though the promise may never settle. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
