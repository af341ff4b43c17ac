import { OptimizerError, isRecord, quote } from '../errors.js';
import { copyGiven } from '../given.js';
import { otherState } from '../kernel/rule-layout.js';
import type { RuleOptions } from '../rules/options/common-options.js';
import { ruleAt } from '../rules/options/rule-at.js';
import { type LearningRate, evaluateLearningRate } from '../rules/options/options.js';
import { type Rule, type RuleOverrides, overrideRule } from '../rules/rule.js';

/** What a group asks of the optimizer that it belongs to. */
export interface GroupHost {
  /** Steps asked for so far; what schedules are asked with. */
  currentStep(): number;
  /** Throws if the optimizer may not be used; named as `UsageGuard.check`. */
  check(call: string): void;
}

/** What is in force at a step: a rule with a number in place of each schedule, and its learning rate. */
export interface RuleInForce {
  readonly rule: Rule;
  readonly lr: number;
}

/**
 * Hyper-parameters shared by some parameters; `optimizer.groups` lists them.
 *
 * @typeParam R the rule.
 */
export class ParameterGroup<R extends Rule = Rule> {
  #params: readonly string[];
  #rule: Rule;
  readonly #host: GroupHost;

  /** @internal */
  constructor(rule: Rule, params: readonly string[], host: GroupHost) {
    this.#rule = rule;
    this.#params = Object.freeze([...params]);
    this.#host = host;
  }

  /** Names of the group's parameters. */
  get params(): readonly string[] {
    return this.#params;
  }

  /** The rule with this group's options; schedules are in it as they were given. */
  get rule(): Rule {
    return this.#rule;
  }

  /**
   * The options of the next step, complete and frozen; schedules are asked for theirs.
   *
   * @throws OptimizerError `invalid-option` if one returns nonsense.
   */
  get options(): OptionsInForce<R> {
    const { rule, lr } = this.inForce();
    return Object.freeze({ ...rule.options, lr }) as OptionsInForce<R>;
  }

  /**
   * Sets some options from the next step on; those that are not given, or `undefined`, stay as they are. A schedule may stand for
   * each number. Nothing is compiled unless a switch changes, as when `weightDecay` leaves 0: then once, at the next step. Bias
   * corrections are 1 − βᵗ with the β of the step, as in PyTorch.
   *
   * @param overrides options of the rule, by name.
   * @throws OptimizerError `invalid-option` for an unknown name, a value out of range, an option that only says how state begins,
   *   or one that would need other state; `destroyed` after `destroy()`. Nothing changes then.
   * @example group.set({ weightDecay: 0, betas: [0.8, (step) => 0.99 - 0.09 * 0.5 ** step] })
   */
  set(overrides: RuleOverrides<R>): void {
    this.#host.check('set()');
    if (!isRecord(overrides)) {
      throw new OptimizerError(
        'invalid-option',
        `set(): ${quote(overrides)} are no options; give { lr: 1e-4 }.`,
      );
    }
    const given = copyGiven(overrides);
    const rule = overrideRule(this.#rule, given);
    for (const [name, value] of Object.entries(given)) {
      if (value === undefined || rule.declaration.options[name]?.isInitial !== true) continue;
      throw new OptimizerError(
        'invalid-option',
        `set(): ${name} says how the state begins, and it has begun; leave it out, or write the state.`,
      );
    }
    rejectOtherState(this.#rule, rule);
    this.#rule = rule;
  }

  /** @internal What is in force at the next step. */
  inForce(): RuleInForce {
    const step = this.#host.currentStep();
    return { rule: ruleAt(this.#rule, step), lr: evaluateLearningRate(this.#rule.options.lr, step) };
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

  /** @internal Lists the parameters that it has now. */
  replaceParams(params: readonly string[]): void {
    this.#params = Object.freeze([...params]);
  }

  /** @internal Takes over hyper-parameters that a state dict brought. */
  replaceRule(rule: Rule): void {
    this.#rule = rule;
  }
}

/** Options with a number in place of each schedule. */
export type OptionsInForce<R extends Rule = Rule> = R extends Rule<infer O> ? RuleOptions<O> : RuleOptions;

/** @throws OptimizerError `invalid-option` if a rule with other options keeps other state. */
function rejectOtherState(before: Rule, after: Rule): void {
  const { needed, left } = otherState(before, after);
  if (needed.length === 0 && left.length === 0) return;
  // Lists are copied, so that what is in them tells.
  const names = Object.keys(after.options).filter(
    (name) => quote(before.options[name]) !== quote(after.options[name]),
  );
  const what = needed.length > 0 ? `needs ${needed.join(', ')}` : `does without ${left.join(', ')}`;
  throw new OptimizerError(
    'invalid-option',
    `set(): with this ${names.join(', ')}, ${after.name} ${what}, which is decided at creation; give a schedule there, or ` +
      'create a new optimizer.',
  );
}
