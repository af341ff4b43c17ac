import type { LearningRate, StateDtype } from '../../src/index.js';
import { peerFormula, peerUpdater } from './peers.js';
import { digitLearningRates, type LearningRates } from './presets.js';
import { trainedRule } from './trained-rules.js';
import { engineUpdater, type UpdaterFactory } from './updater.js';

/** Which optimizer trains; plain data, so that a command line can send it to a page. */
export interface OptimizerChoice {
  /** `webgpu-optim` is our engine; `tfjs` is the optimizer of the same name in `tf.train`. */
  readonly source: 'webgpu-optim' | 'tfjs';
  /** A name of {@link trainedRule}. */
  readonly rule: string;
  /** Learning rate of the first step; the demo's preset for digits when left out. */
  readonly lr?: number | undefined;
  /** Give our rule the options under which it computes what tfjs computes. */
  readonly tfjsFormula?: boolean | undefined;
  /** How our engine keeps the state; default `'f32'`. */
  readonly stateDtype?: StateDtype | undefined;
}

/** The learning rate that a rule starts with when nobody says otherwise: the preset, or the rule's own default. */
export function defaultLearningRate(rule: string, presets: LearningRates = digitLearningRates): number {
  return presets[rule] ?? trainedRule(rule).defaultLr;
}

/**
 * How to make the chosen updater.
 *
 * @param lr overrides the rate of the choice, for example by a schedule.
 * @throws Error when the rule is unknown, OptimizerError when it does not accept an option.
 */
export function updaterFactory(
  choice: OptimizerChoice,
  lr: LearningRate = choice.lr ?? defaultLearningRate(choice.rule),
): UpdaterFactory {
  if (choice.source === 'tfjs') {
    return peerUpdater(choice.rule, lr);
  }
  const { make, groups } = trainedRule(choice.rule);
  const formula = choice.tfjsFormula === true ? peerFormula(choice.rule) : {};
  return engineUpdater(make({ ...formula, lr }), { stateDtype: choice.stateDtype ?? 'f32', groups });
}

/** What people read of a choice. */
export const titleOf = ({ source, rule }: Pick<OptimizerChoice, 'source' | 'rule'>): string =>
  source === 'tfjs' ? `tf.train.${rule}` : trainedRule(rule).title;
