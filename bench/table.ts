import Table from 'cli-table3';
import type { Results, Row } from '../lab/measuring/rows.js';

const COLUMNS = [
  'case',
  'rule',
  'peer',
  'median ms',
  'min ms',
  'gpu ms',
  'cpu ms',
  'Melem/s',
  'GB/s',
  'of limit',
  'of limit, gpu',
  'of limit, cpu',
  '× ours',
  'host ms',
  'dispatches',
  'submits',
  'new objects',
];

/** What a terminal of 80 columns has room for. */
const NARROW = ['peer', 'median ms', 'min ms', 'cpu ms', 'GB/s', 'of limit', '× ours', 'host ms'];

/** The results as tables for the terminal, one per case and rule, headed by the adapter's name; `wide` with all columns. */
export function formatTable(results: Results, wide: boolean): string {
  const { adapter, browser, shapes, seed, rounds } = results;
  const used = shapes.map(({ case: name, ours, why, hand, limit }) =>
    wrap(`  ${name}: ours ${ours} (${why}), hand ${hand ?? 'not run'}, limit ${limit ?? 'not run'}`, '    '),
  );
  const lines = results.rows.map((row) => ({
    group: `${row.case} ${row.rule}`,
    cells: [row.peer, ...formatNumbers(row, results.rows)],
  }));
  return [
    wrap(`${adapter}, ${browser}: ${rounds} rounds, seed ${seed}`),
    'kernel shapes, workgroup×lanes:',
    ...used,
    terminalTable(COLUMNS.slice(2), lines, wide ? undefined : NARROW),
    ...formatCurve(results),
  ].join('\n');
}

/** A line per peer and rule, if costs were fitted. */
function formatCurve({ curve = [] }: Results): string[] {
  return curve.map(
    ({ peer, rule, fixedMs, nsPerElement, worstError }) =>
      `${rule}, ${peer}: ${formatMs(fixedMs)} ms and ${nsPerElement.toPrecision(3)} ns per element, ` +
      `off by ${(100 * worstError).toFixed(0)} % at most`,
  );
}

/** The results as a Markdown table. */
export function formatMarkdown(results: Results): string {
  const lines = results.rows.map((row) => [
    row.case,
    row.rule,
    row.peer,
    ...formatNumbers(row, results.rows),
  ]);
  return markdownTable(COLUMNS, lines, 3);
}

/** A line of a table, under the heading of its group. */
export interface TableLine {
  readonly group: string;
  readonly cells: readonly string[];
}

/** A table for the terminal, without borders: the first column is text, the others numbers. `only` names the columns that are shown. */
export function terminalTable(
  head: readonly string[],
  lines: readonly TableLine[],
  only: readonly string[] = head,
): string {
  const shown = only.map((name) => head.indexOf(name));
  const pick = (cells: readonly string[]): string[] => shown.map((k) => cells[k]!);
  const table = new Table({
    chars: NO_BORDERS,
    colAligns: only.map((_, k) => (k === 0 ? 'left' : 'right')),
    style: { compact: true, head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
  });
  for (const [k, { group, cells }] of lines.entries()) {
    if (group !== lines[k - 1]?.group)
      table.push([{ content: `\n${group}`, colSpan: only.length }], pick(head));
    table.push(pick(cells));
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

const NO_BORDERS = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid', 'middle'].flatMap((side) =>
    ['', '-mid', '-left', '-right'].map((part) => [`${side}${part}`, '']),
  ),
);

/** Text in lines of 80 columns at most, where its words allow; those behind the first are indented. */
export function wrap(text: string, indent = '  '): string {
  const lines: string[] = [];
  let line = '';
  // Blanks at the beginning belong to the first word.
  for (const word of text.match(/^ *\S+|\S+/g) ?? []) {
    if (line !== '' && line.length + 1 + word.length > TERMINAL_COLUMNS) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line].join('\n');
}

const TERMINAL_COLUMNS = 80;

/** A Markdown table; the first `textColumns` columns are text, the others numbers. */
export function markdownTable(
  head: readonly string[],
  lines: readonly (readonly string[])[],
  textColumns: number,
): string {
  const rule = head.map((_, k) => (k < textColumns ? '---' : '---:'));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function formatNumbers(row: Row, rows: readonly Row[]): string[] {
  const [ours, limit] = ['ours', 'limit'].map((peer) =>
    rows.find((other) => other.peer === peer && other.case === row.case && other.rule === row.rule),
  );
  return [
    formatMs(row.medianMs),
    formatMs(row.minMs),
    row.gpuMs ? formatMs(row.gpuMs) : '',
    row.cpuMs === null ? '' : formatMs(row.cpuMs),
    (row.elementsPerSecond / 1e6).toFixed(1),
    row.gbPerSecond.toFixed(2),
    row.fractionOfLimit === null ? '' : row.fractionOfLimit.toFixed(2),
    row.gpuMs && limit?.gpuMs ? (limit.gpuMs / row.gpuMs).toFixed(2) : '',
    row.cpuMs && limit?.cpuMs ? (limit.cpuMs / row.cpuMs).toFixed(2) : '',
    ours ? (row.medianMs / ours.medianMs).toFixed(2) : '',
    formatMs(row.hostMs),
    ...[row.dispatches, row.submits, row.newObjects].map(String),
  ];
}

/** Milliseconds in three digits, four from a second on. */
export function formatMs(value: number): string {
  return value.toPrecision(value >= 1000 ? 4 : 3);
}
