/** The middle value; with an even count, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Median over rounds of `numerators[r] / denominators[r]`: both were measured within one round, so drift cancels. */
export function pairedRatio(numerators: readonly number[], denominators: readonly number[]): number {
  return median(numerators.map((value, k) => value / denominators[k]!));
}

/** Four significant digits: more would only be noise. */
export function round(value: number): number {
  return Number(value.toPrecision(4));
}
