import { expect, test } from 'vitest';
import { drawCharts } from '../../bench/draw-charts.js';
import type { PeerName } from '../../lab/measuring/protocol.js';
import type { Results, Row } from '../../lab/measuring/rows.js';

function row(peer: PeerName, text: string, fractionOfLimit: number | null): Row {
  const counts = { dispatches: 1, submits: 1, newObjects: 0, hostMs: 0.1 };
  const speeds = { minMs: 1, elementsPerSecond: 1, gbPerSecond: 1 };
  return { peer, rule: 'adam', case: text, medianMs: 2, cpuMs: null, fractionOfLimit, ...speeds, ...counts };
}

const results: Results = {
  adapter: 'an adapter',
  browser: 'Node 20.20',
  date: '2026-11-22T12:00:00.000Z',
  seed: 1,
  rounds: 7,
  shapes: [],
  rows: [row('ours', '1e4', 0.5), row('limit', '1e4', 1), row('ours', '1e5', 0.9), row('limit', '1e5', 1)],
};

test('one chart compares with the limit, another shows the fitted cost', () => {
  const charts = drawCharts(
    {
      ...results,
      curve: [{ peer: 'ours', rule: 'adam', fixedMs: 1.5, nsPerElement: 2.5, worstError: 0.1 }],
    },
    'saved',
  );
  expect(Object.keys(charts)).toEqual(['saved.svg', 'saved-curve.svg']);
  for (const svg of Object.values(charts)) {
    expect(svg).toMatch(/^<svg [^]*<\/svg>\n$/);
    expect(svg).toContain('>an adapter</text>');
    expect(svg).toContain('>Node 20.20, median of 7 rounds, 2026-11-22</text>');
    expect(svg).not.toMatch(/NaN|undefined/);
  }
  expect(charts['saved.svg']).toContain('>1e5</text>');
  expect(charts['saved-curve.svg']).toContain('>ours</text>');
});

test('what was not measured is not drawn', () => {
  expect(drawCharts({ ...results, rows: [row('ours', '1e4', null)] }, 'saved')).toEqual({});
});
