import type { StepStats } from '../../../src/index.js';
import { difference } from './differ.js';

/**
 * What `onStep` tells of the steps, held against the model. Some steps may be left out, while several are yet to be told of; those that
 * are told of come in their order.
 */
export class HeardSteps {
  readonly failures: string[] = [];
  /** Of steps that were not told of yet. */
  readonly #due: StepStats[] = [];
  #heardCount = 0;

  /** Whether nothing was told though there were steps: the first of them has nobody before it. */
  get isSilent(): boolean {
    return this.#heardCount === 0 && this.#due.length > 0;
  }

  /** Notes what is to be told of a step that was submitted. */
  expect(stats: StepStats): void {
    this.#due.push(stats);
  }

  /** As `onStep`. */
  readonly hear = (told: StepStats): void => {
    // Overflows are the matter of test/gpu/overflows.
    const { overflows: _, ...stats } = told;
    this.#heardCount++;
    const k = this.#due.findIndex((due) => difference(stats, due) === undefined);
    if (k >= 0) this.#due.splice(0, k + 1);
    else this.failures.push(`${JSON.stringify(stats)}, want one of ${JSON.stringify(this.#due)}`);
  };
}
