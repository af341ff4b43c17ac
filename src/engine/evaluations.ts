import type { Rule } from '../rules/rule.js';
import type { ResolvedGroup } from './config.js';
import type { Evaluation } from './evaluation.js';

/** What exchanges the weights that train for those to evaluate with, of all groups whose rules have both. */
export class Evaluations {
  /** Per group, where its rule has one. */
  #all: readonly (Evaluation | undefined)[];
  readonly #own: Evaluation[] = [];

  /** @param previous those of the first groups, which stay another's to free. */
  constructor(previous?: Evaluations) {
    this.#all = previous ? previous.#all : [];
  }

  /** Whether every rule evaluates with the weights that it trains. */
  get isEmpty(): boolean {
    return this.#all.every((evaluation) => evaluation === undefined);
  }

  /** Takes over that of the next group; undefined if its rule has none. */
  add(evaluation: Evaluation | undefined): void {
    if (evaluation) this.#own.push(evaluation);
    this.#all = [...this.#all, evaluation];
  }

  /** Follows options that changed; a rule per group. */
  setRules(rules: readonly Rule[]): void {
    this.#all.forEach((evaluation, g) => evaluation?.setRule(rules[g]!));
  }

  /** The same over other weights; as `GroupExecutor.prepareRebind`, per group that has one. */
  prepareRebind(groups: readonly ResolvedGroup[]): (() => void)[] {
    return this.#all.flatMap((evaluation, g) => (evaluation ? [evaluation.prepareRebind(groups[g]!)] : []));
  }

  /** As {@link Evaluation.encode}, of all. */
  encode(encoder: GPUCommandEncoder, isEvaluating: boolean): void {
    for (const evaluation of this.#all) evaluation?.encode(encoder, isEvaluating);
  }

  /** Frees what was added here, not what was taken over. */
  destroyOwn(): void {
    for (const evaluation of this.#own) evaluation.destroy();
  }
}
