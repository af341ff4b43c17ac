/** Real browsers with WebGPU for the tests, the demo run and the benchmark: make sure of one, start it. */
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type Browser, type LaunchOptions, launch } from 'puppeteer';
import { CHROME_FLAGS, FIREFOX_PREFERENCES } from './browser-settings.js';
import { type BrowserKind, findBrowser, hasVulkanDriver, softwareVulkanDrivers } from './find-browser.js';
import {
  VULKAN_PACKAGE,
  canUseApt,
  debianPackages,
  downloadBrowser,
  installPackages,
} from './install-browser.js';
import { onlyDrivers } from './swiftshader.js';
import { beforeLeaving } from './terminal/leaving.js';

export type { BrowserKind } from './find-browser.js';

/** `default`: the machine's GPU where there is one; `software`: a CPU implementation, the same everywhere. */
export type AdapterChoice = 'default' | 'software';

export interface LaunchBrowserOptions {
  /** Without a window; the default. */
  headless?: boolean;
  /** Which WebGPU adapter pages get; `software` unless said. */
  adapter?: AdapterChoice;
  /** Further command line flags for the browser. */
  args?: readonly string[];
  /** Milliseconds that one call into a page may take; default 120,000. */
  callTimeoutMs?: number;
}

const LAUNCH_MS = 120_000;
const failures = new Map<BrowserKind, Error>();

/**
 * The path of a browser, which is downloaded or installed if the machine has none. A failure is remembered, so
 * asking again in this process costs nothing and says the same.
 *
 * @throws one Error that names everything that was tried and what to do
 */
export async function ensureBrowser(kind: BrowserKind): Promise<string> {
  const failure = failures.get(kind);
  if (failure) throw failure;
  try {
    const path = findBrowser(kind) ?? (await obtainBrowser(kind));
    if (kind === 'firefox') ensureVulkanDriver();
    return path;
  } catch (error) {
    failures.set(kind, asError(error));
    throw error;
  }
}

/**
 * Starts a browser whose pages have WebGPU, provided they are served from a secure origin, as `http://127.0.0.1`
 * is and `about:blank` is not. It closes with this process, and on SIGINT, SIGTERM and SIGHUP removes its profile, too.
 */
export async function launchBrowser(kind: BrowserKind, options: LaunchBrowserOptions = {}): Promise<Browser> {
  const executablePath = await ensureBrowser(kind);
  const common: LaunchOptions = {
    executablePath,
    headless: options.headless ?? true,
    // A page as large as its window: the demo and its screenshots decide that size.
    defaultViewport: null,
    timeout: LAUNCH_MS,
    protocolTimeout: options.callTimeoutMs ?? LAUNCH_MS,
  };
  const adapter = options.adapter ?? 'software';
  if (kind === 'firefox') return await launchFirefox(common, adapter, options.args ?? []);
  const browser = await launchChrome(common, adapter, options.args ?? []);
  if (adapter === 'software' || (await hasAdapter(browser))) return browser;
  await browser.close();
  console.error('No GPU answers WebGPU in this browser: using its software adapter, SwiftShader.');
  return await launchChrome(common, 'software', options.args ?? []);
}

function launchChrome(
  common: LaunchOptions,
  adapter: AdapterChoice,
  extra: readonly string[],
): Promise<Browser> {
  const args = [
    CHROME_FLAGS.always,
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
    ...extra,
  ];
  if (adapter === 'software') args.push(CHROME_FLAGS.software);
  else if (process.platform === 'linux') args.push(CHROME_FLAGS.linux);
  // Chrome's sandbox refuses to run as root.
  if (process.getuid?.() === 0) args.push('--no-sandbox');
  // Over a pipe, Chrome ends with this process even when that is killed without a chance to clean up.
  return launchTidily({ ...common, browser: 'chrome', args, pipe: true });
}

