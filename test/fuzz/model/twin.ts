import {
  isClamping,
  needsControlPass,
  resolveGradientOptions,
} from '../../../src/engine/input/options/gradient-options.js';
import type { StateDict } from '../../../src/engine/saved/state-dict.js';
import type { StepStats } from '../../../src/engine/stats.js';
import type { LearningRate, Rule } from '../../../src/index.js';
import { resolveRuleSettings } from '../../../src/engine/input/options/state-options.js';
import { layoutOf } from '../../../src/kernel/rule-layout.js';
import { float32 } from '../../../src/reference/arithmetic/arithmetic.js';
import { makeReferenceRule } from '../../../src/reference/reference-rule.js';
import { preparedStep } from '../../../src/reference/tensor/table-step.js';
import { ruleAt } from '../../../src/rules/options/rule-at.js';
import { evaluateLearningRate } from '../../../src/rules/options/options.js';
import { overrideRule, withSettings } from '../../../src/rules/rule.js';
import { readPlaces, setPlaces } from '../world/memory.js';
import { type OptimizerPlan, makeRule } from '../case/plans.js';
import type { MatchedGroup } from './match-dict.js';
import { describeGroup, describeState, isPlateau } from './describe-twin.js';
import { ControlTwin } from './twin-control.js';
import type { Home, Source, TensorTwin } from './twin-tensor.js';

/** Work on the GPU: what it does to the model when it is submitted. */
export type Command = () => void;

/** The model of a group. */
export interface GroupTwin {
  rule: Rule;
  tensors: readonly TensorTwin[];
}

/**
 * The model of an optimizer: what its docs promise, on the CPU, in the order in which work is submitted. What the host decides
 * is noted when it is asked for it; what the GPU does is a {@link Command}, for whoever knows when it is submitted.
 */
export class OptimizerTwin {
  groups: GroupTwin[] = [];
  /** Entries of maps on the GPU that named no row; once there was such a map. */
  strayRows: number | undefined;
  /** The rule that groups override. */
  readonly rule: Rule;
  gradScale: number;
  isDestroyed = false;
  readonly #gradients;
  readonly #control: ControlTwin | undefined;
  #asked = 0;
  #applied = 0;
  #lastLr = NaN;
  #source: Source | undefined;
  /** What was in place before the last way back. */
  #lastSource: Source | undefined;
  /** Per group, the share of its rule's slot that is added; of the way back, that of the way there. */
  #shares = new Map<GroupTwin, number>();

