import { LANES_PER_PARTIAL, MEASURE_SHAPE } from '../../kernel/measure-shape.js';
import type { ElementAt } from '../../rules/declaring/arithmetic.js';

/** As in shaders/squares.wgsl. */
const LEAST = 2 ** -80;
const MOST = 2 ** 88;
const SCALE = 2 ** 84;

/** Sums of large, medium and small numbers, by what these are multiplied with. */
const SCALES = [1 / SCALE, 1, SCALE] as const;

/** Accumulators of a workgroup: its invocations', of four components each. */
const ACCUMULATORS = 4 * MEASURE_SHAPE.workgroupSize;

type Round = (value: number) => number;

/** Euclidean norm in float64, which holds the square of every float32. */
export function float64Norm(length: number, at: ElementAt<number>, factor = 1): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += at(i) ** 2;
  return Math.sqrt(sum) * factor;
}

/**
 * Euclidean norm in float32 as shaders/stages/measure/*.wgsl computes it, addition by addition, for a tensor in one piece.
 *
 * @param round rounds a float64 result to float32.
 * @param factor multiplies the root before it is scaled to its magnitude.
 */
export function float32Norm(length: number, at: ElementAt<number>, round: Round, factor = 1): number {
  const elementsPerPartial = 4 * LANES_PER_PARTIAL;
  const partialCount = Math.ceil(length / elementsPerPartial);
  const partials = SCALES.map(() => new Float32Array(partialCount));
  const sums = new Float32Array(ACCUMULATORS);
  const totals = SCALES.map(() => new Float32Array(MEASURE_SHAPE.workgroupSize));
  let isNaN = false;
  for (let partial = 0; partial < partialCount; partial++) {
    const start = partial * elementsPerPartial;
    const end = Math.min(start + elementsPerPartial, length);
    // Lane by lane, a workgroup apart: the sums of one invocation's four components stay neighbours.
    const add = (i: number, scale: number): void => {
      const value = round(at(i) * scale);
      sums[i % ACCUMULATORS] = round(sums[i % ACCUMULATORS]! + round(value * value));
    };
    sums.fill(0);
    for (const ofKind of totals) ofKind.fill(0);
    for (let i = start; i < end; i++) add(i, 1);
    for (let k = 0; k < MEASURE_SHAPE.workgroupSize; k++) {
      const total = sumComponents(sums, k, round);
      if (total >= LEAST && total <= MOST) {
        totals[1]![k] = total;
        continue;
      }
      const kind = total < LEAST ? 2 : 0;
      sums.fill(0, 4 * k, 4 * k + 4);
      for (let lane = start + 4 * k; lane < end; lane += ACCUMULATORS) {
        for (let i = lane; i < Math.min(lane + 4, end); i++) {
          add(i, SCALES[kind]);
          isNaN ||= Number.isNaN(at(i));
        }
      }
      totals[kind]![k] = sumComponents(sums, k, round);
    }
    totals.forEach((ofKind, kind) => (partials[kind]![partial] = sumTree(ofKind, round)));
  }
  if (isNaN) return NaN;
  const [large, medium, small] = partials.map((ofBin) => sumPartials(ofBin, round)) as [
    number,
    number,
    number,
  ];
  const root = (major: number, minor: number) =>
    round(round(Math.sqrt(round(major + flushed(minor * SCALE ** -2)))) * factor);
  if (large > 0) return flushed(root(large, medium) * SCALE);
  if (medium > 0) return root(medium, small);
  return flushed(root(small, 0) / SCALE);
}

/** A power of two times a float32, as `scale_by_power`: no rounding but at either end of the range. */
function flushed(value: number): number {
  if (value < 2 ** -126) return 0;
  return value < 2 ** 128 ? value : Infinity;
}

/** An invocation's total: of its four components. */
function sumComponents(sums: Float32Array, invocation: number, round: Round): number {
  const first = 4 * invocation;
  const low = round(sums[first]! + sums[first + 1]!);
  return round(low + round(sums[first + 2]! + sums[first + 3]!));
}

/** One kind's total over a tensor: partials a workgroup apart, then the tree. */
function sumPartials(partials: Float32Array, round: Round): number {
  const ofInvocation = new Float32Array(MEASURE_SHAPE.workgroupSize);
  partials.forEach((partial, k) => {
    const invocation = k % ofInvocation.length;
    ofInvocation[invocation] = round(ofInvocation[invocation]! + partial);
  });
  return sumTree(ofInvocation, round);
}

/** The tree of shaders/tree.wgsl; uses its input up. */
function sumTree(sums: Float32Array, round: Round): number {
  for (let half = sums.length / 2; half >= 1; half /= 2) {
    for (let k = 0; k < half; k++) sums[k] = round(sums[k]! + sums[k + half]!);
  }
  return sums[0]!;
}

/** Additions on the longest way from a square to the norm: an invocation's lanes, its components, two trees, partials. */
export function normDepth(length: number): number {
  const treeDepth = Math.log2(MEASURE_SHAPE.workgroupSize);
  const partialCount = Math.ceil(length / 4 / LANES_PER_PARTIAL);
  const lanes = Math.min(
    MEASURE_SHAPE.lanesPerInvocation,
    Math.ceil(length / 4 / MEASURE_SHAPE.workgroupSize),
  );
  return lanes + 2 + treeDepth + Math.ceil(partialCount / MEASURE_SHAPE.workgroupSize) + treeDepth + 1;
}
