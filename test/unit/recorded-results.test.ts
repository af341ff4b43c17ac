import { expect, test } from 'vitest';
import { tabulate } from '../../demo/throughput/recorded.js';
import type { Results } from '../../lab/measuring/rows.js';

const row = (rule: string, text: string, medianMs: number, peer = 'ours') => ({
  peer,
  rule,
  case: text,
  medianMs,
  gbPerSecond: 100 / medianMs,
  fractionOfLimit: 0.9,
});
const results = (adapter: string, date: string, ...rows: ReturnType<typeof row>[]) =>
  ({ adapter, browser: 'Chrome', date: `${date}T10:00:00Z`, rows }) as unknown as Results;

test('the newest result of each GPU and rule is shown, over its largest tensor, the fastest first', () => {
  const lines = tabulate([
    results(
      'b',
      '2026-02-01',
      row('adam', '1e6', 2),
      row('adam', '1e7', 20),
      row('adam', '1e7', 30, 'naive'),
      row('adam', '1e7', 10, 'copy'),
    ),
    results('b', '2026-01-01', row('adam', '1e8', 1), row('sgd', '1e6', 1)),
    results(
      'a',
      '2026-01-01',
      row('adam', '1e6', 4),
      row('lion', '1000x1e3', 4),
      row('adam', '1e6', 1, 'limit'),
    ),
    { ...results('c', '2026-01-01', row('adam', '1e6', 1)), suite: 'tfjs' } as unknown as Results,
  ]);
  expect(lines).toEqual([
    ['a', 'Chrome', '2026-01-01', 'adam', '1e6', '4.00', '25.0', '90 %', '–', '–'],
    ['b', 'Chrome', '2026-01-01', 'sgd', '1e6', '1.00', '100', '90 %', '–', '–'],
    ['b', 'Chrome', '2026-02-01', 'adam', '1e7', '20.0', '5.00', '90 %', '50 %', '1.50'],
  ]);
});
