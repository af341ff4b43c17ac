import wgsl from '../../shaders/interpolate.wgsl?raw';
import { commonOptions } from '../rules/common-options.js';
import { declareRule } from '../rules/declare-rule.js';
import type { Rule } from '../rules/rule.js';
import type { ResolvedGroup } from './config.js';
import { SidePass } from './side-pass.js';
import type { StateStore } from './state-store.js';

/** The exchange in the form of a rule; its factor is of either sign, so it is no option, but the lr of the pass. */
const interpolate = declareRule({
  name: 'interpolate',
  wgsl,
  options: commonOptions(0),
  scalars: (_, lr) => ({ factor: lr }),
  reference: ({ add, mul }, { w, g, h }) => add(w, mul(h.factor, g)),
});

/** Puts the weights to evaluate with in place of those that train, and back: one group's. */
export class Evaluation {
  readonly #pass: SidePass;
  readonly #state: StateStore;
  readonly #slot: string;

  private constructor(pass: SidePass, state: StateStore, slot: string) {
    this.#pass = pass;
    this.#state = state;
    this.#slot = slot;
  }

  /**
   * What exchanges the weights of a group; undefined if its rule trains with those that it evaluates with.
   *
   * @throws OptimizerError as {@link SidePass.create}.
   */
  static async create(
    device: GPUDevice,
    group: ResolvedGroup,
    state: StateStore,
    label: string,
  ): Promise<Evaluation | undefined> {
    const slot = group.rule.declaration.evaluation?.slot;
    if (slot === undefined) return undefined;
    const exchanged = exchangedGroup(group, state, slot);
    const pass = await SidePass.create(device, exchanged, factorsOf(group.rule), `${label} evaluation`);
    return new Evaluation(pass, state, slot);
  }

  /** As {@link Evaluation.create}, at once; run it in error scopes. */
  static createSync(
    device: GPUDevice,
    group: ResolvedGroup,
    state: StateStore,
    label: string,
  ): Evaluation | undefined {
    const slot = group.rule.declaration.evaluation?.slot;
    if (slot === undefined) return undefined;
    const exchanged = exchangedGroup(group, state, slot);
    const pass = SidePass.createSync(device, exchanged, factorsOf(group.rule), `${label} evaluation`);
    return new Evaluation(pass, state, slot);
  }

  /** Follows options that changed. */
  setRule(rule: Rule): void {
    this.#pass.setFactors(factorsOf(rule));
  }

  /** The same over other weights; as `GroupExecutor.prepareRebind`. */
  prepareRebind(group: ResolvedGroup): () => void {
    return this.#pass.prepareRebind(exchangedGroup(group, this.#state, this.#slot));
  }

  /** @param isEvaluating whether the weights to evaluate with are to take their place, or those that train. */
  encode(encoder: GPUCommandEncoder, isEvaluating: boolean): void {
    this.#pass.encode(encoder, isEvaluating ? 0 : 1);
  }

  destroy(): void {
    this.#pass.destroy();
  }
}

/** There, and back. */
function factorsOf({ declaration, options }: Rule): number[] {
  const share = declaration.evaluation!.share(options);
  return [share, -share];
}

function exchangedGroup(group: ResolvedGroup, state: StateStore, slot: string): ResolvedGroup {
  const parameters = group.parameters.map((parameter, k) => ({ ...parameter, grad: state.spans(slot, k) }));
  return { rule: interpolate(), parameters };
}
