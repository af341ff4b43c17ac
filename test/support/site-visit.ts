/** A visit to a page of the built demo: everything that goes wrong in the page fails the test. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, Page, Viewport } from 'puppeteer';
import { inject } from 'vitest';
import type { Theme } from '../../demo/site/theme.js';
import { launchBrowser } from '../../scripts/browsers.js';
import { PATIENCE_MS } from './patience.js';

const SCREENSHOTS = fileURLToPath(new URL('../../test-results/screenshots', import.meta.url));
const sizes = {
  wide: { width: 1280, height: 800 },
  phone: { width: 390, height: 844, isMobile: true, hasTouch: true },
} satisfies Record<string, Viewport>;

/** The browser that this project looks at the site with. */
export const browserKind = inject('runtime') === 'firefox' ? 'firefox' : 'chrome';

/** One for all files, which share this process: to start one takes as long as several tests. */
let shared: Promise<Browser> | undefined;

function launch(): Promise<Browser> {
  return launchBrowser(browserKind, { adapter: inject('adapter') });
}

/** The shared browser; another one if it has ended. It closes with this process. */
async function openShared(): Promise<Browser> {
  shared ??= launch();
  const browser = await shared;
  if (browser.connected) return browser;
  shared = launch();
  return await shared;
}

/** A page that waits as long as it may take. */
async function newPage(of: Pick<Browser, 'newPage'>): Promise<Page> {
  const page = await of.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  return page;
}

/** Opens pages of the site. No visitor has seen it before: storage is empty. */
export class Visitor {
  private readonly problems: string[] = [];

  private constructor(
    /** The page that is being looked at. */
    readonly page: Page,
    /** Frees what was made for this visitor. */
    readonly leave: () => Promise<void>,
  ) {
    page.on('pageerror', (error) => this.problems.push(`page error: ${String(error)}`));
    page.on('error', (error) => this.problems.push(`crash: ${error.message}`));
    // Browsers print uncaptured GPU errors as warnings or errors of the console.
    page.on('console', (message) => {
      if (['error', 'warn'].includes(message.type())) {
        this.problems.push(`console ${message.type()}: ${message.text()}`);
      }
    });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(inject('siteUrl')) && !/^(?:data|blob):/u.test(url)) {
        this.problems.push(`request outside the site: ${url}`);
      }
    });
    page.on('response', (response) => {
      if (response.status() >= 400) this.problems.push(`${response.status()} for ${response.url()}`);
    });
  }

  /**
   * Comes with a browser on the adapter of this test run. `ownBrowser`: with one that nobody else uses, for tests that do
   * something to all of it.
   */
  static async arrive(options: { ownBrowser?: boolean } = {}): Promise<Visitor> {
    if (options.ownBrowser) {
      const browser = await launch();
      return new Visitor(await newPage(browser), () => browser.close());
    }
    const context = await (await openShared()).createBrowserContext();
    return new Visitor(await newPage(context), () => context.close());
  }

  /** Opens a page by its path in the site, e.g. `'race/'`. `search`: e.g. `'?particles=64'`. */
  async open(path: string, size: keyof typeof sizes = 'wide', search = ''): Promise<Page> {
    await this.page.setViewport(sizes[size]);
    await this.page.goto(`${inject('siteUrl')}${path}${search}`, { waitUntil: 'load' });
    return this.page;
  }

  /** Chooses a theme for the pages that are opened from now on, as the button in their header does. */
  async choose(theme: Theme): Promise<void> {
    await this.open('');
    await this.page.evaluate((chosen) => localStorage.setItem('webgpu-optim:theme', chosen), theme);
  }

  /** Puts a picture of the page as it is now beside the test results. */
  async screenshot(name: string): Promise<void> {
    mkdirSync(`${SCREENSHOTS}/${browserKind}`, { recursive: true });
    await this.page.screenshot({ path: `${SCREENSHOTS}/${browserKind}/${name}.png` });
  }

  /** The text of the first element that a selector finds. */
  async text(selector: string): Promise<string> {
    return await this.page.$eval(selector, (found) => found.textContent?.trim() ?? '');
  }

  /** Whether the page can be scrolled sideways: on a phone it must not be. */
  async scrollsSideways(): Promise<boolean> {
    return await this.page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  }

  /** What went wrong since the visitor arrived. */
  get complaints(): readonly string[] {
    return this.problems;
  }
}
