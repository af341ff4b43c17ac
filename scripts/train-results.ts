/** The results of `npm run train`, for people and for programs. */
import Table from 'cli-table3';
import type { StateDtype } from '../src/index.js';
import type { TrainingSummary } from '../demo/train/reports.js';
import type { TrainingEnvironment } from './train-page.js';

/** One finished run. */
export interface TrainingResult {
  readonly rule: string;
  /** What people read of the rule. */
  readonly title: string;
  readonly stateDtype: StateDtype;
  readonly seed: number;
  readonly summary: TrainingSummary;
  readonly environment: TrainingEnvironment;
}

/** One line of a comparison. */
export interface ComparisonRow {
  readonly optimizer: string;
  /** Share of the held-out digits that are recognised, 0 … 1. */
  readonly accuracy: number;
  /** Mean cross-entropy on the held-out digits. */
  readonly loss: number;
  readonly stepMs: number;
  readonly optimizerMs: number;
}

/** A finished comparison. */
export interface Comparison {
  readonly rows: readonly ComparisonRow[];
  readonly seed: number;
  readonly environment: TrainingEnvironment;
}

/** The object that `--json` prints. Loss and accuracy are those of the held-out digits. */
export function summaryRecord({
  rule,
  stateDtype,
  seed,
  summary,
  environment,
}: TrainingResult): Record<string, unknown> {
  return {
    rule,
    stateDtype,
    accuracy: rounded(summary.accuracy, 4),
    loss: rounded(summary.loss, 6),
    steps: summary.steps,
    seconds: rounded(summary.seconds, 2),
    stepMs: rounded(summary.stepMs, 3),
    optimizerMs: rounded(summary.optimizerMs, 3),
    adapter: environment.adapter,
    browser: environment.browser,
    seed,
  };
}

/** A run in three lines. */
export function formatSummary({ title, stateDtype, seed, summary, environment }: TrainingResult): string {
  const { accuracy, loss, steps, seconds, stepMs, optimizerMs } = summary;
  const heldOut = environment.heldOutCount.toLocaleString('en');
  return [
    '',
    `${title}${stateDtype === 'f32' ? '' : `, ${stateDtype} state`}: ${percent(accuracy)} of ${heldOut} held-out digits recognised, loss ${loss.toFixed(4)}`,
    `${steps} steps in ${seconds.toFixed(1)} s; a step takes ${stepMs.toFixed(1)} ms, ` +
      `the optimizer ${optimizerMs.toFixed(2)} ms of it (${percent(optimizerMs / stepMs)})`,
    place(environment, seed),
  ].join('\n');
}

/** Turns a finished run into a line of a comparison. */
export function comparisonRow(optimizer: string, summary: TrainingSummary): ComparisonRow {
  return {
    optimizer,
    accuracy: rounded(summary.accuracy, 4),
    loss: rounded(summary.loss, 6),
    stepMs: rounded(summary.stepMs, 3),
    optimizerMs: rounded(summary.optimizerMs, 3),
  };
}

/** A comparison as a table. */
export function formatComparison({ rows, seed, environment }: Comparison): string {
  const table = new Table({
    head: ['optimizer', 'accuracy', 'loss', 'ms/step', 'optimizer ms/step'],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const { optimizer, accuracy, loss, stepMs, optimizerMs } of rows) {
    table.push([optimizer, percent(accuracy), loss.toFixed(4), stepMs.toFixed(1), optimizerMs.toFixed(2)]);
  }
  return [
    '',
    table.toString(),
    'Same seed, batches and learning rates; our rules with the formulas of tf.train. Accuracy and loss on held-out digits.',
    place(environment, seed),
  ].join('\n');
}

function place({ adapter, browser }: TrainingEnvironment, seed: number): string {
  return `${adapter} · ${browser} · seed ${seed}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
