import type { OptimizerChoice } from '../train/optimizer-choice.js';
import type { TrainingOptions, TrainingReport, TrainingSummary } from '../train/reports.js';

/** What the page found when it opened. */
export interface HeadlessEnvironment {
  readonly adapter: string;
  readonly heldOutCount: number;
  /** What people read of each rule, by its name. */
  readonly rules: Readonly<Record<string, string>>;
  /** Those that `tf.train` has too. */
  readonly peers: readonly string[];
}

/** What the headless page offers to the command line, as `window.headlessTraining`. */
export interface HeadlessTraining {
  /** Loads the digits and opens the GPU; must come first. */
  open(): Promise<HeadlessEnvironment>;
  /**
   * Starts a run and returns at once; everything else comes through `window.reportTraining`. A call
   * into a page must answer within the driver's time-out, and a run may take longer than that.
   */
  start(choice: OptimizerChoice, options: TrainingOptions): void;
}

/** What the page tells the command line. `done` or `failed` is the last message of a run. */
export type HeadlessMessage =
  | TrainingReport
  | { readonly kind: 'done'; readonly summary: TrainingSummary }
  | { readonly kind: 'failed'; readonly message: string };

declare global {
  interface Window {
    headlessTraining?: HeadlessTraining;
    /** Put there by the command line. */
    reportTraining?: (message: HeadlessMessage) => Promise<void>;
  }
}
