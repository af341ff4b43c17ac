import type { RuleOptions } from '../options/common-options.js';
import type { FactorDeclaration } from './factors.js';

/** Coefficients a, b, c of X ← aX + (bA + cA²)X, where A = XXᵀ. */
export type NewtonSchulzTriple = readonly [number, number, number];

/**
 * What a direction is multiplied with when it is orthogonal, of r rows and c columns: `'original'` √max(1, r/c), Keller Jordan's;
 * `'match_rms_adamw'` s√max(r, c), Moonlight's, where s is `rmsScale`; `'transposed'` √max(1, c/r), optax', whose matrices are [in, out];
 * `'none'` 1.
 */
export type MatrixScale = 'original' | 'match_rms_adamw' | 'transposed' | 'none';

/** How ε keeps the norm from 0: `'max'` max(‖X‖, ε), as PyTorch; `'sum'` ‖X‖ + ε, as Keller Jordan, Keras and optax. */
export type NormEps = 'max' | 'sum';

/** How matrices are made orthogonal: what there is of it in a rule's options. */
export interface MatrixIteration {
  /** One per iteration, in order. */
  readonly triples: readonly NewtonSchulzTriple[];
  readonly eps: number;
  readonly epsPlacement: NormEps;
  readonly scale: MatrixScale;
  readonly rmsScale: number;
}

/**
 * What makes matrices orthogonal on the GPU. Of it rules know no more than that they hand it to the engine: it comes with those
 * that need it, so that nobody downloads it with the others.
 */
export interface MatrixStage {
  readonly planStage: (input: never) => unknown;
}

/** What there may be about a parameter that a rule cannot step. */
export interface MatrixCandidate {
  readonly name: string;
  readonly shape?: readonly number[] | undefined;
  readonly sparse?: unknown;
  readonly mask?: unknown;
  readonly columns?: unknown;
  /** Whether its rows are to come and go. */
  readonly isMapped?: boolean;
}

/**
 * The part of a rule that steps matrices. Its WGSL has a switch `DIRECTING`. With it, `update` returns the direction of an element,
 * and updates the rule's slots; without it, it gets in place of the gradient what has become of that, and returns the weight. The
 * gradient is scaled the first time, so `prepare` sets `h.grad_multiplier` to 1 the second time.
 */
export interface MatrixDeclaration<O = RuleOptions> {
  readonly stage?: MatrixStage | undefined;
  /** Whether it steps tensors of a shape, rather than the rule of others; without it, all of two or more axes. */
  readonly takes?: (options: O, shape: readonly number[]) => boolean;
  /** Whether the rule of others has the same options: those of a group are for both. */
  readonly sharesOptions?: boolean;
  /** The slots with a number per element that the second pass updates; the first one does all others. */
  readonly appliedSlots?: readonly string[];
  /** How directions are made orthogonal, if they are. */
  readonly iteration?: (options: O) => MatrixIteration;
  /** How they are made by means along rows and columns, if they are. */
  readonly factors?: FactorDeclaration;
}

/** The factor of a {@link MatrixScale}. */
export function matrixFactor(
  { scale, rmsScale }: Pick<MatrixIteration, 'scale' | 'rmsScale'>,
  rows: number,
  columns: number,
): number {
  if (scale === 'original') return Math.sqrt(Math.max(1, rows / columns));
  if (scale === 'match_rms_adamw') return rmsScale * Math.sqrt(Math.max(rows, columns));
  return scale === 'transposed' ? Math.sqrt(Math.max(1, columns / rows)) : 1;
}
