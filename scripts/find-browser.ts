/** Where browsers live on this machine. Looks only, changes nothing. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';

/** A browser family whose WebGPU the tests, the demo run and the benchmark can use. */
export type BrowserKind = 'chrome' | 'firefox';

const ENVIRONMENT = {
  chrome: ['CHROME_PATH', 'PUPPETEER_EXECUTABLE_PATH'],
  firefox: ['FIREFOX_PATH', 'PUPPETEER_EXECUTABLE_PATH'],
} as const;

const COMMANDS = {
  chrome: [
    'google-chrome-stable',
    'google-chrome',
    'chrome',
    'chromium',
    'chromium-browser',
    'microsoft-edge-stable',
    'microsoft-edge',
  ],
  firefox: ['firefox', 'firefox-esr'],
} as const;

const MAC_APPS = {
  chrome: ['Google Chrome', 'Chromium', 'Microsoft Edge'].map((app) => `${app}.app/Contents/MacOS/${app}`),
  firefox: ['Firefox', 'Firefox Developer Edition', 'Firefox Nightly'].map(
    (app) => `${app}.app/Contents/MacOS/firefox`,
  ),
} as const;

const WINDOWS_PROGRAMS = {
  chrome: [
    'Google\\Chrome\\Application\\chrome.exe',
    'Chromium\\Application\\chrome.exe',
    'Microsoft\\Edge\\Application\\msedge.exe',
  ],
  firefox: ['Mozilla Firefox\\firefox.exe', 'Firefox Developer Edition\\firefox.exe'],
} as const;

/** The folder that puppeteer keeps downloaded browsers in. */
export function browserCacheDir(): string {
  return process.env['PUPPETEER_CACHE_DIR'] ?? join(homedir(), '.cache', 'puppeteer');
}

/** The script behind the command `puppeteer`, to be run with Node. `undefined` where puppeteer is not installed. */
export function puppeteerCommand(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('puppeteer/internal/node/cli.js');
  } catch {
    return undefined;
  }
}

/**
 * The path of an installed browser: named by the environment, else downloaded by puppeteer, else installed
 * in a usual place. `undefined` if there is none.
 *
 * @throws if `CHROME_PATH` or `FIREFOX_PATH` names a file that cannot be run: silently testing another browser
 * than the one asked for would be worse than stopping.
 */
export function findBrowser(kind: BrowserKind): string | undefined {
  return fromEnvironment(kind) ?? fromPuppeteerCache(kind) ?? fromUsualPlaces(kind).find(isExecutable);
}

/** Whether Firefox can find any Vulkan driver, which its WebGPU on Linux cannot start without. */
export function hasVulkanDriver(): boolean {
  if (process.platform !== 'linux') return true;
  return vulkanDrivers().length > 0;
}

/** The Vulkan driver descriptions of Mesa's CPU rasteriser, llvmpipe. Empty where it is not installed. */
export function softwareVulkanDrivers(): string[] {
  return vulkanDrivers().filter((file) => /(?:^|[\\/])lvp_icd[^\\/]*\.json$/u.test(file));
}

/** The Vulkan driver description of the SwiftShader that an installed Chrome or Chromium brings, if there is one. */
export function swiftShaderDriver(): string | undefined {
  const browser = findBrowser('chrome');
  if (browser === undefined) return undefined;
  // Where /usr/bin has a script instead of a link, the browser itself is in a folder of that name.
  const name = basename(browser);
  return [dirname(realpathSync(browser)), join('/usr/lib', name), join('/usr/lib64', name)]
    .map((folder) => join(folder, 'vk_swiftshader_icd.json'))
    .find((file) => existsSync(file));
}

function vulkanDrivers(): string[] {
  const named = process.env['VK_DRIVER_FILES'] ?? process.env['VK_ICD_FILENAMES'];
  if (named) return named.split(delimiter).filter((file) => existsSync(file));
  const roots = ['/usr/share', '/usr/local/share', '/etc', join(homedir(), '.local', 'share')];
  return roots
    .map((root) => join(root, 'vulkan', 'icd.d'))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .filter((file) => file.endsWith('.json'));
}

function fromEnvironment(kind: BrowserKind): string | undefined {
  for (const variable of ENVIRONMENT[kind]) {
    const path = process.env[variable];
    if (!path) continue;
    if (variable === 'PUPPETEER_EXECUTABLE_PATH') {
      // One variable for every kind: its file name is the only hint which browser it means.
      if (/firefox/iu.test(path) === (kind === 'firefox') && isExecutable(path)) return path;
      continue;
    }
    if (isExecutable(path)) return path;
    throw new Error(
      `${variable} is "${path}", which is no executable file. Correct it, or unset it to search the usual places.`,
    );
  }
  return undefined;
}

/** The newest that `puppeteer browsers list` names, in lines such as `chrome@148.0.7778.97 (linux) /path/of/chrome`. */
function fromPuppeteerCache(kind: BrowserKind): string | undefined {
  const command = puppeteerCommand();
  if (command === undefined || !existsSync(join(browserCacheDir(), kind))) return undefined;
  const { stdout } = spawnSync(process.execPath, [command, 'browsers', 'list'], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .map((line) => /^(?<name>\w+)@(?<build>\S+) \(\w+\) (?<path>.+)$/u.exec(line)?.groups)
    .filter((found) => found?.['name'] === kind && isExecutable(found['path']!))
    .toSorted((a, b) => b!['build']!.localeCompare(a!['build']!, 'en', { numeric: true }))[0]?.['path'];
}

function fromUsualPlaces(kind: BrowserKind): string[] {
  if (process.platform === 'darwin') {
    const roots = ['/Applications', join(homedir(), 'Applications')];
    return roots.flatMap((root) => MAC_APPS[kind].map((app) => join(root, app)));
  }
  if (process.platform === 'win32') {
    const roots = ['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].map((name) => process.env[name]);
    return roots
      .filter((root) => root !== undefined)
      .flatMap((root) => WINDOWS_PROGRAMS[kind].map((program) => join(root, program)));
  }
  return inUsualFolders(COMMANDS[kind]);
}

/** Paths that commands would have: in the folders of PATH, then in those where packages put them. */
function inUsualFolders(commands: readonly string[]): string[] {
  const folders = new Set([
    ...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean),
    '/usr/bin',
    '/usr/sbin',
    '/usr/local/bin',
    '/snap/bin',
  ]);
  return commands.flatMap((command) => [...folders].map((folder) => join(folder, command)));
}

/** The path of an installed command. `undefined` if there is none. */
export function findCommand(command: string): string | undefined {
  const name = process.platform === 'win32' ? `${command}.exe` : command;
  return inUsualFolders([name]).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