  constructor(plan: OptimizerPlan) {
    const rule = makeRule(plan);
    this.rule = withSettings(rule, resolveRuleSettings({ ...plan.settings }));
    this.#gradients = resolveGradientOptions(plan.settings);
    this.gradScale = this.#gradients.gradScale;
    if (needsControlPass(this.#gradients)) this.#control = new ControlTwin(this.#gradients);
  }

  /** Whether steps count as they are submitted, and not as they are encoded. */
  get countsOnGpu(): boolean {
    return this.#control !== undefined;
  }

  get tensors(): TensorTwin[] {
    return this.groups.flatMap(({ tensors }) => tensors);
  }

  get isEvaluating(): boolean {
    return this.#source !== undefined;
  }

  /** Whether weights are in place that were not asked for last: an encoder with `eval` or `train` was dropped, or is due. */
  get isAstray(): boolean {
    return this.tensors.some(({ isServed }) => isServed !== this.isEvaluating);
  }

  /** What `eval` serves. */
  get defaultSource(): Source | undefined {
    if (layoutOf(this.rule).evaluation) return 'rule';
    return (['ema', 'swa'] as const).find((source) => this.has(source));
  }

  has(average: 'ema' | 'swa'): boolean {
    return layoutOf(this.rule).averages.some(({ declaration }) => declaration.slot === average);
  }

  setLr(lr: LearningRate, group?: number): void {
    const changed = group === undefined ? this.groups : [this.groups[group]!];
    for (const each of changed) each.rule = overrideRule(each.rule, { lr });
  }

  /** Tells schedules that follow a metric; each once, however many groups share it. */
  report(metric: number): void {
    for (const schedule of new Set(this.groups.map(({ rule }) => rule.options.lr))) {
      if (isPlateau(schedule)) schedule.report(metric);
    }
  }

  /** Notes a step, and returns what it does when it is submitted. */
  step(skipped: ReadonlySet<TensorTwin>): Command {
    const { gradScale } = this;
    const isClamped = isClamping(this.#gradients);
    const parts = this.groups.map((group) => {
      const { rule, lr } = this.inForce(group);
      return {
        rule,
        elementRule: makeReferenceRule(float32, rule, isClamped),
        lr,
        active: group.tensors
          .filter((tensor) => !skipped.has(tensor) && !tensor.isFrozen)
          .map((tensor) => ({ tensor, home: tensor.home, t: ++tensor.hostCount })),
      };
    });
    this.#asked++;
    this.#applied++;
    this.#lastLr = parts[0]!.lr;
    return () => {
      const active = parts.flatMap((part) => part.active);
      const multiplier = this.#control
        ? this.#control.decide(
            active.map(({ tensor, home }) => tensor.gradientValues(home)),
            gradScale,
          )
        : gradScale / this.#gradients.lossScale;
      if (multiplier === undefined) return;
      const {
        minGradValue: minValue,
        maxGradValue: maxValue,
        maxGradNormPerTensor: maxNorm,
      } = this.#gradients;
      const scaling = { multiplier, minValue, maxValue };
      for (const { rule, elementRule, lr, active: own } of parts) {
        for (const { tensor, home, t: encodedT } of own) {
          const t = this.#control ? tensor.state.stepCount + 1 : encodedT;
          const scalars = layoutOf(rule).values(lr, t, scaling);
          const prepared = preparedStep(elementRule, scalars, t);
          tensor.update(elementRule, home, prepared, { multiplier, maxNorm });
        }
      }
    };
  }

  /** Notes which weights are wanted in place. */
  evaluate(isEvaluating: boolean, wanted: Source | undefined = this.defaultSource): Command {
    const source = this.#source ?? (isEvaluating ? wanted : this.#lastSource) ?? wanted!;
    const isKnown = !isEvaluating && this.groups.every((group) => this.#shares.has(group));
    if (source === 'rule' && !this.isEvaluating && !isKnown) {
      const shareOf = (group: GroupTwin) => layoutOf(this.inForce(group).rule).evaluation!.share;
      this.#shares = new Map(this.groups.map((group) => [group, shareOf(group)]));
    }
    this.#lastSource = source;
    this.#source = isEvaluating ? source : undefined;
    const served = this.groups.flatMap((group) =>
      group.tensors.map((tensor) => ({
        rule: group.rule,
        share: this.#shares.get(group),
        tensor,
        home: tensor.home,
      })),
    );
    // Where the host counts, it tells so at the call.
    for (const { tensor } of served) tensor.toldCount = tensor.hostCount;
    return () => {
      for (const { tensor, home, rule, share } of served) {
        const count = this.#control ? tensor.state.stepCount : tensor.toldCount;
        tensor.serve(home, { rule, share }, source, isEvaluating, count);
      }
    };
  }

  /** Whether `swapEma` would evaluate; undefined if it is refused. */
  get swapsTo(): boolean | undefined {
    if (!this.has('ema') || (this.isEvaluating && this.#source !== 'ema')) return undefined;
    return !this.isEvaluating;
  }

  zeroGrad(): Command {
    const homes = this.tensors.map(({ home }) => home);
    return () => {
      for (const { grad } of homes) setPlaces(grad, readPlaces(grad).fill(0));
    };
  }

  accumulate(): Command {
    const all = this.tensors.map((tensor): [TensorTwin, Home] => [tensor, tensor.home]);
    return () => {
      for (const [tensor, home] of all) tensor.accumulate(home);
    };
  }

  countOf(tensor: TensorTwin): number {
    return this.#control ? tensor.state.stepCount : tensor.hostCount;
  }

  get lossScale(): number {
    return this.#control?.decisions.lossScale ?? this.#gradients.lossScale;
  }

  stats(): StepStats {
    const lr = this.#lastLr;
    const counted = this.strayRows === undefined ? {} : { strayRows: this.strayRows };
    if (!this.#control) {
      const { lossScale } = this;
      return { step: this.#applied, skipped: 0, gradNorm: NaN, clipFactor: 1, lossScale, lr, ...counted };
    }
    const { step, decisions } = this.#control;
    const { skipped, gradNorm, clipFactor, lossScale } = decisions;
    return { step, skipped, gradNorm, clipFactor, lossScale, lr, ...counted };
  }

  /** A group's rule with a number in place of each schedule, and its learning rate, at the next step. */
  inForce({ rule }: GroupTwin): { rule: Rule; lr: number } {
    return { rule: ruleAt(rule, this.#asked), lr: evaluateLearningRate(rule.options.lr, this.#asked) };
  }

  /** As `group.options`. */
  optionsOf(group: GroupTwin): Readonly<Record<string, unknown>> {
    const { rule, lr } = this.inForce(group);
    return { ...rule.options, lr };
  }

  /** Lets go of tensors; groups without any are gone. */
  remove(leaving: ReadonlySet<TensorTwin>): void {
    for (const group of this.groups) group.tensors = group.tensors.filter((tensor) => !leaving.has(tensor));
    this.groups = this.groups.filter(({ tensors }) => tensors.length > 0);
  }

  /** Lets a group join; some of its tensors may be of other groups. */
  join(group: GroupTwin, moved: readonly TensorTwin[]): void {
    this.remove(new Set(moved));
    for (const tensor of moved) tensor.join(group.rule);
    group.tensors = [...group.tensors, ...moved];
    this.groups.push(group);
  }

  /** Gives a tensor another count of steps; the optimizer's own is no less. */
  setCount(tensor: TensorTwin, count: number): void {
    if (this.#control && count > this.#applied) this.#control.step = count;
    this.#asked += Math.max(count - this.#applied, 0);
    this.#applied = Math.max(count, this.#applied);
    tensor.setCount(count);
  }

  stateDict(): StateDict {
    // No parameter has made more steps, though the GPU may have applied fewer than were written of one.
    const applied = this.#control ? this.#control.step : this.#applied;
    const step = Math.max(applied, ...this.tensors.map((tensor) => this.countOf(tensor)));
    return {
      rule: this.rule.name,
      step,
      groups: this.groups.map((group) => {
        const counts = group.tensors.map((tensor) => this.countOf(tensor));
        return describeGroup(group, this.optionsOf(group), counts, step);
      }),
      state: describeState(this.tensors),
      ...(this.#control && { control: this.#control.decisions.save() }),
    };
  }

  load({ step, state, control }: StateDict, matched: readonly MatchedGroup[]): void {
    this.groups.forEach((group, g) => {
      const { rule, counts, schedule } = matched[g]!;
      const { lr } = group.rule.options;
      if (isPlateau(lr) && schedule) lr.loadState(schedule);
      group.rule = rule;
      group.tensors.forEach((tensor, k) => {
        const count = counts[k];
        if (count === undefined) return;
        tensor.hostCount = count;
        // Averages that the dict lacks begin from the weights in place.
        tensor.state.weights.set(tensor.weights);
        tensor.state.restore(count, state[tensor.name]!);
      });
    });
    this.#asked = step + (control?.skipped ?? 0);
    this.#applied = step;
    if (!this.#control) return;
    this.#control.step = step;
    this.#control.decisions.restore(control);
    this.#control.decisions.gradNorm = NaN;
    this.#control.decisions.clipFactor = 1;
  }
}
