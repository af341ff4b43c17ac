import { OptimizerError, type OptimizerErrorCode } from '../../../src/index.js';
import { difference } from './differ.js';

/** How a promise, or a call, may end. */
export interface Expected<T> {
  /** Codes that it may be refused with, asked for when it is. */
  readonly codes: () => readonly OptimizerErrorCode[];
  /** Whether it has to be refused, with one of them. */
  readonly isRefused?: boolean;
  /** What it gives; absent if nothing can be said of it. */
  readonly value?: T;
  /** May end it, by its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** No promise takes that long on the slowest of machines. */
const LIMIT_MS = 60_000;

/** Collects what calls and promises come to, and what of it is against the model. */
export class Verdicts {
  readonly failures: string[] = [];
  readonly #open = new Map<Promise<void>, string>();

  fail(what: string): void {
    this.failures.push(what);
  }

  /**
   * Makes a call that ends at once.
   *
   * @returns whether it was made, and not refused.
   */
  attempt(what: string, expected: Omit<Expected<unknown>, 'value'>, call: () => void): boolean {
    try {
      call();
    } catch (error) {
      this.#judgeError(what, error, expected);
      return false;
    }
    if (expected.isRefused)
      this.fail(`${what}: made, but to be refused with ${expected.codes().join(' or ')}`);
    return true;
  }

  /** Holds what a call gave against what it has to give. */
  same(what: string, got: unknown, want: unknown): void {
    const differs = difference(got, want);
    if (differs) this.fail(`${what}: ${differs}`);
  }

  /** Takes note of a promise; nobody waits for it before {@link settle}. */
  expect<T>(what: string, promise: Promise<T>, expected: Expected<T>): void {
    const judged = promise.then(
      (value) => this.#judgeValue(what, value, expected),
      (error: unknown) => this.#judgeError(what, error, expected),
    );
    this.#open.set(judged, what);
    void judged.finally(() => this.#open.delete(judged));
  }

  /** Waits for all promises; one that does not settle is a failure. */
  async settle(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        for (const what of this.#open.values()) this.fail(`${what}: did not settle`);
        resolve();
      }, LIMIT_MS);
    });
    await Promise.race([Promise.all(this.#open.keys()), limit]);
    clearTimeout(timer);
  }

  #judgeValue<T>(what: string, value: T, expected: Expected<T>): void {
    if (expected.isRefused)
      this.fail(`${what}: gave a value, but to be refused with ${expected.codes().join(' or ')}`);
    else if ('value' in expected) this.same(what, value, expected.value);
  }

  #judgeError(what: string, error: unknown, { codes, signal }: Omit<Expected<unknown>, 'value'>): void {
    if (signal?.aborted && error === signal.reason) return;
    const allowed = codes();
    if (error instanceof OptimizerError && allowed.includes(error.code)) return;
    const told = error instanceof OptimizerError ? `${error.code}: ${error.message}` : describeError(error);
    this.fail(`${what}: refused, allowed were [${allowed.join(', ')}]: ${told}`);
  }
}

/** An error, with where it comes from. */
export function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
