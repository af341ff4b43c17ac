import type { Arithmetic } from './arithmetic.js';
import type { MatrixSize } from './matrix.js';

/** What along-slots have a number of. */
export type Side = 'rows' | 'columns';

/** The matrices that a tensor is: its last two axes are rows and columns, the others count matrices. */
export interface FactoredSize extends MatrixSize {
  /** Rows of all matrices, one behind the other. */
  readonly rows: number;
  /** Rows of one. */
  readonly height: number;
}

/** The matrices that a tensor of two or more axes is. */
export function factoredSize(shape: readonly number[]): FactoredSize {
  const [height, columns] = shape.slice(-2) as [number, number];
  return { rows: shape.slice(0, -1).reduce((product, length) => product * length, 1), columns, height };
}

/** Numbers along one side of all matrices of a tensor. */
export function sideLength(side: Side, shape: readonly number[]): number {
  const { rows, columns, height } = factoredSize(shape);
  return side === 'rows' ? rows : (rows / height) * columns;
}

/** Whether a tensor of a shape is matrices of which no side is shorter than the least. */
export const isFactored = (shape: readonly number[], least: number): boolean =>
  shape.length >= 2 && shape.slice(-2).every((length) => length >= least);

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
