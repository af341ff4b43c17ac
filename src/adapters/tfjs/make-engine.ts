import { Optimizer } from '../../engine/optimizer.js';
import type { ParameterGroupConfig } from '../../engine/input/config.js';
import { partGroup, resolveGroup } from '../../engine/input/groups.js';
import type { LearningRate } from '../../rules/options/options.js';
import type { Rule } from '../../rules/rule.js';
import { parameterAt } from '../shared/bound-buffers.js';
import type { AssignedGroup } from '../shared/named-groups.js';
import { registeredVariables } from './backend.js';
import type { ResolvedOptions } from './options.js';
import { type SavedState, renameVariables, restore } from './saved-state.js';
import type { FreshVariable } from './variable-table.js';

/** A group of the engine, and which of the options' groups it belongs to. */
export interface RankedGroup {
  readonly rank: number;
  readonly group: ParameterGroupConfig;
  readonly variables: readonly FreshVariable[];
}

/** Variables as groups of the engine, each of which stays one group there: what is no matrix is one of the other rule. */
export function inGroups(rule: Rule, assigned: readonly AssignedGroup<FreshVariable>[]): RankedGroup[] {
  return assigned.flatMap(({ rank, overrides, params: members }) => {
    const whole = resolveGroup<Shaped>(
      rule,
      { ...overrides, params: members.map((variable) => ({ variable, shape: variable.placement.shape })) },
      `groups[${rank}]`,
    );
    return partGroup(whole).map(({ rule: own, params: shaped }): RankedGroup => {
      const params = shaped.map(({ variable: { parameter, placement } }) =>
        parameterAt(parameter, placement),
      );
      const group: ParameterGroupConfig = { ...overrides, params };
      const isOfOthers = own.declaration === rule.others?.declaration;
      if (isOfOthers) Object.assign(group, { others: true });
      return { rank, group, variables: shaped.map(({ variable }) => variable) };
    });
  });
}

/** A variable, and the shape that says which rule steps it. */
interface Shaped {
  readonly variable: FreshVariable;
  readonly shape: readonly number[];
}

/**
 * The engine for the variables of a first step, with the state that was saved of them, if any.
 *
 * @param lr in place of that of the rule and the groups, if it was set since.
 * @returns it, and the ranks of its groups.
 * @throws OptimizerError as `Optimizer.createSync`, `invalid-config` if there is no variable for a group, now or later, and
 *   `invalid-state-dict` if the state does not fit; nothing of it is left then.
 */
export function makeEngine(
  device: GPUDevice,
  rule: Rule,
  options: ResolvedOptions,
  lr: LearningRate | undefined,
  variables: readonly FreshVariable[],
  pending: SavedState | undefined,
): { engine: Optimizer; ranks: number[] } {
  const saved =
    pending &&
    renameVariables(
      pending,
      variables.map(({ name }) => name),
    );
  const stepped = new Set(variables.map(({ name }) => name));
  const later = Object.values(registeredVariables())
    .filter(({ name, trainable }) => trainable && !stepped.has(name))
    .map(({ name }) => name);
  const ranked = inGroups(rule, options.groups.assignAll(variables, later));
  const groups = ranked.map(({ group }) => group);
  const engine = Optimizer.createSync(device, { ...options.config, rule, groups });
  try {
    if (lr !== undefined) engine.lr = lr;
    if (saved) restore(engine, saved);
  } catch (error) {
    engine.destroy();
    throw error;
  }
  return { engine, ranks: ranked.map(({ rank }) => rank) };
}
