import type { SuiteResults, SuiteRow } from './suite.js';
import { formatMs, markdownTable, terminalTable } from './table.js';

const TEXT_COLUMNS = ['case', 'contestant'];

/** The results of a suite as a table for the terminal, headed by where they were measured. */
export function formatSuite(results: SuiteResults): string {
  const { adapter, browser, rounds, seed, suite } = results;
  const lines = results.rows.map((row, index) => {
    const isSameCase = results.rows[index - 1]?.case === row.case;
    return [isSameCase ? '' : row.case, row.contestant, ...numbers(row)];
  });
  return [
    `${adapter}, ${browser}: ${suite}, ${rounds} rounds, seed ${seed}`,
    terminalTable(columns(results), lines, TEXT_COLUMNS.length, process.stdout.isTTY),
  ].join('\n');
}

/** The results of a suite as a Markdown table. */
export function formatSuiteMarkdown(results: SuiteResults): string {
  const lines = results.rows.map((row) => [row.case, row.contestant, ...numbers(row)]);
  return markdownTable(columns(results), lines, TEXT_COLUMNS.length);
}

const columns = ({ baseline }: SuiteResults): string[] => [
  ...TEXT_COLUMNS,
  'median ms',
  'min ms',
  'cpu ms',
  `× ${baseline}`,
  'dispatches',
  'submits',
  'new objects',
];

const numbers = (row: SuiteRow): string[] => [
  formatMs(row.medianMs),
  formatMs(row.minMs),
  row.cpuMs === null ? '' : formatMs(row.cpuMs),
  row.timesBaseline.toPrecision(3),
  ...[row.dispatches, row.submits, row.newObjects].map(String),
];
