import type { StateName } from '../engine/input/config.js';
import { checkGradScale, isClamping, needsControlPass } from '../engine/input/options/gradient-options.js';
import { NameTable, type SkipOptions, resolveSkip } from '../engine/input/names.js';
import { ParameterGroup, type RuleInForce } from '../engine/parameter-group.js';
import { checkLoadOptions, checkRun } from '../engine/saved/check-state-dict.js';
import { restoreSchedules } from '../engine/saved/restore-schedules.js';
import type { LoadOptions, LoadedNames, StateDict } from '../engine/saved/state-dict.js';
import type { StepStats } from '../engine/stats.js';
import { OptimizerError, quote } from '../errors.js';
import { layoutOf } from '../kernel/rule-layout.js';
import type { LearningRate } from '../rules/options/options.js';
import type { Rule } from '../rules/rule.js';
import { float32, float64 } from './arithmetic/arithmetic.js';
import type { PreparedStep } from './tensor/element-step.js';
import { type ReferenceRule, makeReferenceRule } from './reference-rule.js';
import { GradientControl } from './gradient-control.js';
import type { NumericArray } from './arithmetic/numbers.js';
import { ParameterState } from './tensor/parameter-state.js';
import { type ReferenceConfig, type ReferenceGradients, resolveReferenceConfig } from './reference-config.js';
import type { ElementGradients } from './tensor/sum-rows.js';
import { type ReferenceStateDict, checkArrays, describeRun } from './saved-run.js';
import { type ServedWeights, chooseServed, exchangeWeights } from './served-weights.js';
import { gradientsByParameter } from './step-arguments.js';
import { preparedStep } from './tensor/table-step.js';

/** A group with its rule in the reference's arithmetic. */
interface ReferenceGroup {
  readonly group: ParameterGroup;
  /** Of a rule with a number in place of each schedule. */
  readonly elementRuleOf: (rule: Rule) => ReferenceRule;
  readonly parameters: readonly ParameterState[];
}

/** As a function, but that the same argument as at the last call gives the same result. */
function remember<T, U>(make: (given: T) => U): (given: T) => U {
  let last: { readonly given: T; readonly made: U } | undefined;
  return (given) => {
    if (last?.given !== given) last = { given, made: make(given) };
    return last.made;
  };
}

/**
 * The same rules on the CPU, over typed arrays: the oracle that the kernels are tested against, and a way to
 * run an optimizer where there is no GPU. It shares nothing with the kernels but the declaration of the rule.
 *
 * @example
 * const reference = new ReferenceOptimizer({ rule: adam(), params: [{ name: 'w', data: weights }] });
 * reference.step([gradients]);
 */
export class ReferenceOptimizer<R extends Rule = Rule> {
  /** The parameter groups; one if the config gave `params`. */
  readonly groups: readonly ParameterGroup<R>[];
  readonly #groups: readonly ReferenceGroup[];
  readonly #parameters = new NameTable<ParameterState>();
  readonly #control: GradientControl;
  readonly #ruleName: string;
  #gradScale: number;
  // Steps asked for: the applied ones and those skipped for a gradient that was not finite.
  #stepCount = 0;
  /** What lies in place of the weights that train, if anything does. */
  #served: ServedWeights | undefined;
  /** The groups' rules as they were then. */
  #servedRules: readonly Rule[] = [];

