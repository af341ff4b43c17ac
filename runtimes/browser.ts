/** The program in a page of Chrome or Firefox. */
import { join } from 'node:path';
import { build, preview } from 'vite';
import { type AdapterChoice, type BrowserKind, launchBrowser } from '../scripts/browsers.js';
import type { RuntimeRecord } from './program/record.js';
import type { RuntimeReport } from './report.js';

const LIMIT_MS = 300_000;

const TITLES: Readonly<Record<BrowserKind, string>> = { chrome: 'Chrome', firefox: 'Firefox' };
const IMPLEMENTATIONS: Readonly<Record<BrowserKind, string>> = { chrome: 'Dawn', firefox: 'wgpu' };

/**
 * Runs the program in a folder that `makeUserFolder` made, bundled as a user would, in a page that is served to this machine only.
 *
 * @throws Error that says what to do if the browser is missing; what the page throws.
 */
export async function runInBrowser(
  name: BrowserKind,
  folder: string,
  adapter: AdapterChoice,
): Promise<RuntimeReport> {
  const browser = await launchBrowser(name, { adapter, callTimeoutMs: LIMIT_MS });
  const site = { configFile: false, root: folder, logLevel: 'error' } as const;
  const outDir = join(folder, `site-${name}`);
  try {
    await build({ ...site, build: { outDir, target: 'es2022' } });
    const server = await preview({
      ...site,
      build: { outDir },
      preview: { port: 0, strictPort: false, host: '127.0.0.1' },
    });
    try {
      const page = await browser.newPage();
      await page.goto(server.resolvedUrls!.local[0]!);
      await page.waitForFunction('globalThis.checked !== undefined');
      const record = (await page.evaluate('globalThis.checked')) as RuntimeRecord;
      const version = /[\d.]+/.exec(await browser.version())![0];
      return { name, title: `${TITLES[name]} ${version}`, webgpu: IMPLEMENTATIONS[name], record };
    } finally {
      await server.close();
    }
  } finally {
    await browser.close();
  }
}
