import { OptimizerError, quote } from '../errors.js';
import { isPerTensor, usedSlots } from '../kernel/variant.js';
import { type LearningRate, evaluateLearningRate } from '../rules/options.js';
import { type Rule, overrideRule } from '../rules/rule.js';

/** Hyper-parameters shared by some parameters; `optimizer.groups` lists them. */
export class ParameterGroup {
  /** Names of the group's parameters. */
  readonly params: readonly string[];
  #rule: Rule;
  readonly #currentStep: () => number;

  /** @internal */
  constructor(
    rule: Rule,
    params: readonly string[],
    currentStep: () => number,
    /** @internal Steps applied before the group took part: its bias corrections and averages count from there. */
    public joinedAt = 0,
  ) {
    this.#rule = rule;
    this.params = Object.freeze([...params]);
    this.#currentStep = currentStep;
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
    return evaluateLearningRate(this.#rule.options.lr, this.#currentStep());
  }

  /**
   * Sets the learning rate, or a schedule, from the next step on.
   *
   * @throws OptimizerError `invalid-option` if negative, NaN or infinite; nothing changes then.
   */
  set lr(lr: LearningRate) {
    if (lr === undefined)
      throw new OptimizerError('invalid-option', `lr is ${quote(lr)}; give a number ≥ 0.`);
    this.#rule = overrideRule(this.#rule, { lr });
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

/** @throws OptimizerError `invalid-parameter` if a rule's state for a whole tensor would change of a parameter left out. */
export function rejectUnskippable(groups: readonly ParameterGroup[], skipped: ReadonlySet<string>): void {
  for (const { rule, params } of groups) {
    const name = params.find((param) => skipped.has(param));
    const slot = usedSlots(rule).find((used) => isPerTensor(rule, used));
    if (name === undefined || slot === undefined) continue;
    throw new OptimizerError(
      'invalid-parameter',
      `encode(): ${quote(name)} cannot be skipped, for ${rule.name} keeps ${slot} of whole tensors; give it a gradient.`,
    );
  }
}
