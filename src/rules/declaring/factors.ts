import type { Arithmetic } from './arithmetic.js';

/** How a rule makes directions of gradients by means along rows and columns: twins of WGSL functions on numbers. */
export interface FactorDeclaration {
  /** `square_of(g)`: what means are taken of. */
  readonly squareOf: <N>(f: Arithmetic<N>, g: N, h: Scalars<N>, on: Switches) => N;
  /** `followed(before, mean)`: a mean of earlier steps, with that of this one. */
  readonly followed: <N>(f: Arithmetic<N>, before: N, mean: N, h: Scalars<N>) => N;
  /** `divisor_of(row, column, mean_row)`: what an element is divided by. */
  readonly divisorOf: <N>(f: Arithmetic<N>, row: N, column: N, meanRow: N, h: Scalars<N>, on: Switches) => N;
}

type Scalars<N> = Readonly<Record<string, N>>;
type Switches = Readonly<Record<string, boolean>>;
