/** A browser provider for vitest on puppeteer, which drives the Chromium and the Firefox a machine already has. */
import { defineBrowserProvider } from '@vitest/browser';
import type { Browser } from 'puppeteer';
import type { BrowserProvider, BrowserProviderOption } from 'vitest/node';
import { type AdapterChoice, type BrowserKind, launchBrowser } from '../../scripts/browsers.js';

interface PuppeteerOptions {
  kind: BrowserKind;
  adapter: AdapterChoice;
}

class PuppeteerProvider implements BrowserProvider {
  readonly name = 'puppeteer';
  // One page at a time: the pages of one browser share its GPU process and would skew each other's time-outs.
  readonly supportsParallelism = false;
  private browser: Promise<Browser> | undefined;

  constructor(private readonly options: PuppeteerOptions) {}

  getCommandsContext(): Record<string, unknown> {
    return {};
  }

  async openPage(_sessionId: string, url: string): Promise<void> {
    this.browser ??= launchBrowser(this.options.kind, { adapter: this.options.adapter });
    const page = await (await this.browser).newPage();
    // Vitest notices that the page is gone, but not why.
    page.on('error', (error) => console.error(`The ${this.options.kind} page crashed: ${error}`));
    await page.goto(url, { timeout: 120_000 });
  }

  async close(): Promise<void> {
    const browser = await this.browser?.catch(() => undefined);
    this.browser = undefined;
    await browser?.close();
  }
}

/** The provider for a vitest project's `browser.provider`. */
export function puppeteerProvider(options: PuppeteerOptions): BrowserProviderOption {
  return defineBrowserProvider({
    name: 'puppeteer',
    supportedBrowser: ['chrome', 'firefox'],
    options,
    providerFactory: () => new PuppeteerProvider(options),
  });
}
