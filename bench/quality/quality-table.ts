import type { Run } from './train-once.js';

/**
 * Per task and variant: the final loss, its mean and spread over seeds, and how far it lies from the first variant with the same seed, in
 * units of the spread that this has over its seeds.
 */
export function qualityTable(runs: readonly (Run & { task?: string })[]): string {
  const lines = [
    '| task | kept as | bytes per parameter | final loss | of the seeds | from the first, in its spreads |',
    '| ---- | ------- | ------------------: | ---------: | -----------: | -----------------------------: |',
  ];
  for (const task of new Set(runs.map((run) => run.task))) {
    const losses = (variant: string) =>
      new Map(
        runs
          .filter((run) => run.task === task && run.variant === variant)
          .map((run) => [run.seed, run.heldOutLoss]),
      );
    const names = [...new Set(runs.filter((run) => run.task === task).map((run) => run.variant))];
    const whole = losses(names[0]!);
    const spread = deviation([...whole.values()]);
    for (const name of names) {
      const own = losses(name);
      const values = [...own.values()];
      const off = [...own].flatMap(([seed, loss]) => (whole.has(seed) ? [loss - whole.get(seed)!] : []));
      const bytes = runs.find((run) => run.task === task && run.variant === name)!.bytesPerParameter;
      lines.push(
        `| ${[
          task,
          name,
          bytes.toFixed(2),
          `${mean(values).toFixed(4)} ± ${deviation(values).toFixed(4)}`,
          `${Math.min(...values).toFixed(4)} to ${Math.max(...values).toFixed(4)}`,
          name === names[0] ? '' : (mean(off) / spread).toFixed(2),
        ].join(' | ')} |`,
      );
    }
  }
  return lines.join('\n');
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of a sample. */
function deviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}
