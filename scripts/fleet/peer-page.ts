/** A tab that is a peer, as seen from Node. */
import type { Browser, Page } from 'puppeteer';
import type { PeerMessage, PeerRequest, PeerSummary } from '../../demo/headless/fleet/protocol.js';

/** Loading covers vite's first bundling of TensorFlow.js. */
const LOAD_MS = 240_000;

/** A tab with a peer. Anything that goes wrong in it fails it, unless it is killed. */
export class PeerPage {
  readonly #failed: Promise<never>;
  #fail: (error: Error) => void = () => {};
  #finish: (summary: PeerSummary) => void = () => {};
  #isKilled = false;
  #adapter = '';

  private constructor(
    private readonly page: Page,
    readonly request: PeerRequest,
    private readonly onMessage: (message: PeerMessage) => void,
  ) {
    this.#failed = new Promise((_resolve, reject) => {
      this.#fail = (error) => reject(new Error(`${request.peer}: ${error.message}`));
    });
    // There may be nobody who waits.
    this.#failed.catch(() => {});
    page.on('pageerror', (error) => this.#fail(error instanceof Error ? error : new Error(String(error))));
    page.on('error', (error) => this.#fail(error));
    page.on('close', () => this.#fail(new Error('its page was closed.')));
  }

  /** Opens a tab, and has its peer join. */
  static async open(
    browser: Browser,
    url: string,
    request: PeerRequest,
    onMessage: (message: PeerMessage) => void,
  ): Promise<PeerPage> {
    const peer = new PeerPage(await browser.newPage(), request, onMessage);
    await Promise.race([peer.#load(url), peer.#failed]);
    return peer;
  }

  /** The name of the adapter that it trains on. */
  get adapter(): string {
    return this.#adapter;
  }

  /** Trains. @returns what came of it; nothing if it was killed. */
  async train(): Promise<PeerSummary | undefined> {
    const finished = new Promise<PeerSummary>((resolve) => {
      this.#finish = resolve;
    });
    try {
      await this.page.evaluate(() => window.fleetPeer?.start());
      return await Promise.race([finished, this.#failed]);
    } catch (error) {
      if (this.#isKilled) return undefined;
      throw error;
    }
  }

  /** Ends it without a word to the others. */
  async kill(): Promise<void> {
    this.#isKilled = true;
    await this.close();
  }

  async close(): Promise<void> {
    await this.page.close();
  }

  async #load(url: string): Promise<void> {
    await this.page.exposeFunction('reportPeer', (message: PeerMessage) => this.#receive(message));
    await this.page.goto(url, { timeout: LOAD_MS });
    await this.page.waitForFunction(() => window.fleetPeer !== undefined, { timeout: LOAD_MS });
    this.#adapter = await this.page.evaluate((request) => window.fleetPeer!.open(request), this.request);
  }

  #receive(message: PeerMessage): void {
    if (message.kind === 'done') this.#finish(message.summary);
    else if (message.kind === 'failed') this.#fail(new Error(message.message));
    this.onMessage(message);
  }
}
