/** How long and on what to train. */
export interface TrainingOptions {
  readonly epochs: number;
  readonly batchSize: number;
  /** Initial weights and order of the examples; the same seed gives the same run. */
  readonly seed: number;
  /** Steps between two progress reports. */
  readonly reportEvery: number;
  /** Steps until the first one; default `reportEvery`. */
  readonly firstReport?: number | undefined;
  /** Lower the learning rate along a line that reaches zero at the end (the default), or keep it. */
  readonly decay?: 'linear' | 'none' | undefined;
  /** Stop after this many steps even if the epochs are not done. */
  readonly maxSteps?: number | undefined;
}

/** What happened in the last interval. */
export interface ProgressReport {
  readonly kind: 'progress';
  /** 1-based. */
  readonly epoch: number;
  /** Steps done so far. */
  readonly step: number;
  readonly totalSteps: number;
  /** Training loss of each step of the interval. */
  readonly losses: readonly number[];
  /** Their mean. */
  readonly loss: number;
  /** Of a step of all learners that advance together. */
  readonly stepMs: number;
  readonly stepsPerSecond: number;
  /** Share of a step's time that the optimizer takes, 0 … 1; NaN when it was not measured. */
  readonly optimizerShare: number;
}

/** How good the network is after an epoch. */
export interface EpochReport {
  readonly kind: 'epoch';
  /** 1-based. */
  readonly epoch: number;
  readonly step: number;
  /** Mean cross-entropy on the held-out examples. */
  readonly loss: number;
  /** Share of the held-out answers that are right, 0 … 1. */
  readonly accuracy: number;
}

export type TrainingReport = ProgressReport | EpochReport;

/** A finished run. */
export interface TrainingSummary {
  /** Mean cross-entropy on the held-out examples. */
  readonly loss: number;
  /** Share of the held-out answers that are right, 0 … 1. */
  readonly accuracy: number;
  readonly steps: number;
  /** Training and evaluation; not loading, calibrating or pausing. */
  readonly seconds: number;
  /** Mean time of a whole training step; the first interval, which compiles shaders, is left out. */
  readonly stepMs: number;
  /** Time of one optimizer step, measured on its own; NaN when it was not. */
  readonly optimizerMs: number;
}
