/**
 * `npm run quality`: what fewer bits cost in training, and what other rules gain: final losses of some tasks, each with each seed, with
 * weights and state kept in several ways, in Node on Dawn and SwiftShader. Lines of JSON, a run each; `--table` reads such lines and makes a table of them.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Quality from '../bench/quality/run-quality.js';
import { qualityTable } from '../bench/quality/quality-table.js';
import type { Run } from '../bench/quality/train-once.js';
import { packMnist } from '../lab/tasks/digits-plugin.js';
import { readMobyDick } from '../lab/tasks/moby-dick-plugin.js';
import { importForGpu } from './import-for-gpu.js';
import {
  UsageError,
  createCommand,
  integerFrom,
  positiveNumber,
  runCommand,
} from './terminal/command-line.js';

await runCommand('quality', async () => {
  const { task, variants, seeds, firstSeed, lr, table } = createCommand('npm run quality --')
    .description('Trains with weights and state kept in several ways.')
    .option('--task <name>', 'digits, text or autoencoder', 'digits')
    .option('--variants <names>', 'some of them, between semicolons; without it all ways of keeping numbers')
    .option('--first-seed <integer>', 'where seeds begin', integerFrom(1), 1)
    .option('--lr <number>', "the first step's, in place of the task's", positiveNumber)
    .option('--seeds <integer>', 'how many', integerFrom(1), 5)
    .option('--table <files...>', 'makes a table of what runs printed')
    .parse()
    .opts<{
      task: string;
      variants?: string;
      seeds: number;
      firstSeed: number;
      lr?: number;
      table?: string[];
    }>();

  if (table) {
    const lines = table.flatMap((file) => readFileSync(file, 'utf8').split('\n'));
    console.log(
      qualityTable(lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Run)),
    );
  } else {
    // TensorFlow.js asks for it where it finds Node, though its modules are loaded as a bundler's.
    Object.assign(globalThis, { require: createRequire(import.meta.url) });
    const { module, gpu } = await importForGpu('bench/quality/run-quality.ts');
    const { runQuality, RULE_VARIANTS, TASKS, VARIANTS } = module as typeof Quality;
    const names = variants?.split(';').map((name) => name.trim());
    const all = [...VARIANTS, ...RULE_VARIANTS];
    const known = all.map(({ name }) => name);
    const unknown = names?.find((name) => !known.includes(name));
    if (!Object.hasOwn(TASKS, task))
      throw new UsageError(`"${task}" is no task; --task is one of ${Object.keys(TASKS).join(', ')}.`);
    if (unknown !== undefined)
      throw new UsageError(`"${unknown}" is no variant; --variants takes some of: ${known.join('; ')}.`);
    await runQuality({
      gpu,
      files: { digits: await packMnist(), text: new TextDecoder().decode(await readMobyDick()) },
      task,
      variants: names ? all.filter(({ name }) => names.includes(name)) : VARIANTS,
      seeds,
      firstSeed,
      lr,
      // Of rates that are tried, each has a line of its own in the table.
      onRun: (run) =>
        console.log(
          JSON.stringify({ task, ...run, ...(lr !== undefined && { variant: `${run.variant}, ${lr}` }) }),
        ),
    });
  }
});
