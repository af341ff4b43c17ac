import fc from 'fast-check';
import { expect, inject, test } from 'vitest';
import { curvePoints, fitCost, fitCurves } from '../../lab/measuring/fit.js';
import type { Row } from '../../lab/measuring/rows.js';

const SIZES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8];

function row(peer: Row['peer'], text: string, medianMs: number): Row {
  const zeros = {
    minMs: 0,
    elementsPerSecond: 0,
    gbPerSecond: 0,
    dispatches: 0,
    submits: 0,
    newObjects: 0,
    hostMs: 0.1,
  };
  return { ...zeros, peer, rule: 'adam', case: text, medianMs, cpuMs: null, fractionOfLimit: null };
}

test('a cost that is linear in the elements is found again', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1e-3, max: 10, noNaN: true }),
      fc.double({ min: 1e-3, max: 100, noNaN: true }),
      (fixedMs, nsPerElement) => {
        const points = SIZES.map((elements) => ({ elements, ms: fixedMs + (nsPerElement * elements) / 1e6 }));
        const fit = fitCost(points);
        // Some hundred operations at 2⁻⁵³ each. The numerators cancel down to the smaller cost's share of the time
        // where it shows most: 1 µs of 101 µs at 10³ elements, 0.1 ms of 10.1 ms at 10⁸.
        const tolerance = 100 * 2 ** -53 * 101;
        expect(Math.abs(fit.fixedMs / fixedMs - 1)).toBeLessThan(tolerance);
        expect(Math.abs(fit.nsPerElement / nsPerElement - 1)).toBeLessThan(tolerance);
        expect(fit.worstError).toBeLessThan(tolerance);
      },
    ),
    { seed: inject('seed') },
  );
});

test('an error of a tenth counts as much at a small size as at a large one', () => {
  const fit = fitCost([
    { elements: 1, ms: 1.1 },
    { elements: 1, ms: 0.9 },
    { elements: 1e9, ms: 1100 },
    { elements: 1e9, ms: 900 },
  ]);
  // Least squares of a·x − 1 alone, x = 1/ms, gives Σx / Σx²; the other cost adds less than 10⁻³ of it.
  const best = (1 / 1.1 + 1 / 0.9) / (1 / 1.1 ** 2 + 1 / 0.9 ** 2);
  expect(Math.abs(fit.fixedMs / best - 1)).toBeLessThan(1e-3);
  expect(Math.abs(fit.nsPerElement / best - 1)).toBeLessThan(1e-3);
});

test.each([
  { what: 'fixed', points: [10, 200, 4000], negative: 'fixedMs' as const, positive: 'nsPerElement' as const },
  { what: 'per element', points: [3, 2, 1], negative: 'nsPerElement' as const, positive: 'fixedMs' as const },
])('no cost $what comes out negative', ({ points, negative, positive }) => {
  const measured = points.map((ms, k) => ({ elements: 10 ** (k + 3), ms }));
  const fit = fitCost(measured);
  expect(fit[negative]).toBe(0);
  expect(fit[positive]).toBeGreaterThan(0);
  const sum = (changed: number) =>
    measured.reduce((total, { elements, ms }) => {
      const model = { ...fit, [positive]: changed };
      return total + ((model.fixedMs + (model.nsPerElement * elements) / 1e6) / ms - 1) ** 2;
    }, 0);
  // Still the best of those that are left.
  expect(sum(fit[positive])).toBeLessThan(sum(fit[positive] * 1.01));
  expect(sum(fit[positive])).toBeLessThan(sum(fit[positive] * 0.99));
});

test('only single tensors are fitted, each peer by itself, and not from one size', () => {
  const rows = [
    row('ours', '1e3', 1.001),
    row('ours', '1e6@128MiB', 2),
    row('ours', '1000x1e3', 77),
    row('limit', '1e3', 5),
    row('limit', '1e3', 5),
  ];
  expect(curvePoints(rows).map(({ peer, points }) => [peer, points.map((point) => point.ms)])).toEqual([
    ['ours', [1.001, 2]],
  ]);
  expect(fitCurves(rows)).toEqual([
    { peer: 'ours', rule: 'adam', fixedMs: 1, nsPerElement: 1, worstError: expect.closeTo(0, 12) as number },
  ]);
});
