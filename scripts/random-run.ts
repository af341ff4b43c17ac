/**
 * `npm run random`: random calls, awaited by nobody, against a model on the CPU, in Node on Dawn and SwiftShader. It goes on for
 * as long as one likes; a failure is printed with its seed, its case and the fewest calls that it takes.
 *
 * Its exit status is 1 if a case failed.
 */
import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { runnerImport } from 'vite';
import type { RandomRunOptions } from '../test/random/random-run.js';
import { swiftShaderDriver } from './find-browser.js';

const {
  minutes,
  seed,
  case: only,
} = new Command('npm run random --')
  .description('Makes random calls and holds all that they come to against a model.')
  .option('--minutes <number>', 'how long', Number, 10)
  .option('--seed <integer>', 'repeats a run', Number, randomInt(2 ** 31))
  .option('--case <integer>', 'only the case of this number', Number)
  .parse()
  .opts<{ minutes: number; seed: number; case?: number }>();

const driver = swiftShaderDriver();
if (driver === undefined) {
  throw new Error(
    'No SwiftShader, whose bits the model has: it comes with Chrome or Chromium on Linux (vk_swiftshader_icd.json). ' +
      'Install one, or name its executable in CHROME_PATH.',
  );
}
// A Vulkan loader that sees one driver leaves Dawn no choice. Loaders before 1.3.207 know the second name only.
process.env['VK_DRIVER_FILES'] = driver;
process.env['VK_ICD_FILENAMES'] = driver;
const { create, globals } = await import('webgpu');
Object.assign(globalThis, globals);

// Shaders are modules of the bundler.
const { module } = await runnerImport<{ randomRun(options: RandomRunOptions): Promise<number> }>(
  fileURLToPath(new URL('../test/random/random-run.ts', import.meta.url)),
  { configFile: false, logLevel: 'error', root: fileURLToPath(new URL('..', import.meta.url)) },
);
console.log(`--seed ${seed}`);
const failed = await module.randomRun({
  minutes,
  seed,
  only,
  gpu: create([]),
  log: (line) => console.log(line),
});
process.exit(failed > 0 ? 1 : 0);
