/**
 * `npm run programs -- <folder>`: published programs of TensorFlow.js, from a clone of tfjs-examples, in headless Chrome: each with its own
 * optimizer, and with one line changed to `FusedOptimizer`. Told is by how much losses differ, and what is left behind.
 *
 * Its exit status is 1 if a program with ours leaves more alive than with its own, or has errors that it has not with its own.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { Browser } from 'puppeteer';
import { launchBrowser } from './browsers.js';
import { PROGRAMS, type Program } from './programs/list.js';
import { bundleProgram } from './programs/program-page.js';
import type { ProgramRecord } from './programs/tfjs.js';

const LIMIT_MS = 60_000;

interface ProgramRun extends ProgramRecord {
  readonly errors: readonly string[];
}

const command = new Command('npm run programs --')
  .description("Runs published programs with the framework's own optimizer and with ours.")
  .argument('<folder>', 'a clone of https://github.com/tensorflow/tfjs-examples')
  .addOption(new Option('--only <name>', 'one of them').choices(PROGRAMS.map(({ name }) => name)))
  .parse();
const { only } = command.opts<{ only?: string }>();
const chosen = PROGRAMS.filter(({ name }) => only === undefined || name === only);
process.exit(await main(resolve(command.args[0]!)));

async function main(folder: string): Promise<number> {
  const browser = await launchBrowser('chrome', { callTimeoutMs: LIMIT_MS });
  let isGood = true;
  try {
    for (const program of chosen) {
      const theirs = await run(browser, folder, program, false);
      const ours = await run(browser, folder, program, true);
      const furthest = Math.max(
        ...ours.losses.map((loss, k) => Math.abs(loss - theirs.losses[k]!) / Math.abs(theirs.losses[k]!)),
      );
      const grown = ({ first, last }: ProgramRecord) => last.tensors - first.tensors;
      const fresh = ours.errors.filter((error) => !theirs.errors.includes(error));
      const told = [
        `${program.name}: ${program.steps} steps, loss ${theirs.losses[0]} to ${theirs.losses.at(-1)}`,
        `  losses differ by ${furthest.toExponential(1)} of them at most`,
        ...(
          [
            ['its own', theirs],
            ['ours', ours],
          ] as const
        ).map(
          ([whose, { first, last }]) =>
            `  ${whose}: tensors ${first.tensors} to ${last.tensors}, buffers of ours ${first.buffers} to ${last.buffers}`,
        ),
        `  errors: ${fresh.join('; ') || 'none'}${theirs.errors.length > 0 ? `; ${theirs.errors.length} with its own` : ''}`,
      ];
      console.log(told.join('\n'));
      const isSmall = grown(ours) <= grown(theirs) && ours.last.buffers <= ours.first.buffers;
      isGood &&= isSmall && fresh.length === 0 && Number.isFinite(furthest);
    }
  } finally {
    await browser.close();
  }
  return isGood ? 0 : 1;
}

async function run(browser: Browser, folder: string, program: Program, isOurs: boolean): Promise<ProgramRun> {
  const { html, script } = await bundleProgram(folder, program, isOurs);
  const server = createServer(({ url }, response) => {
    if (url === '/start.js') response.setHeader('content-type', 'text/javascript').end(script);
    else response.setHeader('content-type', 'text/html').end(html);
  });
  await new Promise<void>((listening) => {
    server.listen(0, '127.0.0.1', listening);
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const page = await browser.newPage();
  try {
    const errors: string[] = [];
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    const crashed = new Promise<never>((_, reject) => {
      page.on('pageerror', (error) => {
        reject(new Error(`${program.name}, ${isOurs ? 'ours' : 'its own'}: ${String(error)}`));
      });
    });
    // What a program asks for elsewhere is not needed to train; an empty answer is no error.
    await page.setRequestInterception(true);
    page.on('request', (request) => {
      const headers = { 'access-control-allow-origin': '*' };
      const isHere = !/^https?:/.test(request.url()) || request.url().startsWith(origin);
      void (isHere ? request.continue() : request.respond({ status: 200, headers }));
    });
    await page.goto(origin);
    const finished = page
      .waitForFunction('globalThis.programRecord', { timeout: LIMIT_MS })
      .catch((error) => {
        const message = `${program.name} has not made ${program.steps} steps within ${LIMIT_MS / 1000} s`;
        throw new Error([message, ...errors].join('; '), { cause: error });
      });
    await Promise.race([finished, crashed]);
    return { ...((await page.evaluate('globalThis.programRecord')) as ProgramRecord), errors };
  } finally {
    await page.close();
    server.close();
    server.closeAllConnections();
  }
}
