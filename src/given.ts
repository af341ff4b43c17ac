/** Tags of objects that may hold options: plain ones, instances of classes, modules. */
const OPTION_TAGS = ['[object Object]', '[object Module]'];

/** Whether a value may hold options: no array, no Map, no function, nothing built in; of any realm. */
export function isOptionObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  // By far the most, and known without a string.
  if (Object.getPrototypeOf(value) === Object.prototype && !(Symbol.toStringTag in value)) return true;
  return OPTION_TAGS.includes(tagOf(value));
}

/** What kind of built-in object a value is, of whatever realm: `[object Float32Array]`. */
export function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value);
}

/**
 * A copy of what a caller gave, as it is now: own and inherited properties alike, without those that are undefined.
 *
 * @param known names that are looked for even where enumeration does not show them, as a class's getters.
 */
export function copyGiven(
  given: Readonly<Record<string, unknown>>,
  known: readonly string[] = [],
): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  const take = (key: string) => {
    const value = given[key];
    // Defined, not assigned: `__proto__` is a name as any other.
    if (value !== undefined)
      Object.defineProperty(copy, key, { value, enumerable: true, configurable: true, writable: true });
  };
  // eslint-disable-next-line guard-for-in -- inherited ones are meant.
  for (const key in given) take(key);
  for (const key of known) if (!Object.hasOwn(copy, key)) take(key);
  return copy;
}
