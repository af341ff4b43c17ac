import type { OptionSpec } from '../rules/options.js';

/** An integer ≥ `min`. NaN as default means that it must be given. */
export function integer(defaultValue: number, min: number): OptionSpec<number> {
  return {
    default: defaultValue,
    range: `an integer ≥ ${min}`,
    accepts: (value) => Number.isInteger(value) && (value as number) >= min,
    samples: [],
  };
}
