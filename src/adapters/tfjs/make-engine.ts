import { Optimizer } from '../../engine/optimizer.js';
import type { ParameterGroupConfig } from '../../engine/input/config.js';
import { partGroup, resolveGroup } from '../../engine/input/groups.js';
import type { LearningRate } from '../../rules/options.js';
import type { Rule } from '../../rules/rule.js';
import { parameterAt } from '../shared/bound-buffers.js';
import type { NamedGroups } from '../shared/named-groups.js';
import type { ResolvedOptions } from './options.js';
import { type SavedState, renameVariables, restore } from './saved-state.js';
import type { FreshVariable } from './variable-table.js';

type PlacedParameter = ReturnType<typeof parameterAt>;

/** A group of the engine, and which of the options' groups it belongs to. */
export interface RankedGroup {
  readonly rank: number;
  readonly group: ParameterGroupConfig;
  readonly variables: readonly FreshVariable[];
}

/** Variables as groups of the engine, each of one rule. */
export function inGroups(
  groups: NamedGroups,
  rule: Rule,
  variables: readonly FreshVariable[],
): RankedGroup[] {
  return groups.assign(variables).flatMap(({ rank, overrides, params: members }) => {
    const memberOf = new Map(
      members.map((member) => [parameterAt(member.parameter, member.placement), member]),
    );
    const params = [...memberOf.keys()];
    const parts = partGroup(resolveGroup<PlacedParameter>(rule, { ...overrides, params }, `groups[${rank}]`));
    return parts.map(({ params: own }) => ({
      rank,
      group: { ...overrides, params: own },
      variables: own.map((parameter) => memberOf.get(parameter)!),
    }));
  });
}

/**
 * The engine for the variables of a first step, with the state that was saved of them, if any.
 *
 * @param lr in place of that of the rule and the groups, if it was set since.
 * @returns it, and the ranks of its groups.
 * @throws OptimizerError as `Optimizer.createSync`, and `invalid-state-dict` if the state does not fit; nothing of it is
 *   left then.
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
  const ranked = inGroups(options.groups, rule, variables);
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
