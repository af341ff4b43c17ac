import type { NewtonSchulzTriple } from '../../rules/declaring/matrix.js';
import type { MatrixSize } from '../../rules/declaring/matrix-size.js';
import type { MatrixBatch } from './batches.js';

/** Memory of a batch, for all its matrices: two for the directions and what becomes of them, and two of short × short elements. */
export type MatrixArray = 'x0' | 'x1' | 'gram' | 'polynomial';

/** Which operand of a product is added to it. */
export type Addend = 'left' | 'right';

/** How an operand lies: elements from a matrix to the next, and along both of its sides. */
export interface Operand {
  readonly array: MatrixArray;
  readonly step: number;
  readonly down: number;
  readonly across: number;
}

/** addendFactor · addend + factor · left · right, or the product alone where nothing is added; times `scale` where it is the right one. */
export interface MatrixProduct {
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  readonly left: Operand;
  readonly right: Operand;
  readonly out: Operand;
  /** Whether it is of the form YYᵀ: half of it is made, and mirrored. */
  readonly isSymmetric: boolean;
  readonly addend?: Addend;
  readonly factor: number;
  readonly addendFactor: number;
  readonly scale: number;
}

/** Side of the tiles of shaders/stages/matrix/product.wgsl. */
const TILE = 64;

/** Tiles along the second side of a product, and all that are made. */
export function tilesOf({
  rows,
  columns,
  isSymmetric,
}: Pick<MatrixProduct, 'rows' | 'columns' | 'isSymmetric'>): {
  readonly across: number;
  readonly count: number;
} {
  const across = Math.ceil(columns / TILE);
  return { across, count: isSymmetric ? (across * (across + 1)) / 2 : Math.ceil(rows / TILE) * across };
}

/** The shorter side of a matrix, and the longer one. */
export const sidesOf = ({ rows, columns }: MatrixSize): [short: number, long: number] =>
  rows < columns ? [rows, columns] : [columns, rows];

/** The array that holds the matrices after so many iterations. */
export const arrayAfter = (iterations: number): 'x0' | 'x1' => (iterations % 2 === 0 ? 'x0' : 'x1');

/**
 * The products that make the matrices of a batch orthogonal, from `x0` to {@link arrayAfter}: per iteration A = XXᵀ, bA + cA², and
 * aX + (bA + cA²)X. Of more rows than columns, X is the transposed matrix: it lies as it is, and its sides change their parts.
 *
 * @param scale what the last one is multiplied with.
 */
export function planProducts(
  { rows, columns, step }: Pick<MatrixBatch<unknown>, 'rows' | 'columns' | 'step'>,
  triples: readonly NewtonSchulzTriple[],
  scale: number,
): MatrixProduct[] {
  const [short, long] = sidesOf({ rows, columns });
  const [down, across] = rows > columns ? [1, columns] : [columns, 1];
  const square = (array: MatrixArray): Operand => ({ array, step: short * short, down: short, across: 1 });
  const transposed = (operand: Operand): Operand => ({
    ...operand,
    down: operand.across,
    across: operand.down,
  });
  const alone = { factor: 1, addendFactor: 0, scale: 1 };
  return triples.flatMap(([a, b, c], k): MatrixProduct[] => {
    const x: Operand = { array: arrayAfter(k), step, down, across };
    const [gram, polynomial] = [square('gram'), square('polynomial')];
    const isLast = k === triples.length - 1;
    const ofSquare = { rows: short, columns: short, isSymmetric: true };
    return [
      { ...alone, ...ofSquare, inner: long, left: x, right: transposed(x), out: gram },
      // A is its own transposed, bit for bit.
      {
        ...alone,
        ...ofSquare,
        inner: short,
        left: gram,
        right: transposed(gram),
        out: polynomial,
        addend: 'left',
        factor: c,
        addendFactor: b,
      },
      {
        rows: short,
        columns: long,
        inner: short,
        left: polynomial,
        right: x,
        out: { ...x, array: arrayAfter(k + 1) },
        isSymmetric: false,
        addend: 'right',
        factor: 1,
        addendFactor: a,
        scale: isLast ? scale : 1,
      },
    ];
  });
}
