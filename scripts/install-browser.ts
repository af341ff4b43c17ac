/** Puts a missing browser onto this machine: puppeteer's download, then Debian's packages. */
import { spawn, spawnSync } from 'node:child_process';
import { type Dirent, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { type BrowserKind, browserCacheDir, puppeteerCommand } from './find-browser.js';

const STALL_MS = 60_000;
/** How often to look whether a download has grown. */
const LOOK_MS = 2000;
const APT_MS = 600_000;
const APT_GET = '/usr/bin/apt-get';

/** Firefox reaches WebGPU on Linux through a Vulkan driver; this one runs on the CPU. */
export const VULKAN_PACKAGE = 'mesa-vulkan-drivers';

const PACKAGES = { chrome: ['chromium'], firefox: ['firefox-esr', VULKAN_PACKAGE] } as const;

/** The Debian packages that bring a browser of this kind and what its WebGPU needs. */
export function debianPackages(kind: BrowserKind): readonly string[] {
  return PACKAGES[kind];
}

/** Whether this process may install Debian packages. */
export function canUseApt(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0 && existsSync(APT_GET);
}

/**
 * Downloads the browser that goes with puppeteer's version into puppeteer's cache, as `npx puppeteer browsers install` does.
 * Gives up when nothing arrives for a minute, so that a network which swallows packets costs no more than that.
 *
 * @returns the path of a browser that was seen to start
 */
export async function downloadBrowser(kind: BrowserKind): Promise<string> {
  const command = puppeteerCommand();
  if (command === undefined) throw new Error('puppeteer is not installed; "npm install" brings it');
  const folder = join(browserCacheDir(), kind);
  const args = [command, 'browsers', 'install', kind, '--format', '{{path}}'];
  if (canUseApt()) args.push('--install-deps');
  try {
    const path = (await run(args, folder)).trim().split('\n').at(-1) ?? '';
    const problem = startProblem(path);
    if (problem === undefined) return path;
    // A browser that cannot start must not stay: the next search would find and prefer it.
    rmSync(join(folder, relative(folder, path).split(sep)[0]!), { recursive: true, force: true });
    throw new Error(`the downloaded browser does not start: ${problem}`);
  } finally {
    removePartialArchives(folder);
  }
}

/** Installs Debian packages, saying so in one line, since this changes the machine. */
export function installPackages(packages: readonly string[]): void {
  console.log(`Installing with apt-get, as root: ${packages.join(' ')}`);
  aptGet(['update']);
  aptGet(['install', '-y', '--no-install-recommends', ...packages]);
}

function aptGet(args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(APT_GET, args, {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: APT_MS,
  });
  if (status === 0) return;
  const reason = error?.message ?? stderr.trim().split('\n').slice(-3).join(' ');
  throw new Error(`apt-get ${args.join(' ')}: ${reason}`);
}

/** Why a browser does not start, `undefined` if it does. Only Linux lacks libraries; Windows would open a window. */
function startProblem(executable: string): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const { status, stderr, error } = spawnSync(executable, ['--version'], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}

/** Runs a script with Node and gives what it writes to stdout; ends it when the files of a folder stop growing. */
function run(args: readonly string[], folder: string): Promise<string> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, complaints, bytes, stalledMs] = ['', '', 0, 0];
  child.stdout.on('data', (data) => (output += String(data)));
  child.stderr.on('data', (data) => (complaints += String(data)));
  const watch = setInterval(() => {
    const now = bytesIn(folder);
    stalledMs = now === bytes ? stalledMs + LOOK_MS : 0;
    bytes = now;
    if (stalledMs >= STALL_MS) child.kill('SIGKILL');
  }, LOOK_MS);
  return new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else if (stalledMs >= STALL_MS) reject(new Error(`nothing arrived for ${STALL_MS / 1000} s`));
      else reject(new Error(complaint(complaints)));
    });
  }).finally(() => clearInterval(watch));
}

/** What Node prints of an error, without the stack. */
function complaint(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  const start = Math.max(
    0,
    lines.findIndex((line) => /^\w*Error\b/u.test(line)),
  );
  const end = lines.findIndex((line, index) => index > start && line.startsWith('at '));
  return lines.slice(start, end < 0 ? undefined : end).join(' ');
}

function filesIn(folder: string, recursive: boolean): Dirent[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive, withFileTypes: true }).filter((entry) => entry.isFile());
}

function bytesIn(folder: string): number {
  const sizes = filesIn(folder, true).map(
    (file) => statSync(join(file.parentPath, file.name), { throwIfNoEntry: false })?.size ?? 0,
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Without this, a later download would take the half-written archive for a whole one. */
function removePartialArchives(folder: string): void {
  for (const { name } of filesIn(folder, false)) {
    if (/\.(?:zip|xz|bz2|dmg|exe)$/u.test(name)) rmSync(join(folder, name), { force: true });
  }
}
