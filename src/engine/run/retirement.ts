/** Something that a generation made and the next one does not use. */
interface Retiree {
  destroy(): void;
}

/**
 * Frees what generations leave behind. What was submitted keeps what it uses until it is done. Commands in a caller's
 * encoder may be submitted later, and nothing says when; then what they refer to is left to the garbage collector, so
 * that nothing grows with the number of changes, and freed at the end if it is still there.
 */
export class Retirement {
  /** Whether a caller's encoder may hold commands that are not submitted yet. */
  isPending = false;
  readonly #left = new Set<WeakRef<Retiree>>();
  readonly #held = new Set<Retiree>();

  add(retiree: Retiree): void {
    if (!this.isPending) {
      retiree.destroy();
      return;
    }
    for (const ref of this.#left) if (!ref.deref()) this.#left.delete(ref);
    this.#left.add(new WeakRef(retiree));
  }

  /**
   * Keeps what may be gone back to, or not.
   *
   * @returns what ends that: by `add`, where it is not used any more.
   */
  hold(retirees: readonly Retiree[]): (isUsed: boolean) => void {
    for (const each of retirees) this.#held.add(each);
    return (isUsed) => {
      for (const each of retirees) if (this.#held.delete(each) && !isUsed) this.add(each);
    };
  }

  destroy(): void {
    for (const each of this.#held) each.destroy();
    this.#held.clear();
    for (const ref of this.#left) ref.deref()?.destroy();
    this.#left.clear();
  }
}
