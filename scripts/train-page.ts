/** The headless page that trains, as seen from Node. */
import type { Browser, Page } from 'puppeteer';
import type { HeadlessEnvironment, HeadlessMessage } from '../demo/headless/protocol.js';
import type { OptimizerChoice } from '../demo/train/optimizer-choice.js';
import type { TrainingOptions, TrainingReport, TrainingSummary } from '../demo/train/reports.js';
import { type BrowserKind, launchBrowser } from './browsers.js';

/** Loading covers vite's first bundling of TensorFlow.js. */
const LOAD_MS = 120_000;

/** Where a run took place. */
export interface TrainingEnvironment extends HeadlessEnvironment {
  /** Name and version of the browser. */
  readonly browser: string;
}

/** A browser with one page that trains on request. Anything that goes wrong in the page fails the run. */
export class TrainingPage {
  /** Gets every report of the run that is going on. */
  onReport: (report: TrainingReport) => void = () => {};
  private readonly failed: Promise<never>;
  private fail: (error: Error) => void = () => {};
  private finish: (summary: TrainingSummary) => void = () => {};

  private constructor(
    private readonly browser: Browser,
    private readonly page: Page,
    private found: TrainingEnvironment | undefined,
  ) {
    this.failed = new Promise((_resolve, reject) => {
      this.fail = reject;
    });
    // A failure while nothing is being waited for is still there when the next run asks.
    this.failed.catch(() => {});
    page.on('pageerror', (error) => this.fail(error instanceof Error ? error : new Error(String(error))));
    page.on('error', (error) => this.fail(new Error(`The page crashed: ${error.message}`)));
    page.on('close', () => this.fail(new Error('The page was closed.')));
    browser.on('disconnected', () => this.fail(new Error('The browser went away.')));
  }

  /** Starts a browser, on the machine's GPU if it has one, and loads the digits. */
  static async open(kind: BrowserKind, url: string): Promise<TrainingPage> {
    const browser = await launchBrowser(kind, { headless: true, adapter: 'default' });
    try {
      const training = new TrainingPage(browser, await browser.newPage(), undefined);
      await Promise.race([training.load(url), training.failed]);
      return training;
    } catch (error) {
      await browser.close();
      throw error;
    }
  }

  /** What the page found when it opened. */
  get environment(): TrainingEnvironment {
    return this.found as TrainingEnvironment;
  }

  /** Trains once; `onReport` hears how it goes. */
  async start(choice: OptimizerChoice, options: TrainingOptions): Promise<TrainingSummary> {
    const finished = new Promise<TrainingSummary>((resolve) => {
      this.finish = resolve;
    });
    await this.page.evaluate(
      (...request) => window.headlessTraining?.start(...request),
      // JSON keeps out `undefined`, which Firefox's protocol would turn into an error.
      ...(JSON.parse(JSON.stringify([choice, options])) as [OptimizerChoice, TrainingOptions]),
    );
    return await Promise.race([finished, this.failed]);
  }

  async close(): Promise<void> {
    await this.browser.close();
  }

  private async load(url: string): Promise<void> {
    await this.page.exposeFunction('reportTraining', (message: HeadlessMessage) => this.receive(message));
    await this.page.goto(url, { timeout: LOAD_MS });
    await this.page.waitForFunction(() => window.headlessTraining !== undefined, { timeout: LOAD_MS });
    const environment = await this.page.evaluate(() => window.headlessTraining?.open());
    this.found = { ...(environment as HeadlessEnvironment), browser: await this.browser.version() };
  }

  private receive(message: HeadlessMessage): void {
    switch (message.kind) {
      case 'done':
        this.finish(message.summary);
        break;
      case 'failed':
        this.fail(new Error(message.message));
        break;
      default:
        this.onReport(message);
    }
  }
}
