import { float64 } from '../src/reference/arithmetic/arithmetic.js';
import { type Bounded, errorBound } from '../src/reference/arithmetic/error-bound.js';
import { divisorOf, iterate, orthogonalize, toRows } from '../src/reference/tensor/orthogonalize.js';
import {
  type MatrixIteration,
  type NewtonSchulzTriple,
  matrixFactor,
} from '../src/rules/declaring/matrix.js';
import type { MatrixSize } from '../src/rules/declaring/matrix-size.js';

/** One unit in the last place, relative: what each operation of WGSL may be off. */
const ULP = 2 ** -23;

/** Of what is less than this, nothing may be left. */
const TINY = 2 ** -126;

const frobenius = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

const gramOf = (x: readonly (readonly number[])[]): number[][] =>
  x.map((row) => x.map((other) => row.reduce((sum, value, k) => sum + value * other[k]!, 0)));

/** No less than the largest singular value: the trace of A³² is the sum of its 64th power and those of the others. */
function spectralNorm(x: readonly (readonly number[])[]): number {
  const gram = gramOf(x);
  const size = frobenius(gram.flat());
  if (!(size > 0)) return size;
  let power = gram.map((row) => row.map((value) => value / size));
  // Each is symmetric, so that its gram is its square.
  for (let k = 0; k < 5; k++) power = gramOf(power);
  const trace = power.reduce((sum, row, k) => sum + row[k]!, 0);
  return Math.sqrt(size) * trace ** (1 / 64);
}

/** The largest slope of ax + bx³ + cx⁵ in magnitude, for |x| ≤ most. */
function largestSlope([a, b, c]: NewtonSchulzTriple, most: number): number {
  const slope = (square: number) => Math.abs(a + 3 * b * square + 5 * c * square * square);
  const turn = c === 0 ? 0 : (-3 * b) / (10 * c);
  return Math.max(slope(0), slope(most * most), turn > 0 && turn < most * most ? slope(turn) : 0);
}

/**
 * What {@link orthogonalize} gives, and how far a conforming WGSL implementation may be off: an analysis of norms, since element by element
 * the bound would grow by orders of magnitude per iteration.
 *
 * An iteration maps singular values by an odd polynomial p and keeps singular vectors. Such a map moves two matrices whose singular values
 * are at most s no further apart, in the Frobenius norm, than by the largest |p′| on [0, s]: its derivative has divided differences of p for
 * singular values (Noferini 2017). To that comes what an iteration's own roundings are off: of a sum of n products γₙ = (n + 1) ULP of the
 * sum of their magnitudes (Higham 2002, section 3.5), which the product of Frobenius norms bounds, and 4 ULP for the operations around it.
 */
export function orthogonalBound(
  directions: readonly Bounded[],
  size: MatrixSize,
  iteration: MatrixIteration,
): Bounded[] {
  const { triples } = iteration;
  const divisor = divisorOf(errorBound, directions, iteration);
  const divided = directions.map((direction) => errorBound.div(direction, divisor));
  const long = Math.max(size.rows, size.columns);
  const short = Math.min(size.rows, size.columns);
  const off = (terms: number) => (terms + 5) * ULP;
  let x = toRows(
    divided.map(({ value }) => value),
    size,
  );
  let error = frobenius(divided.map((each) => each.error));
  for (const triple of triples) {
    const [a, b, c] = triple.map(Math.abs) as [number, number, number];
    const most = spectralNorm(x) + error;
    const whole = frobenius(x.flat()) + error;
    // What is off of A, of bA + cA², and of aX + (bA + cA²)X.
    const ofGram = off(long) * whole ** 2;
    const gramSize = whole ** 2 + ofGram;
    const ofSquare = 2 * most ** 2 * ofGram + ofGram ** 2 + off(short) * gramSize ** 2;
    const polynomialSize = b * gramSize + c * gramSize ** 2;
    const ofPolynomial = b * ofGram + c * ofSquare + off(0) * polynomialSize;
    const ofProduct = ofPolynomial * most + off(short) * (a + polynomialSize) * whole;
    error = largestSlope(triple, most) * error + ofProduct;
    x = iterate(float64, x, [...triple], 1);
  }
  const factor = matrixFactor(iteration, size.rows, size.columns);
  const values = directions.map(({ value }) => value);
  return orthogonalize(float64, values, size, iteration).map((value) => ({
    value,
    error: Number.isFinite(value) ? factor * error + 2 * ULP * Math.abs(value) + TINY : 0,
  }));
}
