import { ParameterGroup } from '../engine/group.js';
import { checkGradScale } from '../engine/control/settings.js';
import type { StepStats } from '../engine/step-stats.js';
import { OptimizerError, quote } from '../errors.js';
import { layoutOf } from '../kernel/rule-layout.js';
import type { LearningRate } from '../rules/options.js';
import { float32, float64 } from './arithmetic.js';
import { type ElementRule, makeElementRule } from './element-step.js';
import { GradientControl } from './gradient-control.js';
import { ParameterState } from './parameter-state.js';
import {
  type NumericArray,
  type ReferenceConfig,
  type ReferenceGradient,
  type ReferenceGradients,
  resolveReferenceConfig,
} from './reference-config.js';

/** A group with its rule in the reference's arithmetic. */
interface ReferenceGroup {
  readonly group: ParameterGroup;
  readonly rule: ElementRule<number>;
  readonly parameters: readonly ParameterState[];
}

/**
 * The same rules on the CPU, over typed arrays: the oracle that the kernels are tested against, and a way to
 * run an optimizer where there is no GPU. It shares nothing with the kernels but the declaration of the rule.
 *
 * @example
 * const reference = new ReferenceOptimizer({ rule: adam(), params: [{ name: 'w', data: weights }] });
 * reference.step([gradients]);
 */
export class ReferenceOptimizer {
  /** The parameter groups; one if the config gave `params`. */
  readonly groups: readonly ParameterGroup[];
  readonly #groups: readonly ReferenceGroup[];
  readonly #control: GradientControl;
  #gradScale: number;
  // Steps asked for: the applied ones and the skipped ones.
  #stepCount = 0;
  #evaluating = false;

  /** @throws OptimizerError on bad input. */
  constructor(config: ReferenceConfig) {
    const { precision, gradients, groups } = resolveReferenceConfig(config);
    this.#control = new GradientControl(gradients);
    this.#gradScale = gradients.gradScale;
    const arithmetic = precision === 'f64' ? float64 : float32;
    const ArrayType = precision === 'f64' ? Float64Array : Float32Array;
    this.#groups = groups.map(({ rule, params }) => {
      const names = params.map(({ name }) => name);
      return {
        group: new ParameterGroup(rule, names, () => this.#stepCount),
        rule: makeElementRule(arithmetic, rule, gradients.maxGradValue < Infinity),
        parameters: params.map((parameter) => new ParameterState(arithmetic, rule, parameter, ArrayType)),
      };
    });
    this.groups = this.#groups.map(({ group }) => group);
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
   *   values }` where it has a `rowLength`; default the parameters' `grad`.
   * @throws OptimizerError on missing or mismatched gradients, or after {@link eval}; nothing changes then.
   */
  step(grads?: ReferenceGradients): void {
    if (this.#evaluating) {
      throw new OptimizerError('invalid-config', 'step() was called after eval(); call train() first.');
    }
    const given = grads as readonly ReferenceGradient[] & Record<string, ReferenceGradient>;
    const gradients = this.#parameters.map((parameter, k) => {
      const { name, grad } = parameter;
      return parameter.elementGradients(grads === undefined ? grad : given[Array.isArray(grads) ? k : name]);
    });
    const lrs = this.groups.map((group) => group.lr);
    this.#stepCount++;
    const multiplier = this.#control.decide(
      gradients.map(({ values }) => values),
      this.#gradScale,
    );
    if (multiplier === undefined) return;
    const t = this.#stepCount - this.#control.skipped;
    const scaling = { multiplier, maxValue: this.#control.options.maxGradValue };
    let next = 0;
    this.#groups.forEach(({ group, rule, parameters }, g) => {
      const h = rule.prepare(layoutOf(group.rule).values(lrs[g]!, t, scaling), t);
      for (const parameter of parameters) parameter.update(rule, gradients[next++]!, h);
    });
  }

  /**
   * Puts the weights to evaluate with in place of those that train, as `Optimizer.eval`.
   *
   * @throws OptimizerError `invalid-config` if the rule evaluates with the weights that train.
   */
  eval(): void {
    this.#exchange(true, 'eval');
  }

  /** Puts the weights that train back; needed before the next step. @throws OptimizerError as {@link eval}. */
  train(): void {
    this.#exchange(false, 'train');
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
    return { step: this.#stepCount - skipped, skipped, gradNorm, clipFactor, lossScale };
  }

  /** A copy of a parameter's weights, in the reference's own precision. */
  readParam(name: string): NumericArray {
    return this.#find(name).weights.slice();
  }

  /** A copy of a slot of a parameter's state, in the reference's own precision. */
  readState(name: string, slot: string): NumericArray {
    const values = this.#find(name).state[slot];
    if (values) return values.slice();
    throw new OptimizerError('invalid-parameter', `parameter ${quote(name)} has no state ${quote(slot)}.`);
  }

  get #parameters(): ParameterState[] {
    return this.#groups.flatMap(({ parameters }) => parameters);
  }

  #exchange(isEvaluating: boolean, what: string): void {
    const { rule } = this.groups[0]!;
    if (!rule.declaration.evaluation) {
      throw new OptimizerError(
        'invalid-config',
        `${what}(): ${rule.name} evaluates with the weights that it trains; leave the call out.`,
      );
    }
    if (this.#evaluating === isEvaluating) return;
    this.#evaluating = isEvaluating;
    for (const { group, parameters } of this.#groups) {
      const { slot, share } = group.rule.declaration.evaluation!;
      const factor = (isEvaluating ? 1 : -1) * share(group.options);
      for (const parameter of parameters) parameter.addState(slot, factor);
    }
  }

  #find(name: string): ParameterState {
    const parameter = this.#parameters.find((candidate) => candidate.name === name);
    if (parameter) return parameter;
    throw new OptimizerError('invalid-parameter', `there is no parameter ${quote(name)}.`);
  }
}
