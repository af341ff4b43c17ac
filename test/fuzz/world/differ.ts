import { bitDifference } from '../../../proof/compare.js';

/** Norms are sums in another order than the model's; so are the factors that follow from them. */
const ROUNDED: ReadonlySet<string> = new Set(['gradNorm', 'clipFactor', 'param', 'grad']);
const MOST_RELATIVE = 1e-4;

/**
 * What differs first between two pieces of plain data; floats are compared bit for bit, but for those that are sums in an
 * order of one's own.
 */
export function difference(got: unknown, want: unknown, path = 'value'): string | undefined {
  if (got instanceof Float32Array && want instanceof Float32Array) {
    const differs = bitDifference(got, want);
    return differs && `${path}: ${differs}`;
  }
  if (!isObject(got) || !isObject(want)) {
    return Object.is(got, want) ? undefined : `${path}: got ${String(got)}, want ${String(want)}`;
  }
  const keys = Object.keys(want);
  const surplus = Object.keys(got).find((key) => !keys.includes(key));
  if (surplus !== undefined) return `${path}: got ${surplus}, which is not wanted`;
  for (const key of keys) {
    const [mine, other] = [got[key], want[key]];
    if (ROUNDED.has(key) && isNear(mine as number, other as number)) continue;
    const differs = difference(mine, other, `${path}.${key}`);
    if (differs) return differs;
  }
  return undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isNear(a: number, b: number): boolean {
  return Object.is(a, b) || Math.abs(a - b) <= MOST_RELATIVE * Math.abs(b);
}
