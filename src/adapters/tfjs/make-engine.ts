import type { ParameterGroupConfig } from '../../engine/input/config.js';
import { Optimizer } from '../../engine/optimizer.js';
import type { Parameter } from '../../engine/input/parameter.js';
import type { LearningRate } from '../../rules/options.js';
import type { Rule } from '../../rules/rule.js';
import { type ResolvedOptions, groupOf } from './options.js';
import { type SavedState, renameVariables, restore } from './saved-state.js';

/**
 * The engine for the variables of a first step, with the state that was saved of them, if any.
 *
 * @param lr in place of that of the rule and the groups, if it was set since.
 * @throws OptimizerError as `Optimizer.createSync`, and `invalid-state-dict` if the state does not fit; nothing of it is
 *   left then.
 */
export function makeEngine(
  device: GPUDevice,
  rule: Rule,
  options: ResolvedOptions,
  lr: LearningRate | undefined,
  variables: readonly Parameter[],
  pending: SavedState | undefined,
): Optimizer {
  const names = variables.map(({ name }) => name!);
  const saved = pending && renameVariables(pending, names);
  const groups = inGroups(options, lr, variables, saved?.joined);
  const engine = Optimizer.createSync(device, { ...options.config, rule, groups });
  try {
    if (saved) restore(engine, saved);
  } catch (error) {
    engine.destroy();
    throw error;
  }
  return engine;
}

/**
 * Variables that share options, and the step at which they joined.
 *
 * @param lr as for {@link makeEngine}.
 * @param joined per variable, that step; 0 where there is none.
 */
export function inGroups(
  options: ResolvedOptions,
  lr: LearningRate | undefined,
  variables: readonly Parameter[],
  joined: readonly number[] = [],
): ParameterGroupConfig[] {
  const groups = new Map<string, { params: Parameter[]; [option: string]: unknown }>();
  variables.forEach((variable, k) => {
    const g = groupOf(options, variable.name!);
    const key = `${g} ${joined[k] ?? 0}`;
    const group = groups.get(key) ?? {
      ...options.groups[g]?.overrides,
      ...(lr !== undefined && { lr }),
      params: [],
    };
    groups.set(key, group);
    group.params.push(variable);
  });
  return [...groups.values()];
}
