import { OptimizerError, quote } from '../../errors.js';

/** Numbers in the CPU's memory. */
export type NumericArray = Float32Array | Float64Array;

/** `'Float32Array'` and the like, of whatever realm; undefined of what is no view of bytes. */
function kindOf(value: unknown): string | undefined {
  return ArrayBuffer.isView(value) ? Object.prototype.toString.call(value).slice(8, -1) : undefined;
}

/** Whether a value is a Float32Array or a Float64Array; one of another realm, as an iframe's, is as good. */
export function isNumericArray(value: unknown): value is NumericArray {
  const kind = kindOf(value);
  return kind === 'Float32Array' || kind === 'Float64Array';
}

/** Whether a value is a list of numbers: an array, or a typed one of anything but BigInts. */
export function isNumberList(value: unknown): value is ArrayLike<number> {
  const kind = kindOf(value);
  if (kind !== undefined) return kind.endsWith('Array') && !kind.startsWith('Big');
  // `Array.from` makes holes visible.
  return Array.isArray(value) && Array.from(value as unknown[]).every((entry) => typeof entry === 'number');
}

/**
 * Checks that float32 holds the numbers of a list, but for rounding.
 *
 * @throws OptimizerError `invalid-parameter` naming the first that becomes infinite.
 */
export function rejectOverflow(values: ArrayLike<number>, what: string): void {
  if (kindOf(values) === 'Float32Array') return;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value) || Number.isFinite(Math.fround(value))) continue;
    throw new OptimizerError(
      'invalid-parameter',
      `${what}[${i}] is ${quote(value)}, beyond float32's 3.4e38; give a smaller one, or precision 'f64'.`,
    );
  }
}
