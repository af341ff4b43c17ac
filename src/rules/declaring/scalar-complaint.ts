import { isRecord, quote } from '../../errors.js';

/** What is wrong with the scalars of a rule, if anything: each is a number that float32 holds, or a rate below 1. */
export function scalarComplaint(scalars: Readonly<Record<string, unknown>>): string | undefined {
  for (const [name, value] of Object.entries(scalars)) {
    if (isRecord(value)) {
      const { beta, damping } = value;
      if (isFraction(beta) && isFraction(damping)) continue;
      return `the scalar ${name} is the correction of ${quote(beta)} with damping ${quote(damping)}; give rates in [0, 1).`;
    }
    if (typeof value !== 'number' || !Number.isFinite(Math.fround(value))) {
      return `the scalar ${name} is ${quote(value)}; give a number below 3.4e38, where float32 ends.`;
    }
  }
  return undefined;
}

const isFraction = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value < 1;
