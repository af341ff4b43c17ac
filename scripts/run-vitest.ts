/** Runs vitest once in a child process that cannot outlive its time, and counts what it did. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Counts } from './count-reporter.js';

const GRACE_MS = 10_000;
const REPORTER = fileURLToPath(new URL('count-reporter.ts', import.meta.url));

export interface VitestRun {
  passed: number;
  failed: number;
  skipped: number;
  /** What failed and why, a text each. */
  failures: string[];
}

/** Where and how loudly vitest runs. */
export interface VitestOptions {
  /** The tree whose tests are run. Default: where this process runs. */
  readonly cwd?: string;
  /** Whether nothing is printed. */
  readonly quiet?: boolean;
}

/**
 * Runs vitest, never in watch mode. A run that does not end well has at least one failure, whatever its tests say.
 */
export async function runVitest(
  args: readonly string[],
  limitMs: number,
  options: VitestOptions = {},
): Promise<VitestRun> {
  const folder = mkdtempSync(join(tmpdir(), 'webgpu-optim-test-'));
  const file = join(folder, 'counts.json');
  try {
    const pids = join(folder, 'browser-pids');
    const environment = { TEST_COUNTS_FILE: file, BROWSER_PIDS_FILE: pids };
    const exitCode = await spawnVitest(args, limitMs, environment, options);
    // No exit code: it was killed, and had no chance to close its browsers.
    if (exitCode === null) killListed(pids);
    const counts = readCounts(file);
    let failed = counts.failed + counts.other;
    if (failed === 0 && (exitCode !== 0 || !counts.complete)) {
      failed = 1;
      counts.failures.push(`vitest ${args.join(' ')}: ended with ${exitCode ?? 'a signal'}`);
    }
    return { passed: counts.passed, failed, skipped: counts.skipped, failures: counts.failures };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function spawnVitest(
  args: readonly string[],
  limitMs: number,
  environment: Record<string, string>,
  { cwd = process.cwd(), quiet = false }: VitestOptions,
): Promise<number | null> {
  const { resolve: find } = createRequire(join(cwd, 'package.json'));
  const entry = join(dirname(find('vitest/package.json')), 'vitest.mjs');
  const reporters = args.some((arg) => arg.startsWith('--reporter')) ? [] : ['--reporter=default'];
  const child = spawn(
    process.execPath,
    [entry, 'run', ...reporters, `--reporter=${REPORTER}`, '--no-watch', ...args],
    {
      cwd,
      stdio: quiet ? 'ignore' : ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...environment },
      // A group of its own, so that one signal reaches vitest's workers too.
      detached: process.platform !== 'win32',
    },
  );
  const stop = (reason: string): void => {
    if (!quiet) console.error(`\n${reason}: stopping vitest`);
    signalGroup(child, 'SIGTERM');
    // The first signal lets vitest close its browsers.
    setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS).unref();
  };
  const watchdog = setTimeout(() => stop(`Not done after ${limitMs / 60_000} minutes`), limitMs);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, stop);
  try {
    return await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve(code));
    });
  } finally {
    clearTimeout(watchdog);
    for (const signal of signals) process.off(signal, stop);
    // Workers that hang do not notice that vitest is gone.
    signalGroup(child, 'SIGKILL');
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid !== undefined) signalProcesses(child.pid, signal);
}

function killListed(file: string): void {
  if (!existsSync(file)) return;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const pid = Number(line);
    if (Number.isInteger(pid) && pid > 1) signalProcesses(pid, 'SIGKILL');
  }
}

/** Signals the group that a process leads, where the system has such groups. */
function signalProcesses(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(process.platform === 'win32' ? leader : -leader, signal);
  } catch {
    // It is gone already, which is what was wanted.
  }
}

function readCounts(file: string): Counts {
  try {
    // Only count-reporter.ts writes this file.
    const counts: Counts = JSON.parse(readFileSync(file, 'utf8'));
    return counts;
  } catch {
    return { passed: 0, failed: 0, skipped: 0, other: 0, failures: [], complete: false };
  }
}
