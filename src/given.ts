import { propertyNames } from './errors.js';

/** What kind of built-in object a value is, of whatever realm: `[object Float32Array]`. */
export function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value);
}

/**
 * A copy of what a caller gave, as it is now: own and inherited properties alike. It has nothing else: `toString` is a name as any
 * other.
 *
 * @param known names that are looked for even where enumeration does not show them, as a class's getters.
 */
export function copyGiven(
  given: Readonly<Record<string, unknown>>,
  known: readonly string[] = [],
): Record<string, unknown> {
  const copy = Object.create(null) as Record<string, unknown>;
  const hidden = known.filter((name) => given[name] !== undefined);
  for (const name of new Set([...propertyNames(given), ...hidden])) {
    define(copy, name, given[name]);
  }
  return copy;
}

/** Gives a record a value: defined, not assigned, since `__proto__` is a name as any other. */
export function define<T>(record: Record<string, T>, name: string, value: T): void {
  Object.defineProperty(record, name, { value, enumerable: true, configurable: true, writable: true });
}
