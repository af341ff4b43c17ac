/** `npm run bench`: see bench/README.md. */
import type { BenchPage } from '../lab/measuring/protocol.js';
import type { Results } from '../lab/measuring/rows.js';
import { UsageError, runCommand } from '../scripts/terminal/command-line.js';
import { type CommonOptions, commonOptions, createSuiteCommand, readRequest } from './common-options.js';
import { compareFiles } from './compare.js';
import { measureAll } from './measure.js';
import { measureSuite } from './measure-suite.js';
import { type BenchOptions, readOptions } from './options.js';
import type { Session } from './session/session.js';
import type { Suite, SuitePage, SuiteResults } from './suite.js';
import { formatSuite } from './suite-table.js';
import { suites } from './suites/suites.js';
import { formatTable } from './table.js';

/** Firefox tells that work is done at its next tick, 100 ms apart. */
const FIREFOX_FACTOR = 10;

await runCommand('bench', async () => {
  const { suite, compare } = readRequest(process.argv);
  if (compare) console.log(compared(compare));
  else if (suite === 'steps') await runSteps();
  else await runSuite(suite, suites[suite] as Suite<unknown>);
});

/** Files that cannot be compared are wrong arguments. */
function compared(files: readonly string[]): string {
  try {
    return compareFiles(files);
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

async function runSteps(): Promise<void> {
  const options = readOptions(process.argv);
  const results = await using(openStepsSession(options), (session) => measureAll(session, options));
  await show(results, options, formatTable(results, options.wide));
}

async function runSuite(name: keyof typeof suites, definition: Suite<unknown>): Promise<void> {
  const { description, rounds, minMeasurementMs, plugins } = definition;
  const command = createSuiteCommand(`Measures ${description}.`, String(rounds));
  definition.addOptions(command);
  command.parse(process.argv);
  const options = commonOptions(command, rounds);
  const { openBrowserSession } = await import('./session/browser-session.js');
  const session = openBrowserSession<SuitePage<unknown>>(name, options.adapter, {
    browser: options.browser,
    ...(plugins && { plugins: await plugins() }),
  });
  const factor = options.browser === 'firefox' ? FIREFOX_FACTOR : 1;
  const run = { suite: name, rounds: options.rounds, seed: options.seed };
  const results = await using(session, (opened) =>
    measureSuite(opened, definition.heats(command.opts()), {
      ...run,
      minMeasurementMs: factor * minMeasurementMs,
    }),
  );
  await show(results, options, formatSuite(results, options.wide));
}

/** Each runtime is loaded only when it is wanted: a machine may lack what the other one needs. */
async function openStepsSession(options: BenchOptions): Promise<Session<BenchPage>> {
  const { runtime, adapter, browser } = options;
  if (runtime === 'node') return (await import('./session/node-session.js')).openNodeSession(adapter);
  const { openBrowserSession } = await import('./session/browser-session.js');
  return openBrowserSession<BenchPage>('steps', adapter, { browser });
}

async function using<S extends { close(): Promise<void> }, R>(
  opening: Promise<S>,
  use: (session: S) => Promise<R>,
): Promise<R> {
  const session = await opening;
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

async function show(
  results: Results | SuiteResults,
  { json, save }: CommonOptions,
  table: string,
): Promise<void> {
  if (save) {
    // Only who draws waits for the chart library to load.
    const { saveResults } = await import('./session/save-results.js');
    saveResults(results);
  }
  console.log(json ? JSON.stringify(results) : table);
}
