/** Learning rates of the first step, per rule. */
export type LearningRates = Readonly<Record<string, number>>;

/**
 * The demo's learning rates for digits: for each rule the best of a coarse sweep over three seeds on these
 * digits (four epochs, batches of 64; the sweep ran the same equations on a CPU). They are the rates
 * of the first step. The trainer lowers them along a line that ends at zero, which is worth about one
 * percent of accuracy and bears first rates that would be too high to end with. A rule without a
 * line here starts at its own default.
 *
 * | rule     | tried              | held-out accuracy    |
 * | -------- | ------------------ | -------------------- |
 * | sgd      | 0.4, 0.8, 1.6      | 93.9, 95.0, 92.2 %   |
 * | momentum | 0.1, 0.2, 0.4      | 95.3, 96.0, 94.9 %   |
 * | adagrad  | 0.03, 0.05, 0.1    | 94.5, 94.6, 94.3 %   |
 * | rmsprop  | 0.005, 0.007, 0.01 | 95.9, 96.2, 96.2 %   |
 * | adam     | 0.007, 0.01, 0.015 | 95.7, 96.1, 96.0 %   |
 *
 * Muon, whose others go by adamw, was tried for one epoch with one seed: 0.005, 0.01, 0.02 gave 93.0, 94.3, 93.8 %, and adam 93.2 %.
 */
export const digitLearningRates: LearningRates = {
  sgd: 0.8,
  momentum: 0.2,
  adagrad: 0.05,
  rmsprop: 0.007,
  adam: 0.01,
  adamw: 0.01,
  muon: 0.01,
};

/**
 * The demo's learning rates for text. Held-out bits per character of the small transformer after 30 steps (seed 1, the same
 * equations on a CPU); where there was a choice, not the highest rate, for the large one bears less. A rule without a line here
 * starts at its own default; those of adagrad and rmsprop were not tried, and those of adamw and muon + adamw are the best of bench/README.md:
 * 300 steps, with a cosine.
 *
 * | rule     | tried            | held-out bits    |
 * | -------- | ---------------- | ---------------- |
 * | sgd      | 0.5, 1           | 4.24, 4.09       |
 * | momentum | 0.05, 0.1        | 4.45, 4.24       |
 * | adam     | 0.01, 0.02, 0.04 | 4.30, 4.10, 4.11 |
 */
export const textLearningRates: LearningRates = {
  sgd: 0.5,
  momentum: 0.1,
  adagrad: 0.02,
  rmsprop: 0.003,
  adam: 0.01,
  adamw: 0.01,
  muon: 0.03,
};

/** What the page and the command line start with. */
export const trainingDefaults = {
  rule: 'adam',
  epochs: 3,
  /**
   * A batch of 32 costs a software adapter nearly as much as one of 64 (tfjs computes matrices in
   * tiles of 32 × 32 and dispatches as often), and one of 100 as much as one of 128.
   */
  batchSize: 64,
  seed: 1,
  /** Steps between two reports; each report reads the losses back once. */
  reportEvery: 25,
} as const;
