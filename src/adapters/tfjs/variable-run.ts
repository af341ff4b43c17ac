import type { Tensor } from '@tensorflow/tfjs-core';
import type { Optimizer } from '../../engine/optimizer.js';
import type { LearningRate } from '../../rules/options/options.js';
import type { Rule } from '../../rules/rule.js';
import { TfjsBackend } from './backend.js';
import type { NamedTensor } from './exported-tensors.js';
import { inGroups, makeEngine } from './make-engine.js';
import type { ResolvedOptions } from './options.js';
import { type SavedState, fromStateDict } from './saved-state.js';
import { checkUpdates } from './updates.js';
import { type FreshVariable, VariableTable } from './variable-table.js';

/** What may have changed since the optimizer was made. */
export interface RunSettings {
  readonly rule: Rule;
  /** In place of that of the rule and the groups, if it was set. */
  readonly lr: LearningRate | undefined;
  readonly gradScale: number;
  /** The state to begin with. */
  readonly pending: SavedState | undefined;
}

/** What an optimizer has from its first step on: tfjs's backend, the variables that it has met, and an engine for them. */
export class VariableRun {
  readonly #backend = TfjsBackend.current();
  readonly #variables: VariableTable;
  #engine: Optimizer | undefined;
  // Which of the options' groups each of the engine's belongs to.
  #ranks: number[] = [];

  /** @throws OptimizerError `invalid-config` if tfjs does not compute on WebGPU. */
  constructor(
    private readonly options: ResolvedOptions,
    rule: Rule,
  ) {
    this.#variables = new VariableTable(this.#backend, options.settings.label, rule);
  }

  /** The engine, once a variable has come; see {@link located}. */
  get engine(): Optimizer | undefined {
    return this.#engine;
  }

  /** The engine, told where the variables are by now, behind what tfjs has recorded. */
  get located(): Optimizer | undefined {
    if (this.#engine && this.#backend.isUsable) {
      this.#variables.follow(this.#engine);
      this.#backend.flush();
    }
    return this.#engine;
  }

  /** The learning rate of the variables that no group names; if all are in groups, of the first one. */
  get lr(): number | undefined {
    const rest = this.#ranks.indexOf(this.options.groups.list.length);
    const first = this.#ranks.indexOf(Math.min(...this.#ranks));
    return this.#engine?.groups[rest === -1 ? first : rest]!.lr;
  }

  /** Makes one step. @throws OptimizerError as `FusedOptimizer.applyGradients`; no variable has changed then. */
  step(gradients: Record<string, Tensor> | NamedTensor[], settings: RunSettings): void {
    this.#backend.assertCurrent();
    const located = this.#variables.locate(checkUpdates(gradients));
    const { fresh, skipped } = located;
    // At once: if the fresh ones are refused, the engine has the others where they are now all the same.
    if (this.#engine) this.#variables.rebind(this.#engine, located);
    if (fresh.length > 0) {
      this.#adopt(fresh, settings);
      // If the device rejects their buffers, this step has no effect; what tfjs has recorded must have its own.
      this.#backend.flush();
    }
    const engine = this.#engine;
    if (!engine) return;
    this.#backend.submit((encoder) => engine.encode(encoder, { skip: skipped }));
    engine.reportStep();
  }

  /** The state, as it is now. */
  async save(): Promise<SavedState | undefined> {
    // By the time that the state has been read, others may have come.
    const { variables } = this.#variables;
    return this.#engine && fromStateDict(await this.#engine.stateDict(), variables);
  }

  destroy(): void {
    this.#engine?.destroy();
    this.#variables.destroy();
  }

  /** Makes the engine, or adds to it. */
  #adopt(fresh: readonly FreshVariable[], { rule, lr, gradScale, pending }: RunSettings): void {
    if (!this.#engine) {
      const { device } = this.#backend;
      const { engine, ranks } = makeEngine(device, rule, this.options, lr, fresh, pending);
      engine.gradScale = gradScale;
      this.#engine = engine;
      this.#ranks = ranks;
      this.#variables.add(fresh);
      return;
    }
    const earlier = this.#variables.variables.map(({ name }) => name);
    const assigned = this.options.groups.assign(fresh, earlier);
    for (const { rank, group, variables } of inGroups(rule, assigned)) {
      const added = this.#engine.addGroupSync(group);
      if (lr !== undefined) added.lr = lr;
      this.#ranks.push(rank);
      this.#variables.add(variables);
    }
  }
}
