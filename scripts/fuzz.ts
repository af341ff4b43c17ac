/**
 * `npm run fuzz`: calls drawn by fast-check, awaited by nobody, against a model on the CPU, in Node on Dawn and SwiftShader. A failure is
 * printed as a test file with the fewest calls that it takes, and with what replays it.
 *
 * Its exit status is 1 if a case failed.
 */
import { randomInt } from 'node:crypto';
import type { FuzzOptions } from '../test/fuzz/run/fuzz-run.js';
import { importForGpu } from './import-for-gpu.js';
import { createCommand, integerFrom, positiveNumber, runCommand } from './terminal/command-line.js';

await runCommand('fuzz', async () => {
  const { cases, minutes, seed, path } = createCommand('npm run fuzz --')
    .description('Makes calls that are drawn and holds all that they come to against a model.')
    .option('--cases <integer>', 'how many', integerFrom(1), 10_000)
    .option('--minutes <number>', 'how long at most', positiveNumber, Infinity)
    .option('--seed <integer>', 'repeats a run', integerFrom(0), randomInt(2 ** 31))
    .option('--path <path>', 'only one case of that seed, as a failure names it')
    .parse()
    .opts<{ cases: number; minutes: number; seed: number; path?: string }>();

  console.log(`--seed ${seed}`);
  const { module, gpu } = await importForGpu('test/fuzz/run/fuzz-run.ts');
  const { fuzz } = module as { fuzz: (options: FuzzOptions) => Promise<number> };
  const failed = await fuzz({ cases, minutes, seed, path, gpu, log: (line) => console.log(line) });
  return failed > 0 ? 1 : 0;
});
