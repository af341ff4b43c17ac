import type { ParameterGroupConfig } from '../../engine/input/config.js';
import type { Parameter } from '../../engine/input/parameter.js';
import { OptimizerError, quote } from '../../errors.js';

/** Some leaves with hyper-parameters of their own: any option of the rule, beside `params`. */
export interface LeafGroup {
  /** Paths of arrays, `'dense1.kernel'`, or of subtrees, `'dense1'`; at least one. */
  params: readonly string[];
  /** Any option of the rule, in place of the rule's. */
  [option: string]: unknown;
}

/**
 * The engine's groups: those given, and last the parameters that none of them names, if any, with the rule's own options.
 *
 * @throws OptimizerError `invalid-config` if a group names no array, or one that another has, too.
 */
export function groupParameters(
  parameters: readonly Parameter[],
  given: readonly LeafGroup[],
): ParameterGroupConfig[] {
  if (!Array.isArray(given)) fail(`groups is ${quote(given)}; give an array of { params, …options }.`);
  const left = new Map(parameters.map((parameter) => [parameter.name!, parameter]));
  const groups = given.map((group: LeafGroup, g) => {
    if (!Array.isArray(group?.params)) {
      fail(`groups[${g}] is ${quote(group)}; give { params: ['dense1.kernel', …], …options }.`);
    }
    return { ...group, params: group.params.flatMap((path: string) => take(left, parameters, path, g)) };
  });
  return left.size === 0 ? groups : [...groups, { params: [...left.values()] }];
}

/** Takes what lies at a path or below it out of those that are left. */
function take(left: Map<string, Parameter>, all: readonly Parameter[], path: string, g: number): Parameter[] {
  const taken = all.filter(({ name }) => name === path || name!.startsWith(`${path}.`));
  if (taken.length === 0) {
    const known = quote(all.map(({ name }) => name));
    fail(`groups[${g}]: there is no array at or below ${quote(path)}; there are ${known}.`);
  }
  for (const { name } of taken) {
    if (!left.delete(name!)) fail(`groups[${g}]: ${quote(name)} is named twice; leave it out of one place.`);
  }
  return taken;
}

function fail(message: string): never {
  throw new OptimizerError('invalid-config', message);
}
