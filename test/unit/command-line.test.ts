/** What commands of this repository do on mistakes, without a reader, and when they are interrupted. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasScreen } from '../../scripts/terminal/screen.js';

const COMMAND_LINE = resolve('scripts/terminal/command-line.ts');
const LEAVING = resolve('scripts/terminal/leaving.ts');

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'webgpu-optim-command-'));
});

afterAll(() => rm(folder, { recursive: true }));

interface Ending {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `body` as the main function of a command that takes `--count <integer>`. */
async function start(body: string, args: readonly string[] = []) {
  const file = join(folder, `${Math.random()}.mts`);
  await writeFile(
    file,
    `import { UsageError, createCommand, integerFrom, runCommand } from ${JSON.stringify(COMMAND_LINE)};
     import { beforeLeaving } from ${JSON.stringify(LEAVING)};
     await runCommand('count', async () => {
       const { count } = createCommand('npm run count --').option('--count <n>', 'of what', integerFrom(1, 9)).parse().opts();
       ${body}
     });`,
  );
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => (stdout += String(data)));
  child.stderr.on('data', (data) => (stderr += String(data)));
  const ended = once(child, 'close').then(([status]): Ending => ({
    status: status as number | null,
    stdout,
    stderr,
  }));
  return { child, ended };
}

async function run(body: string, args?: readonly string[]): Promise<Ending> {
  return (await start(body, args)).ended;
}

test.for([
  [['--count', '3'], 0, ''],
  [['--count', '0'], 2, '"0" is no integer from 1 to 9.'],
  [['--count', ''], 2, '"" is no integer from 1 to 9.'],
  [['more'], 2, 'error: too many arguments'],
] as const)('%j ends with status %d and one line at most', async ([args, status, complaint]) => {
  const { stderr, ...ending } = await run('console.log(count)', args);
  expect(ending.status).toBe(status);
  expect(stderr).toContain(complaint);
  expect(stderr.split('\n').length).toBe(status === 0 ? 1 : 2);
});

describe('what a command throws', () => {
  test.for([
    ['new UsageError(\'there is no rule "x"\')', 2, /^error: there is no rule "x"\n$/],
    ["new Error('No browser.')", 1, /^count: No browser\.\n$/],
    ["new TypeError('our mistake')", 1, /TypeError: our mistake\n +at /],
  ] as const)('%s', async ([error, status, message]) => {
    expect(await run(`throw ${error};`)).toMatchObject({ status, stderr: expect.stringMatching(message) });
  });
});

test('without a reader, a command puts things right and ends quietly', async () => {
  const mark = join(folder, 'right');
  const { child, ended } = await start(
    `const { writeFileSync } = await import('node:fs');
     beforeLeaving(() => writeFileSync(${JSON.stringify(mark)}, 'yes'));
     for (;;) { console.log('line'); await new Promise((done) => setTimeout(done, 5)); }`,
  );
  child.stdout.once('data', () => child.stdout.destroy());
  expect(await ended).toMatchObject({ status: 0, stderr: '' });
  expect(await readFile(mark, 'utf8')).toBe('yes');
});

test('an interrupted command does what is to be done, the last thing first, and says nothing of what fails', async () => {
  const { child, ended } = await start(
    `let fail; const failing = new Promise((_, reject) => { fail = reject; });
     beforeLeaving(async () => { await new Promise((done) => setTimeout(done, 200)); console.log('browser'); fail(new Error('The browser went away.')); });
     beforeLeaving(() => { console.log('bar'); throw new Error('no'); });
     beforeLeaving(() => console.log('never'))();
     console.log('ready');
     setInterval(() => {}, 1000);
     await failing;`,
  );
  // npm and tsx pass on what the terminal has sent already.
  child.stdout.once('data', () => child.kill('SIGINT'));
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGINT'), 20));
  expect(await ended).toEqual({ status: 130, stdout: 'ready\nbar\nbrowser\n', stderr: '' });
});

test('a browser is opened where there is a screen', () => {
  expect(hasScreen('linux', {})).toBe(false);
  expect(hasScreen('linux', { DISPLAY: ':0' })).toBe(true);
  expect(hasScreen('linux', { WAYLAND_DISPLAY: 'wayland-0' })).toBe(true);
  expect(hasScreen('linux', { DISPLAY: ':0', CI: 'true' })).toBe(false);
  expect(hasScreen('darwin', {})).toBe(true);
  expect(hasScreen('win32', { SSH_CONNECTION: '10.0.0.1' })).toBe(false);
});
