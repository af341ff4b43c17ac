/** Wakes who waits. It remembers no ring: whoever waits takes `next` first, then looks whether there is need to wait. */
export class Bell {
  #resolve!: () => void;
  #next!: Promise<void>;

  constructor() {
    this.ring();
  }

  /** Settles at the next ring. */
  get next(): Promise<void> {
    return this.#next;
  }

  ring(): void {
    // At the first call there is nobody to wake.
    (this.#resolve as (() => void) | undefined)?.();
    this.#next = new Promise((resolve) => (this.#resolve = resolve));
  }
}
