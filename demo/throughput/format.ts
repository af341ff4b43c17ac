/** Numbers of the Throughput page as text. */
import type { Results, Row } from '../../lab/measuring/rows.js';
import { type DemoPeer, peerTitles } from './peers.js';

const UNITS = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const;

/** Three digits and a unit, as in `1.35 G`. */
export function formatRate(perSecond: number): string {
  const [divisor, unit] = UNITS.find(([least]) => perSecond >= least) ?? [1, ''];
  return `${(perSecond / divisor).toPrecision(3)} ${unit}`.trim();
}

/** Three digits. */
export const formatMs = (ms: number): string => (ms >= 1000 ? Math.round(ms).toString() : ms.toPrecision(3));

/** Whole per cents. */
export const formatShare = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** Of the GPU's limit, which says nothing about the CPU and its caches. */
export const formatFraction = (row: Row): string =>
  row.fractionOfLimit === null || row.peer === 'cpu' ? '–' : formatShare(row.fractionOfLimit);

/** What visitors read for a row's peer. */
export const titleOf = (row: Row): string => peerTitles[row.peer as DemoPeer];

/** How many times the time of ours a row of the same size takes. */
export function timesOurs(row: Row, rows: readonly Row[]): number {
  const ours = rows.find(
    (other) => other.peer === 'ours' && other.case === row.case && other.rule === row.rule,
  );
  return row.medianMs / ours!.medianMs;
}

/** The result as plain text, to paste where people compare GPUs. */
export function formatCard({ adapter, browser, date, rounds, seed, rows }: Results): string {
  const width = Math.max(...rows.map(({ rule }) => rule.length));
  const lines = rows.map((row) =>
    [
      row.rule.padEnd(width),
      row.case.padEnd(5),
      titleOf(row).padEnd(29),
      `${formatMs(row.medianMs)} ms`.padStart(10),
      `(min ${formatMs(row.minMs)})`.padStart(13),
      `${row.gbPerSecond.toPrecision(3)} GB/s`.padStart(12),
      `${formatFraction(row)} of the limit`.padStart(20),
      `${timesOurs(row, rows).toPrecision(3)} × ours`.padStart(13),
    ].join(' '),
  );
  return [
    'webgpu-optim: a step over so many elements, rates as if all were float32',
    `${adapter} · ${browser} · ${date.slice(0, 10)} · median of ${rounds} interleaved rounds, seed ${seed}`,
    '',
    ...lines,
  ].join('\n');
}
