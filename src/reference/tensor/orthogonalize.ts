import type { Arithmetic } from '../../rules/declaring/arithmetic.js';
import { type MatrixIteration, matrixFactor } from '../../rules/declaring/matrix.js';
import type { MatrixSize } from '../../rules/declaring/matrix-size.js';

/** A matrix by its rows. */
type Rows<N> = readonly (readonly N[])[];

/** Element by element, from the indices of row and column. */
const matrixOf = <N>(rows: number, columns: number, at: (row: number, column: number) => N): N[][] =>
  Array.from({ length: rows }, (_r, row) => Array.from({ length: columns }, (_c, column) => at(row, column)));

/** Σ a·b over two rows, product by product, in ascending order: as shaders/stages/matrix/product.wgsl. */
function dot<N>({ add, mul }: Arithmetic<N>, a: readonly N[], b: readonly N[], zero: N): N {
  let sum = zero;
  for (let k = 0; k < a.length; k++) sum = add(sum, mul(a[k]!, b[k]!));
  return sum;
}

/** YYᵀ: half of it is made, and mirrored. */
function gramOf<N>(f: Arithmetic<N>, y: Rows<N>): N[][] {
  const zero = f.load(0);
  const gram: N[][] = y.map(() => []);
  y.forEach((row, i) => {
    for (let j = i; j < y.length; j++) gram[i]![j] = gram[j]![i] = dot(f, row, y[j]!, zero);
  });
  return gram;
}

const transposed = <N>(x: Rows<N>): N[][] =>
  matrixOf(x[0]!.length, x.length, (row, column) => x[column]![row]!);

/** aX + (bA + cA²)X with A = XXᵀ, times a factor. */
export function iterate<N>(f: Arithmetic<N>, x: Rows<N>, [a, b, c]: readonly [N, N, N], factor: N): N[][] {
  const zero = f.load(0);
  const gram = gramOf(f, x);
  const square = gramOf(f, gram);
  const polynomial = gram.map((row, i) =>
    row.map((each, j) => f.add(f.mul(b, each), f.mul(c, square[i]![j]!))),
  );
  const columns = transposed(x);
  return matrixOf(x.length, columns.length, (i, j) =>
    f.mul(factor, f.add(f.mul(a, x[i]![j]!), dot(f, polynomial[i]!, columns[j]!, zero))),
  );
}

/** What a matrix is divided by. */
export function divisorOf<N>(
  f: Arithmetic<N>,
  values: readonly N[],
  { eps, epsPlacement }: MatrixIteration,
): N {
  const norm = f.norm(values.length, (i) => values[i]!);
  const least = f.scalar(eps);
  return epsPlacement === 'sum' ? f.add(norm, least) : f.larger(least, norm);
}

/** A matrix by its rows, or where it has more of them than columns, by its columns; from its elements in order. */
export function toRows<N>(values: readonly N[], { rows, columns }: MatrixSize): N[][] {
  const x = matrixOf(rows, columns, (row, column) => values[row * columns + column]!);
  return rows > columns ? transposed(x) : x;
}

/**
 * The CPU twin of src/stages/matrix/: a matrix divided by its Frobenius norm, then iterated X ← aX + (bA + cA²)X with A = XXᵀ, on its
 * shorter side; at last multiplied with the factor of its shape.
 *
 * @param values the matrix, row by row.
 */
export function orthogonalize<N>(
  f: Arithmetic<N>,
  values: readonly N[],
  size: MatrixSize,
  iteration: MatrixIteration,
): N[] {
  const { rows, columns } = size;
  const { triples } = iteration;
  const divisor = divisorOf(f, values, iteration);
  let x = toRows(
    values.map((value) => f.div(value, divisor)),
    size,
  );
  triples.forEach((triple, k) => {
    const isLast = k === triples.length - 1;
    const factor = f.scalar(isLast ? matrixFactor(iteration, rows, columns) : 1);
    x = iterate(f, x, triple.map(f.scalar) as [N, N, N], factor);
  });
  return (rows > columns ? transposed(x) : x).flat();
}