  /** @throws OptimizerError on bad input. */
  constructor(config: ReferenceConfig<R>) {
    const { precision, ruleName, gradients, names: order, groups } = resolveReferenceConfig(config);
    this.#ruleName = ruleName;
    const isDouble = precision === 'f64';
    this.#control = new GradientControl(gradients, isDouble ? (value) => value : Math.fround);
    this.#gradScale = gradients.gradScale;
    const arithmetic = isDouble ? float64 : float32;
    const ArrayType = isDouble ? Float64Array : Float32Array;
    this.#groups = groups.map(({ rule, params }) => {
      const names = params.map(({ name }) => name);
      return {
        group: new ParameterGroup(rule, names, { currentStep: () => this.#stepCount, check: () => {} }),
        elementRuleOf: remember((current: Rule) =>
          makeReferenceRule(arithmetic, current, isClamping(gradients)),
        ),
        parameters: params.map((parameter) => new ParameterState(arithmetic, rule, parameter, ArrayType)),
      };
    });
    this.groups = Object.freeze(this.#groups.map(({ group }) => group));
    const parameters = this.#groups.flatMap((group) => group.parameters);
    this.#parameters.rejectTaken(parameters.map(({ name }) => name));
    const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
    for (const name of order) this.#parameters.set(name, byName.get(name)!);
  }

  /** The learning rate of the next step; with several groups, that of the first. */
  get lr(): number {
    return this.groups[0]!.lr;
  }

  /** Sets the learning rate, or a schedule, of all groups from the next step on. */
  set lr(lr: LearningRate) {
    for (const group of this.groups) group.lr = lr;
  }

  /**
   * Makes one step.
   *
   * @param grads an array per parameter, in their order or by name, each as long as the parameter, or `{ indices,
   *   values }` of some rows where it has a `rowLength`; default the parameters' `grad`.
   * @param options which parameters to leave out; see {@link SkipOptions}.
   * @throws OptimizerError on missing or mismatched gradients, unknown names, or after {@link eval}; nothing changes then. What a rule's
   *   own functions throw goes through, if nothing has changed; else it is the cause of an error that tells what has.
   */
  step(grads?: ReferenceGradients, options?: SkipOptions): void {
    this.#checkTraining('step');
    const skipped = resolveSkip(options, this.#parameters, 'step()');
    const given = grads === undefined ? undefined : gradientsByParameter(grads, [...this.#parameters.keys()]);
    const gradients = new Map<ParameterState, ElementGradients<number>>();
    [...this.#parameters.values()].forEach((parameter, k) => {
      if (skipped?.has(parameter)) return;
      const gradient = given ? given(k, parameter.name) : parameter.grad;
      gradients.set(parameter, parameter.elementGradients(gradient));
    });
    const inForce = this.groups.map((group) => group.inForce());
    const undo = this.#control.remember();
    this.#stepCount++;
    const changed = new Set<string>();
    try {
      this.#update(gradients, inForce, changed);
    } catch (error) {
      if (changed.size === 0) {
        this.#stepCount--;
        undo();
        throw error;
      }
      throw new OptimizerError(
        'invalid-config',
        `step: the rule ${quote(this.#ruleName)} threw when parameters ${quote([...changed])} had been stepped, the last of them maybe in part; ` +
          `load a saved state, or make the parameters anew. It threw ${quote(String(error))}.`,
        { cause: error },
      );
    }
  }

  /** @param changed gets the names of the parameters that change. */
  #update(
    gradients: ReadonlyMap<ParameterState, ElementGradients<number>>,
    inForce: readonly RuleInForce[],
    changed: Set<string>,
  ): void {
    const multiplier = this.#control.decide(
      [...gradients.values()].map(({ values }) => values),
      this.#gradScale,
    );
    if (multiplier === undefined) return;
    const { minGradValue: minValue, maxGradValue: maxValue, maxGradNormPerTensor } = this.#control.options;
    const scaling = { multiplier, minValue, maxValue };
    this.#groups.forEach(({ elementRuleOf, parameters }, g) => {
      const { rule: current, lr } = inForce[g]!;
      const rule = elementRuleOf(current);
      // Parameters that have made the same number of steps share their scalars.
      const prepared = new Map<number, PreparedStep<number>>();
      const prepare = (t: number): PreparedStep<number> => {
        const step = preparedStep(rule, layoutOf(current).values(lr, t, scaling), t);
        prepared.set(t, step);
        return step;
      };
      for (const parameter of parameters) {
        const gradient = gradients.get(parameter);
        const t = parameter.stepCount + 1;
        if (!gradient) continue;
        const clipped =
          maxGradNormPerTensor < Infinity
            ? parameter.clip(gradient, multiplier, maxGradNormPerTensor)
            : gradient;
        parameter.update(rule, clipped, prepared.get(t) ?? prepare(t), () => changed.add(parameter.name));
      }
    });
  }

  /**
   * Puts the weights to evaluate with in place of those that train, as `Optimizer.eval`: what a schedule-free rule has for
   * it, the exponential moving average, or the stochastic one. Again is no error and does nothing. A parameter that made no
   * step keeps its weights.
   *
   * @throws OptimizerError `invalid-config` if there is nothing but the weights that train.
   */
  eval(): void {
    this.#serve('eval', true);
  }

  /** Puts the weights that train back; needed before the next step. @throws OptimizerError as {@link eval}. */
  train(): void {
    this.#serve('train', false);
  }

  /**
   * {@link eval} and {@link train} in turn, with the exponential moving average.
   *
   * @throws OptimizerError `invalid-config` if the config has no `ema`, or while other weights are served.
   */
  swapEma(): void {
    if (!layoutOf(this.groups[0]!.rule).averages.some(({ declaration }) => declaration.slot === 'ema')) {
      throw new OptimizerError(
        'invalid-config',
        "swapEma(): there is no state 'ema'; configure ema: { decay }.",
      );
    }
    if (this.#served !== 'ema') this.#checkTraining('swapEma');
    this.#exchange(this.#served === 'ema' ? undefined : 'ema');
  }

  /** Factor on all gradients from the next step on. */
  get gradScale(): number {
    return this.#gradScale;
  }

  /** @throws OptimizerError `invalid-option` unless a finite number > 0. */
  set gradScale(gradScale: number) {
    this.#gradScale = checkGradScale(gradScale);
  }

  /** What became of the steps so far; see {@link StepStats}. The norm is always known here. */
  stats(): Omit<StepStats, 'lr'> {
    const { skipped, gradNorm, clipFactor, lossScale } = this.#control;
    const counts = this.#groups.flatMap(({ parameters }) =>
      parameters.flatMap(({ overflowCount }) => overflowCount ?? []),
    );
    const overflows = counts.reduce((sum, count) => sum + count, 0);
    return {
      step: this.#applied,
      skipped,
      gradNorm,
      clipFactor,
      lossScale,
      ...(counts.length > 0 && { overflows }),
    };
  }

  /** A copy of a parameter's weights, in the reference's own precision. */
  readParam(name: string): NumericArray {
    return this.#parameters.find(name, 'readParam()').weights.slice();
  }

  /**
   * A copy of a slot of a parameter's state, in the reference's own precision. `'step'` is one number: the steps applied to
   * the parameter.
   */
  readState(name: string, slot: StateName<R>): NumericArray {
    const { state, stepCount, weights } = this.#parameters.find(name, 'readState()');
    if (slot === 'step')
      return weights instanceof Float32Array ? Float32Array.of(stepCount) : Float64Array.of(stepCount);
    const values = state[slot];
    if (values) return values.slice();
    throw new OptimizerError('invalid-parameter', `parameter ${quote(name)} has no state ${quote(slot)}.`);
  }

  /**
   * Everything that a resumed run needs beside the parameters, as plain data: what `Optimizer.stateDict` gives, with the
   * state in the reference's precision.
   *
   * @throws OptimizerError `invalid-config` after {@link eval}.
   */
  stateDict(): ReferenceStateDict {
    this.#checkTraining('stateDict');
    const step = this.#applied;
    const control = needsControlPass(this.#control.options) ? { control: this.#control.save() } : {};
    return { rule: this.#ruleName, step, ...describeRun(this.#groups, step), ...control };
  }

  /**
   * Goes on from what {@link stateDict} or `Optimizer.stateDict` gave. A live schedule stays and follows the restored step.
   * With `{ strict: false }` by name, as `Optimizer.loadStateDict`.
   *
   * @returns which parameters were loaded, which the dict does not have, and which of the dict's are not here.
   * @throws OptimizerError `invalid-state-dict` if the dict is of another rule, other names, shapes or switches, or
   *   `invalid-config` after {@link eval}; nothing changes then.
   */
  loadStateDict(dict: StateDict | ReferenceStateDict, options?: LoadOptions): LoadedNames {
    this.#checkTraining('loadStateDict');
    const isStrict = checkLoadOptions(options, 'loadStateDict()');
    const { scheduleStep, groups, names, state, control } = checkRun(
      dict,
      this.#ruleName,
      this.groups,
      isStrict,
    );
    const values = checkArrays(state, this.#groups, names, isStrict);
    restoreSchedules(groups, this.groups, isStrict);
    this.#groups.forEach(({ group, parameters }, g) => {
      const checked = groups[g]!;
      group.replaceRule(checked.rule);
      parameters.forEach((parameter, k) => {
        const count = checked.counts[k];
        if (count !== undefined) parameter.restore(count, values.get(parameter.name)!);
      });
    });
    this.#control.restore(control);
    this.#stepCount = scheduleStep;
    return names;
  }

  /** Steps applied. */
  get #applied(): number {
    return this.#stepCount - this.#control.skipped;
  }

  #checkTraining(what: string): void {
    if (this.#served === undefined) return;
    throw new OptimizerError('invalid-config', `${what}() was called after eval(); call train() first.`);
  }

  #serve(what: string, isEvaluating: boolean): void {
    const served = chooseServed(this.groups[0]!.rule, what);
    if ((this.#served !== undefined) !== isEvaluating) this.#exchange(isEvaluating ? served : undefined);
  }

  #exchange(served: ServedWeights | undefined): void {
    const rounded = [...this.#parameters.values()].find(({ isRounded }) => isRounded);
    if (served && rounded) {
      throw new OptimizerError(
        'invalid-config',
        `parameter ${quote(rounded.name)} has weights of 2 bytes, which cannot change places with what is float32; use masterWeights, or dtype "f32".`,
      );
    }
    const exchanged = (served ?? this.#served)!;
    this.#served = served;
    // The way back is the way there, whatever options have changed meanwhile.
    if (served) this.#servedRules = this.groups.map((group) => group.inForce().rule);
    this.#groups.forEach(({ parameters }, g) => {
      for (const parameter of parameters) {
        exchangeWeights(parameter, this.#servedRules[g]!, exchanged, served !== undefined);
      }
    });
  }
}
