import { OptimizerError, quote } from '../errors.js';
import { type LearningRate, evaluateLearningRate } from '../rules/options.js';
import { type Rule, overrideRule } from '../rules/rule.js';

/** What a group asks of the optimizer that it belongs to. */
export interface GroupHost {
  /** Steps asked for so far; what schedules are asked with. */
  currentStep(): number;
  /** Throws if the optimizer may not be used; named as `UsageGuard.check`. */
  check(call: string): void;
}

/** Hyper-parameters shared by some parameters; `optimizer.groups` lists them. */
export class ParameterGroup {
  /** Names of the group's parameters. */
  readonly params: readonly string[];
  #rule: Rule;
  readonly #host: GroupHost;

  /** @internal */
  constructor(rule: Rule, params: readonly string[], host: GroupHost) {
    this.#rule = rule;
    this.params = Object.freeze([...params]);
    this.#host = host;
  }

  /** The rule with this group's options. */
  get rule(): Rule {
    return this.#rule;
  }

  /** The group's options, complete and frozen. */
  get options(): Rule['options'] {
    return this.#rule.options;
  }

  /** The learning rate of the next step; a schedule is asked for it. */
  get lr(): number {
    return evaluateLearningRate(this.#rule.options.lr, this.#host.currentStep());
  }

  /**
   * Sets the learning rate, or a schedule, from the next step on.
   *
   * @throws OptimizerError `invalid-option` if negative, NaN, infinite or more than float32 can hold, `destroyed` after
   *   `destroy()`; nothing changes then.
   */
  set lr(lr: LearningRate) {
    this.#host.check('lr =');
    this.#rule = this.withLr(lr);
  }

  /** @internal The rule as it would be with another learning rate; throws as the setter does. */
  withLr(lr: LearningRate): Rule {
    if (lr === undefined)
      throw new OptimizerError('invalid-option', `lr is ${quote(lr)}; give a number ≥ 0.`);
    return overrideRule(this.#rule, { lr });
  }

  /** Whether a schedule sets the learning rate. */
  get isScheduled(): boolean {
    return typeof this.#rule.options.lr === 'function';
  }

  /** @internal Takes over hyper-parameters that a state dict brought. */
  replaceRule(rule: Rule): void {
    this.#rule = rule;
  }
}
