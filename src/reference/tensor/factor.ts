import { factoredSize, type Side } from '../../rules/declaring/matrix-size.js';
import type { FactorDeclaration } from '../../rules/declaring/factors.js';
import type { Arithmetic } from '../../rules/declaring/arithmetic.js';

/** As in shaders/stages/factor/factor.wgsl. */
const [THREADS, ROWS_PER_BLOCK] = [64, 64];

/** What a step knows of all elements. */
interface FactorStep<N> {
  readonly h: Readonly<Record<string, N>>;
  readonly on: Readonly<Record<string, boolean>>;
}

/** The sum of a workgroup: each invocation adds up every 64th of the values, and then they by a tree. */
function treeSum<N>({ add, load }: Arithmetic<N>, length: number, at: (index: number) => N): N {
  const sums: N[] = Array.from({ length: THREADS }, () => load(0));
  for (let k = 0; k < length; k++) sums[k % THREADS] = add(sums[k % THREADS]!, at(k));
  for (let half = THREADS / 2; half >= 1; half /= 2)
    for (let k = 0; k < half; k++) sums[k] = add(sums[k]!, sums[k + half]!);
  return sums[0]!;
}

/** The sum of a column: blocks of rows in order, then the blocks. */
function blockSum<N>({ add, load }: Arithmetic<N>, length: number, at: (index: number) => N): N {
  let total = load(0);
  for (let first = 0; first < length; first += ROWS_PER_BLOCK) {
    let sum = load(0);
    for (let k = first; k < Math.min(first + ROWS_PER_BLOCK, length); k++) sum = add(sum, at(k));
    total = add(total, sum);
  }
  return total;
}

/**
 * The CPU twin of src/stages/factor/: gradients divided by what second moments of their rows and columns tell.
 *
 * @param sides the numbers of rows and of columns, updated in place.
 */
export function divideByFactors<N>(
  f: Arithmetic<N>,
  gradient: readonly N[],
  shape: readonly number[],
  sides: Readonly<Record<Side, N[]>>,
  { squareOf, followed, divisorOf }: FactorDeclaration,
  { h, on }: FactorStep<N>,
): N[] {
  const { rows, columns, height } = factoredSize(shape);
  const [across, down] = [f.load(columns), f.load(height)];
  const result: N[] = [];
  for (let matrix = 0; matrix < rows / height; matrix++) {
    const base = matrix * height * columns;
    const squares = Array.from({ length: height * columns }, (_, k) =>
      squareOf(f, gradient[base + k]!, h, on),
    );
    const [firstRow, firstColumn] = [matrix * height, matrix * columns];
    const follow = (side: N[], place: number, sum: N, count: N) => {
      side[place] = followed(f, side[place]!, f.div(sum, count), h);
    };
    for (let row = 0; row < height; row++) {
      const sum = treeSum(f, columns, (k) => squares[row * columns + k]!);
      follow(sides.rows, firstRow + row, sum, across);
    }
    for (let column = 0; column < columns; column++) {
      const sum = blockSum(f, height, (k) => squares[k * columns + column]!);
      follow(sides.columns, firstColumn + column, sum, down);
    }
    const mean = f.div(
      treeSum(f, height, (k) => sides.rows[firstRow + k]!),
      down,
    );
    for (let k = 0; k < height * columns; k++) {
      const row = sides.rows[firstRow + Math.floor(k / columns)]!;
      const column = sides.columns[firstColumn + (k % columns)]!;
      result.push(f.div(gradient[base + k]!, divisorOf(f, row, column, mean, h, on)));
    }
  }
  return result;
}
