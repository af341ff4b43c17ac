import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import type { RuntimeName } from './report.js';

/** A runtime that is started by its name in a terminal. */
export type TerminalName = Exclude<RuntimeName, 'chrome' | 'firefox'>;

/** A program that starts, and its version. */
export interface FoundProgram {
  readonly path: string;
  readonly version: string;
}

/** What stands between a runtime's name and the file that it is to run, where it is started. */
export const FLAGS: Readonly<Record<TerminalName, readonly string[]>> = {
  deno: ['run', '--allow-read=.', '--allow-write=.'],
  node: ['--import', './use-dawn.js'],
  bun: ['--preload', './use-dawn.js'],
};

const { resolve } = createRequire(import.meta.url);

/**
 * Where the packages `deno` and `bun` have their executables: they put them there themselves if npm runs install scripts, and else
 * they stay in the package of the platform.
 */
function packaged(name: 'deno' | 'bun'): string[] {
  const { platform, arch } = process;
  const suffix = platform === 'win32' ? '.exe' : '';
  const files = {
    deno: [
      `deno/deno${suffix}`,
      `@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}/deno${suffix}`,
    ],
    bun: [
      'bun/bin/bun.exe',
      `@oven/bun-${platform === 'win32' ? 'windows' : platform}-${arch === 'arm64' ? 'aarch64' : arch}/bin/bun${suffix}`,
    ],
  };
  return files[name].flatMap((file) => {
    try {
      return [resolve(file)];
    } catch {
      return [];
    }
  });
}

/**
 * Finds Node (this one), Deno or Bun: named by `DENO_PATH` or `BUN_PATH`, else of the development dependencies, else on the `PATH`.
 *
 * @throws Error that says what to do, if none starts.
 */
export function findProgram(name: TerminalName): FoundProgram {
  if (name === 'node') return { path: process.execPath, version: process.versions.node };
  const variable = `${name.toUpperCase()}_PATH`;
  const given = process.env[variable];
  for (const path of given ? [given] : [...packaged(name), name]) {
    const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
    const version = status === 0 ? /\d+\.\d+\.\d+/.exec(stdout)?.[0] : undefined;
    if (version !== undefined) return { path, version };
  }
  throw new Error(
    given
      ? `${variable} is "${given}", which does not start. Correct it, or unset it to use the one that "npm ci" installs.`
      : `No ${name} on this machine: run "npm ci", which installs it, or name an executable in ${variable}.`,
  );
}
