import type { Results } from '../../lab/measuring/rows.js';
import { formatMs, markdownTable } from '../table.js';
import type { NumericsRow } from '../../proof/numerics.js';
import type { ParityRow } from '../../proof/measure-parity.js';
import { mergeRows } from './session-rows.js';
import type { SweepRow } from './sweep.js';
import type { TorchResults } from './torch.js';

/** Everything that a session on a GPU found out. A part that was left out is null. */
export interface GpuSession {
  readonly adapter: string;
  readonly date: string;
  readonly numerics: readonly NumericsRow[];
  readonly parity: readonly ParityRow[] | null;
  readonly bench: Results | null;
  /** The step's kernel in shapes that may suit a GPU. */
  readonly shapes: readonly SweepRow[] | null;
  readonly torch: TorchResults | null;
}

/** A session as Markdown: what the arithmetic does, parity, and one table of all times. */
export function formatSession({ adapter, date, numerics, parity, bench, shapes, torch }: GpuSession): string {
  const parts = [
    `# ${adapter}\n\n${date}`,
    `## Arithmetic, float32\n\n${markdownTable(
      ['expression', 'finding'],
      numerics.map(({ question, answer }) => [question, answer]),
      2,
    )}`,
  ];
  if (parity) parts.push(`## Parity with the reference, float32\n\n${formatParity(parity)}`);
  if (bench) {
    const { browser, rounds, seed } = bench;
    const chosen = bench.shapes.map(
      (shape) => `${shape.case}: ours ${shape.ours}, limit ${shape.limit ?? 'not run'}`,
    );
    parts.push(
      `## Steps\n\n${browser}; ${torch ? `PyTorch ${torch.torch} on ${torch.device}` : 'no PyTorch'}; ` +
        `${rounds} rounds, seed ${seed}. Kernel shapes: ${chosen.join('; ')}.\n\n${formatSteps(bench, torch)}`,
    );
  }
  if (shapes) parts.push(`## Shapes of Adam's kernel, ms\n\n${formatShapes(shapes)}`);
  return parts.join('\n\n');
}

/** A line per case, a column per shape; the least of each line is what the library should choose. */
function formatShapes(rows: readonly SweepRow[]): string {
  const [cases, shapes] = (['case', 'shape'] as const).map((key) => [
    ...new Set(rows.map((row) => row[key])),
  ]) as [string[], string[]];
  const timeOf = (text: string, shape: string) =>
    rows.find((row) => row.case === text && row.shape === shape)!;
  const lines = cases.map((text) => [text, ...shapes.map((shape) => formatMs(timeOf(text, shape).medianMs))]);
  return markdownTable(['case', ...shapes], lines, 1);
}

function formatParity(rows: readonly ParityRow[]): string {
  const head = ['rule', 'cases', 'failed', 'bits equal', 'max ULP', 'of the bound'];
  const lines = rows.map(({ rule, cases, failed, sameBits, maxUlp, maxOfBound }) => [
    rule,
    ...[cases, failed, sameBits].map(String),
    maxUlp.toPrecision(3),
    `${(100 * maxOfBound).toFixed(1)} %`,
  ]);
  const failures = rows.flatMap(({ firstFailure }) => (firstFailure === null ? [] : [`- ${firstFailure}`]));
  const table = markdownTable(head, lines, 1);
  return failures.length === 0
    ? table
    : `${table}\n\nThe first failure of each rule:\n\n${failures.join('\n')}`;
}

function formatSteps(bench: Results, torch: TorchResults | null): string {
  const head = ['case', 'rule', 'who', 'wall ms', 'GPU ms', 'GB/s', 'of limit', 'of torch copy_'];
  const fraction = (value: number | null): string => (value === null ? '' : value.toFixed(2));
  const lines = mergeRows(bench, torch).map((row) => [
    row.case,
    row.rule,
    row.contestant,
    formatMs(row.medianMs),
    row.gpuMs === null ? '' : formatMs(row.gpuMs),
    row.gbPerSecond.toPrecision(4),
    fraction(row.ofLimit),
    fraction(row.ofTorchCopy),
  ]);
  return markdownTable(head, lines, 3);
}
