/**
 * `npm run programs -- <folder>`: published programs from a clone of tfjs-examples or of jax-js, in headless Chrome: each with its own
 * optimizer, and with one line changed to ours. Told is by how much losses differ, and what is left behind.
 *
 * What a program loads from elsewhere is stood in for by data of the same shapes; what is, is told. With `--write`, rows of
 * docs/programs.md are those of this run.
 *
 * Its exit status is 1 if a program with ours leaves more alive than with its own, or has errors that it has not with its own.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Browser } from 'puppeteer';
import { launchBrowser } from './browsers.js';
import { writeRow } from './programs/docs-page.js';
import { JAX_PROGRAMS } from './programs/jax-list.js';
import { bundleJaxProgram } from './programs/jax-page.js';
import { PROGRAMS } from './programs/list.js';
import { EMPTY, bundleProgram } from './programs/program-page.js';
import { type ProgramRun, isGood, rowOf, tell } from './programs/report.js';
import { LIMIT_MS, runPage } from './programs/run-page.js';
import { UsageError, createCommand, runCommand } from './terminal/command-line.js';

/**
 * Programs read values at once, which tfjs does by way of a canvas. Without a GPU, pictures of WebGPU come to a canvas only where Chrome
 * draws by the same driver; else they are empty, and its process for the GPU may end.
 */
const ARGS = ['--enable-features=Vulkan', '--use-vulkan=swiftshader', '--use-angle=swiftshader'];

/** A program that can be run with its own optimizer, and with ours. */
interface Runnable {
  readonly name: string;
  readonly run: (browser: Browser, isOurs: boolean) => Promise<ProgramRun>;
}

const command = createCommand('npm run programs --')
  .description("Runs published programs with the framework's own optimizer and with ours.")
  .argument(
    '<folder>',
    'a clone of https://github.com/tensorflow/tfjs-examples or https://github.com/ekzhang/jax-js',
  )
  .option('--only <names...>', 'some of them')
  .option('--write', 'write what was found to docs/programs.md');

await runCommand('programs', async () => {
  command.parse();
  const { only, write = false } = command.opts<{ only?: readonly string[]; write?: boolean }>();
  const folder = resolve(command.args[0]!);
  const all = existsSync(join(folder, 'packages/optax')) ? jaxPrograms(folder) : tfjsPrograms(folder);
  const names = all.map(({ name }) => name);
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`There is no program "${unknown}"; there are ${names.join(', ')}.`);
  }
  return main(
    all.filter(({ name }) => only?.includes(name) ?? true),
    write,
  );
});

async function main(programs: readonly Runnable[], write: boolean): Promise<number> {
  const browser = await launchBrowser('chrome', { callTimeoutMs: LIMIT_MS, args: ARGS });
  let areGood = true;
  for (const { name, run } of programs) {
    const begin = performance.now();
    try {
      const theirs = await run(browser, false);
      const comparison = { name, theirs, ours: await run(browser, true) };
      console.log(`${tell(comparison)}\n  took ${Math.round((performance.now() - begin) / 1000)} s`);
      areGood &&= isGood(comparison);
      if (write) writeRow(name, rowOf(comparison));
    } catch (error) {
      // The others are to be told of, too.
      console.log(error instanceof Error ? error.message : String(error));
      areGood = false;
    }
  }
  await browser.close();
  return areGood ? 0 : 1;
}

function whose(name: string, isOurs: boolean): string {
  return `${name}, ${isOurs ? 'ours' : 'its own'}`;
}

function tfjsPrograms(folder: string): Runnable[] {
  return PROGRAMS.map((program) => ({
    name: program.name,
    run: async (browser, isOurs) => {
      const bundled = await bundleProgram(folder, program, isOurs);
      const page = { what: whose(program.name, isOurs), folder: join(folder, program.name), ...bundled };
      return runPage(browser, page);
    },
  }));
}

function jaxPrograms(folder: string): Runnable[] {
  return JAX_PROGRAMS.map((program) => ({
    name: program.name,
    run: async (browser, isOurs) => {
      const script = await bundleJaxProgram(folder, program, isOurs);
      return runPage(browser, { what: whose(program.name, isOurs), folder, html: EMPTY, script });
    },
  }));
}
