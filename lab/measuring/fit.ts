import { parseCase } from './cases.js';
import type { PeerName } from './protocol.js';
import type { CostCurve, Row } from './rows.js';
import { round } from './statistics.js';

/** One measured time. */
export interface Point {
  readonly elements: number;
  readonly ms: number;
}

/** The times of single tensors by peer and rule, at two sizes or more: one tensor's dispatches do not depend on the size. */
export function curvePoints(rows: readonly Row[]): { peer: PeerName; rule: string; points: Point[] }[] {
  const groups = new Map<string, { peer: PeerName; rule: string; points: Point[] }>();
  for (const { peer, rule, case: text, medianMs } of rows) {
    const { tensorCount, elementsPerTensor } = parseCase(text);
    if (tensorCount !== 1 || typeof elementsPerTensor !== 'number') continue;
    const key = `${peer} ${rule}`;
    const group = groups.get(key) ?? { peer, rule, points: [] };
    groups.set(key, group);
    group.points.push({ elements: elementsPerTensor, ms: medianMs });
  }
  return [...groups.values()].filter(
    ({ points }) => new Set(points.map(({ elements }) => elements)).size >= 2,
  );
}

/** Fits the cost of a step to the rows of single tensors, for each peer and rule with two sizes or more. */
export function fitCurves(rows: readonly Row[]): CostCurve[] {
  return curvePoints(rows).map(({ peer, rule, points }) => {
    const { fixedMs, nsPerElement, worstError } = fitCost(points);
    return {
      peer,
      rule,
      fixedMs: round(fixedMs),
      nsPerElement: round(nsPerElement),
      worstError: round(worstError),
    };
  });
}

/**
 * Fits ms ≈ fixedMs + elements · nsPerElement / 10⁶ by least squares of the relative errors (ms̃ − ms) / ms, that is
 * with weights 1/ms²: of the absolute errors, those at the largest sizes would be all that counts.
 *
 * With x = 1/ms and y = elements/ms the errors are a·x + b·y − 1, whose squares are least where
 * a·Σx² + b·Σxy = Σx and a·Σxy + b·Σy² = Σy. A solution with a negative cost is replaced by the best one without.
 *
 * @param points at two different sizes or more, with times above 0.
 */
export function fitCost(points: readonly Point[]): Omit<CostCurve, 'peer' | 'rule'> {
  let [x1, y1, xx, xy, yy] = [0, 0, 0, 0, 0];
  for (const { elements, ms } of points) {
    const [x, y] = [1 / ms, elements / ms];
    x1 += x;
    y1 += y;
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  const determinant = xx * yy - xy * xy;
  let fixedMs = (x1 * yy - y1 * xy) / determinant;
  let msPerElement = (y1 * xx - x1 * xy) / determinant;
  if (fixedMs < 0) [fixedMs, msPerElement] = [0, y1 / yy];
  if (msPerElement < 0) [fixedMs, msPerElement] = [x1 / xx, 0];
  const errors = points.map(({ elements, ms }) => Math.abs((fixedMs + msPerElement * elements) / ms - 1));
  return { fixedMs, nsPerElement: 1e6 * msPerElement, worstError: Math.max(...errors) };
}
