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

/** The results as a table for the terminal, headed by the adapter's name. */
export function formatTable(results: Results, colour: boolean): string {
  const lines = results.rows.map((row, index) => {
    const previous = results.rows[index - 1];
    const sameHeat = previous?.case === row.case && previous.rule === row.rule;
    return [...(sameHeat ? ['', ''] : [row.case, row.rule]), row.peer, ...formatNumbers(row, results.rows)];
  });
  const { adapter, browser, shapes, seed, rounds } = results;
  const used = shapes.map(
    (shape) =>
      `\n  ${shape.case}: ours ${shape.ours} (${shape.why}), hand ${shape.hand ?? 'not run'}, limit ${shape.limit ?? 'not run'}`,
  );
  const heading =
    `${adapter}, ${browser}: ${rounds} rounds, seed ${seed}\n` +
    `kernel shapes, workgroup×lanes:${used.join('')}`;
  return [heading, terminalTable(COLUMNS, lines, 3, colour), ...formatCurve(results)].join('\n');
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

/** A table for the terminal; the first `textColumns` columns are text, the others numbers. */
export function terminalTable(
  head: readonly string[],
  lines: readonly string[][],
  textColumns: number,
  colour: boolean,
): string {
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, k) => (k < textColumns ? 'left' : 'right')),
    style: colour ? { compact: true } : { compact: true, head: [], border: [] },
  });
  table.push(...lines);
  return table.toString();
}

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
