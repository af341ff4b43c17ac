/** `npm run train`: trains a network on digits in a headless browser, our kernels doing the updates. */
import type { TrainingSummary } from '../demo/train/reports.js';
import { type TrainCommand, parseTrainCommand } from './train-command.js';
import { TrainingPage } from './train-page.js';
import { createProgress } from './train-progress.js';
import { comparisonRow, formatComparison, formatSummary, summaryRecord } from './train-results.js';
import { UsageError, runCommand } from './terminal/command-line.js';
import { beforeLeaving } from './terminal/leaving.js';
import { startDemoServer } from './train-server.js';

await runCommand('train', main);

async function main(): Promise<void> {
  const command = parseTrainCommand(process.argv);
  const server = await startDemoServer();
  try {
    const knownRules = await server.ruleNames();
    if (!knownRules.includes(command.rule)) {
      throw new UsageError(`there is no rule '${command.rule}'. The rules are: ${knownRules.join(', ')}.`);
    }
    const page = await TrainingPage.open(command.browser, server.url);
    try {
      await (command.compare ? compare(page, command) : trainOnce(page, command));
    } finally {
      await page.close();
    }
  } finally {
    await server.close();
  }
}

async function trainOnce(page: TrainingPage, command: TrainCommand): Promise<void> {
  const { rule, lr, stateDtype } = command;
  const title = page.environment.rules[rule]!;
  const summary = await trainWithProgress(page, command, title, () =>
    page.start({ source: 'webgpu-optim', rule, lr, stateDtype }, command.training),
  );
  const result = {
    rule,
    title,
    stateDtype,
    seed: command.training.seed,
    summary,
    environment: page.environment,
  };
  console.log(command.json ? JSON.stringify(summaryRecord(result)) : formatSummary(result));
}

async function compare(page: TrainingPage, command: TrainCommand): Promise<void> {
  const { rules, peers } = page.environment;
  const rows = [];
  for (const [rule, title] of Object.entries(rules)) {
    const hasPeer = peers.includes(rule);
    for (const source of hasPeer ? (['webgpu-optim', 'tfjs'] as const) : (['webgpu-optim'] as const)) {
      const optimizer = source === 'tfjs' ? `tf.train.${rule}` : title;
      // With tfjs's formula both rows of a pair compute the same numbers, and only the time differs.
      const summary = await trainWithProgress(page, command, optimizer, () =>
        page.start({ source, rule, tfjsFormula: hasPeer }, command.training),
      );
      rows.push(comparisonRow(optimizer, summary));
    }
  }
  const comparison = { rows, seed: command.training.seed, environment: page.environment };
  if (command.json) {
    const { adapter, browser } = page.environment;
    console.log(JSON.stringify({ rows, adapter, browser, seed: comparison.seed }));
  } else {
    console.log(formatComparison(comparison));
  }
}

async function trainWithProgress(
  page: TrainingPage,
  command: TrainCommand,
  title: string,
  start: () => Promise<TrainingSummary>,
): Promise<TrainingSummary> {
  // With --json, standard output belongs to the result.
  const progress = createProgress(title, command.json ? process.stderr : process.stdout);
  // Else an interrupted bar would keep the cursor, and the wrapping of lines, for itself.
  const takeBack = beforeLeaving(() => progress.stop());
  page.onReport = (report) => progress.show(report);
  try {
    return await start();
  } finally {
    takeBack();
    progress.stop();
  }
}
