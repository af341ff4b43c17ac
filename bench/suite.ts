/** What suites are made of, and what they and their pages say to each other: plain data only, it crosses the debugger's wire. */
import type { Command } from 'commander';
import type { Plugin } from 'vite';
import type { CallCounts } from '../lab/measuring/protocol.js';

/** Where a suite was measured. */
export interface Environment {
  readonly adapter: string;
  /** Name and version of the browser, and of the library that the suite is about. */
  readonly browser: string;
}

/** The page's side of a suite, as `globalThis.bench`; `Request` describes one contestant. */
export interface SuitePage<Request> {
  open(): Promise<Environment>;
  /**
   * Prepares a contestant, and makes its first step.
   *
   * @returns its number.
   * @throws Error if that step leaves all weights as they were, or some of them are no numbers.
   */
  add(request: Request): Promise<number>;
  /** Milliseconds that so many steps take, until the GPU is done. */
  measure(contestant: number, steps: number): Promise<number>;
  /** What one step calls, when those before it have warmed up everything, and what it cost the host. */
  count(contestant: number): Promise<StepCosts>;
  /** Frees all contestants; their numbers begin again at 0. */
  release(): Promise<void>;
}

/** What a step costs beside what the GPU does. */
export interface StepCosts extends CallCounts {
  /**
   * The least that a measurement has seen, per step, until the calls had returned; of those that are awaited, until they were done. What
   * the browser's GPU process has to do with them is not in it, as far as that keeps pace.
   */
  readonly hostMs: number;
}

/** What is prepared together and measured in turns. */
export interface Heat<Request> {
  readonly case: string;
  readonly contestants: Readonly<Record<string, Request>>;
  /** Whose time the others' are divided by; of several, the one with the least. */
  readonly baselines: readonly string[];
}

/** One way of using the benchmark. `Given` are the options of its own, as commander reads them. */
export interface Suite<Request, Given = object> {
  readonly description: string;
  /** Declares the options of its own. */
  readonly addOptions: (command: Command) => void;
  readonly heats: (given: Given) => readonly Heat<Request>[];
  readonly rounds: number;
  /** A measurement takes as many steps as fill about this time. */
  readonly minMeasurementMs: number;
  /** Serve what the page needs beside its code. */
  readonly plugins?: () => Promise<readonly Plugin[]>;
}

/** One line of the results: times are per step. */
export interface SuiteRow extends CallCounts {
  /** See {@link StepCosts}; results that were saved before it was measured have none. */
  readonly hostMs?: number;
  readonly case: string;
  readonly contestant: string;
  readonly medianMs: number;
  readonly minMs: number;
  /** Mean CPU time of the browser's GPU process; null where the browser does not tell it. */
  readonly cpuMs: number | null;
  /** Median over rounds of this contestant's time over the baseline's. */
  readonly timesBaseline: number;
}

/** Everything that `--json` prints of a suite. */
export interface SuiteResults extends Environment {
  readonly suite: string;
  readonly date: string;
  readonly seed: number;
  readonly rounds: number;
  readonly baseline: string;
  readonly rows: readonly SuiteRow[];
}
