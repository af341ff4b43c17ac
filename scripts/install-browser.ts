/** Puts a missing browser onto this machine: puppeteer's download, then Debian's packages. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BrowserTag, detectBrowserPlatform, install, resolveBuildId, uninstall } from '@puppeteer/browsers';
import { type BrowserKind, PUPPETEER_NAME, browserCacheDir } from './find-browser.js';

const STALL_MS = 60_000;
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
 * Downloads a browser into puppeteer's cache. Gives up when nothing arrives for a minute, so that a network
 * which swallows packets costs no more than that.
 *
 * @returns the path of a browser that was seen to start
 */
export async function downloadBrowser(kind: BrowserKind): Promise<string> {
  const platform = detectBrowserPlatform();
  if (!platform) throw new Error(`puppeteer offers no browser for ${process.platform} on ${process.arch}`);
  const browser = PUPPETEER_NAME[kind];
  const cacheDir = browserCacheDir();
  const stall = stallTimer(STALL_MS);
  let buildId: string | undefined;
  try {
    buildId = await Promise.race([resolveBuildId(browser, platform, BrowserTag.STABLE), stall.promise]);
    const options = { browser, buildId, cacheDir, platform, installDeps: canUseApt() };
    const installed = await Promise.race([
      install({ ...options, downloadProgressCallback: stall.progress }),
      stall.promise,
    ]);
    const problem = startProblem(installed.executablePath);
    if (problem === undefined) return installed.executablePath;
    // A browser that cannot start must not stay: the next search would find and prefer it.
    await uninstall(options);
    throw new Error(`the downloaded browser does not start: ${problem}`);
  } catch (error) {
    if (buildId !== undefined) removePartialArchive(join(cacheDir, browser), buildId);
    throw error;
  } finally {
    stall.stop();
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

/** Without this, a later download would take the half-written archive for a whole one. */
function removePartialArchive(folder: string, buildId: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (name.startsWith(`${buildId}-`)) rmSync(join(folder, name), { force: true });
  }
}

function stallTimer(limit: number): { promise: Promise<never>; progress: () => void; stop: () => void } {
  const { promise, reject } = promiseWithReject();
  const timer = setTimeout(() => reject(new Error(`nothing arrived for ${limit / 1000} s`)), limit);
  return { promise, progress: () => void timer.refresh(), stop: () => clearTimeout(timer) };
}

function promiseWithReject(): { promise: Promise<never>; reject: (error: Error) => void } {
  let reject!: (error: Error) => void;
  const promise = new Promise<never>((_resolve, rejectPromise) => {
    reject = rejectPromise;
  });
  return { promise, reject };
}
