import type { SuiteResults, SuiteRow } from './suite.js';
import { formatMs, markdownTable, terminalTable, wrap } from './table.js';

const TEXT_COLUMNS = ['case', 'contestant'];

/** What a terminal of 80 columns has room for. */
const NARROW = ['contestant', 'median ms', 'min ms', 'host ms', 'cpu ms', '× base', 'dispatches'];

/** The results of a suite as tables for the terminal, one per case, headed by where they were measured; `wide` with all columns. */
export function formatSuite(results: SuiteResults, wide: boolean): string {
  const { adapter, browser, rounds, seed, suite, baseline } = results;
  const lines = results.rows.map((row) => ({ group: row.case, cells: [row.contestant, ...numbers(row)] }));
  const head = columns({ baseline: 'base' }).slice(1);
  return [
    wrap(`${adapter}, ${browser}: ${suite}, ${rounds} rounds, seed ${seed}; base: ${baseline}`),
    terminalTable(head, lines, wide ? undefined : NARROW),
  ].join('\n');
}

/** The results of a suite as a Markdown table. */
export function formatSuiteMarkdown(results: SuiteResults): string {
  const lines = results.rows.map((row) => [row.case, row.contestant, ...numbers(row)]);
  return markdownTable(columns(results), lines, TEXT_COLUMNS.length);
}

const columns = ({ baseline }: Pick<SuiteResults, 'baseline'>): string[] => [
  ...TEXT_COLUMNS,
  'median ms',
  'min ms',
  'host ms',
  'cpu ms',
  `× ${baseline}`,
  'dispatches',
  'submits',
  'new objects',
];

const numbers = (row: SuiteRow): string[] => [
  formatMs(row.medianMs),
  formatMs(row.minMs),
  row.hostMs === undefined ? '' : formatMs(row.hostMs),
  row.cpuMs === null ? '' : formatMs(row.cpuMs),
  row.timesBaseline.toPrecision(3),
  ...[row.dispatches, row.submits, row.newObjects].map(String),
];
