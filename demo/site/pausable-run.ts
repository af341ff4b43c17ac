import { whenVisible } from './visibility.js';

/** A run in portions, which a visitor may pause between two of them, or end. While nobody sees the page, it waits. */
export abstract class PausableRun {
  /** Whether it is to end after the portion at hand. */
  protected isStopped = false;
  /** Settles when the visitor lets it go on; absent while it may. */
  private paused: Promise<void> | undefined;
  private resume: (() => void) | undefined;

  /** Stops after the current portion until {@link continue} is called. */
  pause(): void {
    this.paused ??= new Promise((resolve) => {
      this.resume = resolve;
    });
  }

  continue(): void {
    this.resume?.();
    this.resume = undefined;
    this.paused = undefined;
  }

  /** Ends the run after the current portion, paused or not. */
  stop(): void {
    this.isStopped = true;
    this.continue();
  }

  /** Settles when the next portion may begin: at once, or when the run is continued and the page is seen. */
  protected async ready(): Promise<void> {
    while (this.paused !== undefined || document.hidden) {
      await this.paused;
      await whenVisible();
    }
  }
}
