/** A vitest reporter that counts test cases into the file named by `TEST_COUNTS_FILE`, for `scripts/test.ts`. */
import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** An error's message can hold what two whole arrays differ in. */
const MESSAGE_LETTERS = 600;

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** Failures that belong to no test case: files that do not load, hooks, unhandled errors, tests never reached. */
  other: number;
  /** What failed and why, a text each. */
  failures: string[];
  /** Whether the run came to its end. */
  complete: boolean;
}

/** Writes after every file too, so that a run which is killed still leaves the counts of what it did. */
export default class CountReporter implements Reporter {
  private readonly seen = new Map<string, TestModule>();

  onTestModuleQueued(module: TestModule): void {
    this.seen.set(module.id, module);
  }

  onTestModuleEnd(module: TestModule): void {
    this.seen.set(module.id, module);
    this.write([], false);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly ErrorLike[]): void {
    for (const module of modules) this.seen.set(module.id, module);
    this.write(unhandledErrors, true);
  }

  private write(unhandled: readonly ErrorLike[], complete: boolean): void {
    const file = process.env['TEST_COUNTS_FILE'];
    if (!file) return;
    const counts: Counts = {
      passed: 0,
      failed: 0,
      skipped: 0,
      other: unhandled.length,
      failures: unhandled.map((error) => `unhandled: ${messageOf([error])}`),
      complete,
    };
    for (const module of this.seen.values()) addModule(counts, module, complete);
    writeFileSync(file, JSON.stringify(counts));
  }
}

/** What vitest keeps of an error. */
interface ErrorLike {
  readonly message?: string;
}

function addModule(counts: Counts, module: TestModule, complete: boolean): void {
  const before = counts.failed + counts.other;
  const place = `${module.project.name} ${module.relativeModuleId}`;
  const addOther = (errors: readonly ErrorLike[]): void => {
    counts.other += errors.length;
    counts.failures.push(...errors.map((error) => `${place}: ${messageOf([error])}`));
  };
  addOther(module.errors());
  for (const suite of module.children.allSuites()) addOther(suite.errors());
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state !== 'pending') counts[state] += 1;
    else if (complete) addOther([{ message: `${test.fullName} was never reached` }]);
    if (state === 'failed') counts.failures.push(`${place} > ${test.fullName}: ${messageOf(errorsOf(test))}`);
  }
  const unexplained = counts.failed + counts.other === before;
  // A file that failed without saying why, or that a crashed browser never came to, must not pass for a good one.
  const bad = module.state() === 'failed' || (complete && ['queued', 'pending'].includes(module.state()));
  if (bad && unexplained) addOther([{ message: 'failed, or was never reached, and says no more' }]);
}

function errorsOf(test: TestCase): readonly ErrorLike[] {
  return test.result().errors ?? [];
}

function messageOf([error]: readonly ErrorLike[]): string {
  const message = error?.message ?? 'without a message';
  return message.length > MESSAGE_LETTERS ? `${message.slice(0, MESSAGE_LETTERS)}…` : message;
}
