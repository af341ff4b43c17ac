/** A vitest reporter that counts test cases into the file named by `TEST_COUNTS_FILE`, for `scripts/test.ts`. */
import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** Failures that belong to no test case: files that do not load, hooks, unhandled errors, tests never reached. */
  other: number;
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
    this.write(0, false);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    for (const module of modules) this.seen.set(module.id, module);
    this.write(unhandledErrors.length, true);
  }

  private write(unhandled: number, complete: boolean): void {
    const file = process.env['TEST_COUNTS_FILE'];
    if (!file) return;
    const counts: Counts = { passed: 0, failed: 0, skipped: 0, other: unhandled, complete };
    for (const module of this.seen.values()) addModule(counts, module, complete);
    writeFileSync(file, JSON.stringify(counts));
  }
}

function addModule(counts: Counts, module: TestModule, complete: boolean): void {
  const before = counts.failed + counts.other;
  counts.other += module.errors().length;
  for (const suite of module.children.allSuites()) counts.other += suite.errors().length;
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state === 'pending') counts.other += complete ? 1 : 0;
    else counts[state] += 1;
  }
  const unexplained = counts.failed + counts.other === before;
  // A file that failed without saying why, or that a crashed browser never came to, must not pass for a good one.
  const bad = module.state() === 'failed' || (complete && ['queued', 'pending'].includes(module.state()));
  if (bad && unexplained) counts.other += 1;
}
