/** A run in a page whose browser's GPU process ends in the middle of a save. */
import { fileURLToPath } from 'node:url';
import type { Browser } from 'puppeteer';
import { afterAll, expect, inject, test } from 'vitest';
import { build } from 'vite';
import { launchBrowser } from '../../scripts/browsers.js';
import { wgslPlugin } from '../../scripts/wgsl-plugin.js';
import type { RunPage } from '../support/run-page.js';

let browser: Browser | undefined;
afterAll(() => browser?.close());

async function bundled(): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [wgslPlugin()],
    build: {
      write: false,
      lib: {
        entry: fileURLToPath(new URL('../support/run-page.ts', import.meta.url)),
        formats: ['es'],
        fileName: 'run-page',
      },
      rolldownOptions: { output: { codeSplitting: false } },
    },
  });
  const [{ output }] = result as unknown as [{ output: [{ code: string }] }];
  return output[0].code;
}

test('all that was under way is one error, and the run goes on from its last checkpoint', async () => {
  const code = await bundled();
  browser = await launchBrowser('chrome', { adapter: inject('adapter') });
  const page = await browser.newPage();
  await page.goto(inject('siteUrl'), { waitUntil: 'load' });
  await page.evaluate(code);
  const session = await browser.target().createCDPSession();
  await page.exposeFunction('endGpuProcess', () => session.send('Browser.crashGpuProcess'));
  const outcome = await page.evaluate(() => {
    const { runUntilLost, endGpuProcess } = globalThis as unknown as RunPage & { endGpuProcess: () => void };
    return runUntilLost(endGpuProcess);
  });
  const { lost, saveCheckpoint, ...others } = outcome.codes;
  expect(lost).toBe('lost');
  expect(outcome.codes['a save afterwards']).toBe('device-lost');
  expect(saveCheckpoint).toBe('device-lost');
  for (const [call, found] of Object.entries(others)) expect(found, call).toBeOneOf(['none', 'device-lost']);
  expect(outcome.unhandled).toEqual([]);
  expect(outcome).toMatchObject({ savedStep: 3, resumedStep: 3, isAlike: true });
});
