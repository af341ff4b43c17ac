/** A tensor as a matrix: of more than two axes, the first one is the rows. */
export interface MatrixSize {
  readonly rows: number;
  readonly columns: number;
}

/** The matrix that a tensor of two or more axes is. */
export function matrixSize([rows, ...rest]: readonly number[]): MatrixSize {
  return { rows: rows!, columns: rest.reduce((product, length) => product * length, 1) };
}

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
