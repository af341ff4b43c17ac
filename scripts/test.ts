/**
 * `npm test`: the unit tests in Node and the GPU tests in real browsers. Arguments go on to vitest:
 * `npm test -- --project chrome test/gpu/adapter.test.ts`, `npm test -- -t name`. `npm run test:all` leaves out nothing that
 * else the seed draws.
 *
 * The last line on stdout is always `N passed, N failed`, with `, N skipped` if there were any.
 */
import { randomInt } from 'node:crypto';
import { ensureBrowser } from './browsers.js';
import { ensureNatsServer } from './nats-server.js';
import { runVitest } from './run-vitest.js';

/** vitest's projects, and the program that each one needs, Node a browser for its SwiftShader; those that take longest first, for they begin in this order. */
const programOf = {
  node: 'chrome',
  chrome: 'chrome',
  firefox: 'firefox',
  demo: 'chrome',
  e2e: 'chrome',
  'demo-firefox': 'firefox',
  'e2e-firefox': 'firefox',
  runtimes: 'chrome',
  package: 'chrome',
  nats: 'nats-server',
  unit: undefined,
} as const;
type Project = keyof typeof programOf;
const PROJECTS = Object.keys(programOf) as Project[];

/** Firefox answers a read-back at its next tick, 100 ms apart, and Chrome compiles on one core: others can use the rest. */
const AT_A_TIME = 3;

interface LeftOut {
  project: Project;
  reason: string;
}

const { filters, rest } = splitArguments(process.argv.slice(2).filter((arg) => arg !== '--all'));
if (process.argv.includes('--all')) process.env['TEST_ALL'] = '1';
// Without the exit, a download given up for stalling would still hold this process.
process.exit(await main());

async function main(): Promise<number> {
  try {
    return await testAll();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.log('0 passed, 1 failed');
    return 1;
  }
}

async function testAll(): Promise<number> {
  const limitMinutes = watchdogMinutes();
  const wanted = PROJECTS.filter((project) => isSelected(project, filters));
  if (wanted.length === 0) {
    throw new Error(`--project ${filters.join(' ')} selects none of ${PROJECTS.join(', ')}.`);
  }
  process.env['TEST_SEED'] ||= String(randomInt(2 ** 32));
  console.log(`TEST_SEED=${process.env['TEST_SEED']}`);

  const leftOut: LeftOut[] = [];
  for (const project of wanted) {
    try {
      await ensure(programOf[project]);
    } catch (error) {
      leftOut.push({ project, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  const missing = new Set(leftOut.map(({ project }) => project));
  const ready = wanted.filter((project) => !missing.has(project));
  warn(leftOut);

  // Who asks for some of the tests wants all of them.
  if (rest.length === 0 && filters.length === 0) process.env['TEST_TURNS'] = '1';
  // With filters, one of several runs might find nothing, which is a failure.
  const queue = rest.length === 0 ? ready.map((project) => [project]) : [ready];
  const runs = await inTurn(AT_A_TIME, queue, (projects) =>
    runVitest([...projects.map((project) => `--project=${project}`), ...rest], limitMinutes * 60_000),
  );
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const run of runs)
    for (const kind of ['passed', 'failed', 'skipped'] as const) counts[kind] += run[kind];
  warn(leftOut);
  // Projects run side by side, so that what failed is anywhere in thousands of lines: here it is once more.
  const failures = runs.flatMap((run) => run.failures);
  for (const failure of failures) console.log(`FAILED ${failure}`);
  if (failures.length > 0) console.log(`TEST_SEED=${process.env['TEST_SEED']} repeats this run`);

  // Without any browser, nothing of what this library promises was tested.
  const isOfGpu = (project: Project): boolean => project !== 'unit' && project !== 'nats';
  const gpuWanted = wanted.some(isOfGpu);
  const gpuReady = ready.some(isOfGpu);
  const failed = counts.failed + (process.env['CI'] || (gpuWanted && !gpuReady) ? leftOut.length : 0);
  console.log(
    `${counts.passed} passed, ${failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`,
  );
  return failed > 0 ? 1 : 0;
}

/** Makes sure of a program that tests need. */
async function ensure(program: (typeof programOf)[Project]): Promise<void> {
  if (program === 'nats-server') ensureNatsServer();
  else if (program !== undefined) await ensureBrowser(program);
}

/** Runs `action` over items in their order, so many at a time: whoever is done takes the next. */
async function inTurn<T, R>(
  atATime: number,
  items: readonly T[],
  action: (item: T) => Promise<R>,
): Promise<R[]> {
  const waiting = [...items];
  const results: R[] = [];
  const work = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      results.push(await action(item));
    }
  };
  await Promise.all(Array.from({ length: atATime }, work));
  return results;
}

function warn(leftOut: readonly LeftOut[]): void {
  for (const { project, reason } of leftOut) {
    const lines = [
      `WARNING: nothing is tested in ${project.toUpperCase()}${process.env['CI'] ? ', which fails this CI run' : ''}`,
      '',
      ...reason.split('\n'),
    ];
    const width = Math.max(...lines.map((line) => line.length));
    const edge = '═'.repeat(width + 2);
    const box = [`╔${edge}╗`, ...lines.map((line) => `║ ${line.padEnd(width)} ║`), `╚${edge}╝`];
    console.log(`\n${box.join('\n')}\n`);
  }
}

/** Takes `--project x` and `--project=x` out of the arguments: only projects whose browser is there are passed on. */
function splitArguments(args: readonly string[]): { filters: string[]; rest: string[] } {
  const found: string[] = [];
  const others: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    if (arg === '--project') {
      index += 1;
      found.push(args[index] ?? '');
    } else if (arg.startsWith('--project=')) found.push(arg.slice('--project='.length));
    else others.push(arg);
  }
  return { filters: found, rest: others };
}

/** As vitest reads its own `--project`: names, `*` for any letters, `!` for all but these. */
function isSelected(project: string, patterns: readonly string[]): boolean {
  const matches = (pattern: string): boolean =>
    new RegExp(`^${pattern.split('*').map(escapeRegExp).join('.*')}$`, 'u').test(project);
  const negative = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
  const positive = patterns.filter((pattern) => !pattern.startsWith('!'));
  return !negative.some(matches) && (positive.length === 0 || positive.some(matches));
}

function escapeRegExp(text: string): string {
  return text.replace(/[$()*+.?[\\\]^{|}]/gu, String.raw`\$&`);
}

function watchdogMinutes(): number {
  const given = process.env['TEST_WATCHDOG_MINUTES'] ?? (process.env['TEST_ALL'] ? '120' : '25');
  const minutes = Number(given);
  if (minutes > 0 && minutes <= 600) return minutes;
  throw new Error(`TEST_WATCHDOG_MINUTES is "${given}". Use a number of minutes above 0 and up to 600.`);
}
