import { OptimizerError, quote } from '../errors.js';
import type { RefusedDelta } from './transport.js';

/** What the screen looks at. */
export interface ScreenedDelta {
  readonly peer: string;
  /** Of the decoded values; NaN if any of them is not finite. */
  readonly norm: number;
  readonly samples: number;
}

/** How the screen judges. */
export interface ScreenOptions {
  /** How many times the median of the others' norms a norm may be; 10 unless said. */
  readonly normFactor?: number | undefined;
}

/** The median of two norms says nothing about who of both is wrong. */
const FEWEST_COMPARED = 3;

/**
 * Tells deltas that would spoil the mean from those that are applied. It refuses norms that are not finite, counts of samples that are no
 * positive numbers, and norms beyond `normFactor` times the median of the others'.
 *
 * Norms are compared among three peers and more. Of two, the median of the others is the other one: a peer that made few steps would have a
 * sound one refused. A median of 0 refuses nobody: most peers have not moved, which does not make the others wrong.
 *
 * The outcome follows from the list alone, whatever its order: all peers that screen the same deltas get the same. What is taken is
 * taken again if it is screened by itself, for the screen goes on until it refuses no more.
 *
 * @returns both lists, sorted by peer.
 */
export function screenDeltas<T extends ScreenedDelta>(
  list: readonly T[],
  { normFactor = 10 }: ScreenOptions = {},
): { taken: T[]; refused: RefusedDelta[] } {
  checkNormFactor(normFactor);
  const refused: RefusedDelta[] = [];
  let taken = sortedByPeer(list);
  const refuse = (reasonFor: (delta: T, others: readonly T[]) => string | undefined): boolean => {
    const reasons = taken.map((delta) =>
      reasonFor(
        delta,
        taken.filter((other) => other !== delta),
      ),
    );
    for (const [k, reason] of reasons.entries()) {
      if (reason !== undefined) refused.push({ peer: taken[k]!.peer, reason });
    }
    taken = taken.filter((_, k) => reasons[k] === undefined);
    return reasons.some((reason) => reason !== undefined);
  };
  refuse(problemAlone);
  while (
    taken.length >= FEWEST_COMPARED &&
    refuse((delta, others) => problemBeside(delta, others, normFactor))
  );
  return { taken, refused: sortedByPeer(refused) };
}

/** @throws OptimizerError `invalid-option` unless it is a number above 1. */
export function checkNormFactor(normFactor: unknown): void {
  if (typeof normFactor === 'number' && normFactor > 1 && normFactor < Infinity) return;
  throw new OptimizerError(
    'invalid-option',
    `normFactor is ${quote(normFactor)}; give a finite number above 1, such as 10.`,
  );
}

function problemAlone({ norm, samples }: ScreenedDelta): string | undefined {
  if (!Number.isFinite(norm)) return `its norm is ${norm}: it holds NaN or Infinity`;
  if (!(samples > 0 && samples < Infinity)) return `it counts for ${samples} samples`;
  return undefined;
}

function problemBeside(
  { norm }: ScreenedDelta,
  others: readonly ScreenedDelta[],
  normFactor: number,
): string | undefined {
  const median = medianOf(others.map((other) => other.norm));
  if (median === 0 || norm <= normFactor * median) return undefined;
  return `its norm is ${norm.toPrecision(3)}, more than ${normFactor} times ${median.toPrecision(3)}, the median of the others'`;
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  // Halves first, so that the sum of two large ones does not overflow.
  return sorted[Math.ceil(half) - 1]! / 2 + sorted[Math.floor(half)]! / 2;
}

/** By code units, which do not depend on a language. */
export function sortedByPeer<T extends { readonly peer: string }>(list: readonly T[]): T[] {
  return list.toSorted((a, b) => (a.peer < b.peer ? -1 : a.peer > b.peer ? 1 : 0));
}
