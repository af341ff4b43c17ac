/** The results that others have sent: those of bench/results, of which the newest of each adapter is shown. */
import type { Results, Row } from '../../lab/measuring/rows.js';
import { element } from '../site/elements.js';
import { fillTable } from '../site/table.js';
import { formatFraction, formatMs, formatShare } from './format.js';

const HEADINGS = [
  'GPU',
  'browser',
  'date',
  'rule',
  'elements',
  'ms',
  'GB/s',
  'of limit',
  'of copy',
  '× naive',
];

const files = import.meta.glob<Results>('../../bench/results/*.json', { import: 'default' });

/** Fills the table of what is there; with no result, the panel stays hidden. */
export async function showRecorded(): Promise<void> {
  const all = await Promise.all(Object.values(files).map((load) => load()));
  const rows = tabulate(all);
  fillTable(element('recorded-table', HTMLTableElement), HEADINGS, rows);
  element('recorded-results', HTMLElement).hidden = rows.length === 0;
}

/** A line per rule of our steps of each adapter, by its newest result that has the rule, over its largest single tensor there. */
export function tabulate(all: readonly Results[]): string[][] {
  const newest = new Map<string, { results: Results; row: Row }>();
  // Other suites of the benchmark have rows of other kinds.
  const steps = all.filter((results) => !('suite' in results) && results.rows.some(isOurs));
  for (const results of steps.toSorted((a, b) => a.date.localeCompare(b.date))) {
    const largest = new Map<string, Row>();
    for (const row of results.rows.filter(isOurs)) {
      const known = largest.get(row.rule);
      if (!known || Number(row.case) > Number(known.case)) largest.set(row.rule, row);
    }
    for (const [rule, row] of largest) newest.set(`${results.adapter} ${rule}`, { results, row });
  }
  return Array.from(newest.values(), ({ results: { adapter, browser, date, rows }, row }) => {
    const timesOurs = (peer: string) => {
      const other = rows.find((o) => o.peer === peer && o.rule === row.rule && o.case === row.case);
      return other && other.medianMs / row.medianMs;
    };
    const [ofCopy, ofNaive] = [timesOurs('copy'), timesOurs('naive')];
    return [
      adapter,
      browser,
      date.slice(0, 10),
      row.rule,
      row.case,
      formatMs(row.medianMs),
      row.gbPerSecond.toPrecision(3),
      formatFraction(row),
      ofCopy ? formatShare(ofCopy) : '–',
      ofNaive?.toPrecision(3) ?? '–',
    ];
  }).toSorted((a, b) => a[0]!.localeCompare(b[0]!) || Number(b[6]) - Number(a[6]));
}

/** Of one tensor: `1000x1e3` and the like are no numbers. */
const isOurs = (row: Row): boolean => row.peer === 'ours' && Number(row.case) > 0;