async function launchFirefox(
  common: LaunchOptions,
  adapter: AdapterChoice,
  extra: readonly string[],
): Promise<Browser> {
  const drivers = softwareVulkanDrivers();
  // Firefox has no flag for it, but a Vulkan loader that sees only llvmpipe leaves no choice.
  const software = adapter === 'software' && drivers.length > 0 ? onlyDrivers(drivers) : {};
  const browser = await launchTidily({
    ...common,
    browser: 'firefox',
    args: [...extra],
    env: { ...process.env, ...software },
    extraPrefsFirefox: FIREFOX_PREFERENCES,
  });
  // Firefox outlives a process that is killed; whoever kills can read here what is left to end.
  const pids = process.env['BROWSER_PIDS_FILE'];
  if (pids) appendFileSync(pids, `${browser.process()?.pid}\n`);
  return browser;
}

/** Starts a browser that a signal closes in puppeteer's own way, which removes the profile; by itself, puppeteer would only kill it. */
async function launchTidily(options: LaunchOptions): Promise<Browser> {
  const launching = launch({ ...options, handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false });
  const takeBack = beforeLeaving(async () => (await launching).close());
  try {
    const browser = await launching;
    browser.on('disconnected', takeBack);
    return browser;
  } catch (error) {
    takeBack();
    throw error;
  }
}

async function hasAdapter(browser: Browser): Promise<boolean> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>probe</title>');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The probe page has no port.');
  const page = await browser.newPage();
  try {
    await page.goto(`http://127.0.0.1:${address.port}/`);
    return await page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter()));
  } finally {
    await page.close();
    server.close();
    server.closeAllConnections();
  }
}

async function obtainBrowser(kind: BrowserKind): Promise<string> {
  const variable = kind === 'chrome' ? 'CHROME_PATH' : 'FIREFOX_PATH';
  const tried = [`searched ${variable}, puppeteer's cache and the usual places: none found`];
  try {
    return await downloadBrowser(kind);
  } catch (error) {
    tried.push(`puppeteer's download: ${asError(error).message}`);
  }
  const packages = debianPackages(kind);
  if (canUseApt()) {
    try {
      installPackages(packages);
      const path = findBrowser(kind);
      if (path !== undefined) return path;
      tried.push('apt-get: it succeeded, but the browser is still not found');
    } catch (error) {
      tried.push(asError(error).message);
    }
  } else {
    tried.push('apt-get: not tried, it needs root on Debian or Ubuntu');
  }
  throw new Error(
    [
      `No ${kind === 'chrome' ? 'Chrome, Chromium or Edge' : 'Firefox'} on this machine. Tried:`,
      ...tried.map((line, index) => `  ${index + 1}. ${line}`),
      `Install one and set ${variable} to its executable if it is in an unusual place,`,
      `or run "npx puppeteer browsers install ${kind}",`,
      `or, on Debian, "sudo apt-get install ${packages.join(' ')}".`,
    ].join('\n'),
  );
}

/**
 * Makes sure that Linux has a Vulkan driver, which Firefox and Deno need for WebGPU: the one that runs on the CPU is installed if there is
 * none and this process may.
 *
 * @throws Error that says what to do
 */
export function ensureVulkanDriver(): void {
  if (hasVulkanDriver()) return;
  let tried = 'apt-get was not tried, it needs root on Debian or Ubuntu.';
  if (canUseApt()) {
    try {
      installPackages([VULKAN_PACKAGE]);
      if (hasVulkanDriver()) return;
      tried = `apt-get installed ${VULKAN_PACKAGE}, but no driver description is found.`;
    } catch (error) {
      tried = asError(error).message;
    }
  }
  throw new Error(
    [
      `No Vulkan driver, which WebGPU in Firefox and Deno needs on Linux. ${tried}`,
      'Install the driver of your GPU, or the one that runs on the CPU:',
      `"sudo apt-get install ${VULKAN_PACKAGE}" on Debian and Ubuntu, "mesa-vulkan-drivers" on Fedora,`,
      '"vulkan-swrast" on Arch.',
    ].join('\n'),
  );
}

function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}
