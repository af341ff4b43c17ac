/** Calls in their order: each begins at once if none is under way, and else when those before it have ended, well or not. */
export class CallQueue {
  #last: Promise<void> | undefined;
  #pending = 0;

  run<T>(call: () => Promise<T>): Promise<T> {
    this.#pending++;
    const mine = this.#last ? this.#last.then(call) : call();
    this.#last = this.#follow(mine);
    return mine;
  }

  async #follow(call: Promise<unknown>): Promise<void> {
    // Whoever called sees how it ended.
    await Promise.allSettled([call]);
    if (this.#pending-- === 1) this.#last = undefined;
  }
}
