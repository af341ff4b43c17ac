import { OptimizerError, quote, rejectUnknownKeys } from '../errors.js';
import { type Rule, overrideRule } from '../rules/rule.js';
import { type Parameter, type ResolvedParameter, rejectConflicts, resolveParameter } from './parameter.js';

/** Some parameters with hyper-parameters of their own: any option of the rule, beside `params`. */
export interface ParameterGroupConfig {
  /** The group's parameters; at least one. */
  params: readonly Parameter[];
  /** Any option of the rule, in place of the rule's. */
  [option: string]: unknown;
}

/** What `Optimizer.create` takes beside the device. */
export interface OptimizerConfig {
  /** The rule, e.g. `adam({ lr: 1e-3 })`. */
  rule: Rule;
  /** The parameters, all under the rule's options. Give these or `groups`. */
  params?: readonly Parameter[];
  /** Groups of parameters, each with options that replace the rule's. Give these or `params`. */
  groups?: readonly ParameterGroupConfig[];
  /** Prefix of the labels of all GPU objects. Default `'webgpu-optim'`. */
  label?: string;
}

/** A checked group: its rule has the group's options. */
export interface ResolvedGroup {
  readonly rule: Rule;
  readonly parameters: readonly ResolvedParameter[];
}

const CONFIG_KEYS: readonly string[] = [
  'rule',
  'params',
  'groups',
  'label',
] satisfies (keyof OptimizerConfig)[];

/** Throws unless `rule` was made by one of this library's rule functions. */
export function checkRule(rule: unknown): asserts rule is Rule {
  if (typeof rule === 'object' && rule !== null && 'declaration' in rule && 'options' in rule) return;
  const remedy =
    typeof rule === 'function' ? 'call it, e.g. adam({ lr: 1e-3 })' : 'give e.g. adam({ lr: 1e-3 })';
  throw new OptimizerError('invalid-config', `rule is ${quote(rule)}; ${remedy}.`);
}

/**
 * The groups of a config that gives `params` or `groups`: each group's rule with its overrides applied.
 *
 * @throws OptimizerError `invalid-config` or `invalid-option`.
 */
export function resolveGroups<P>(config: {
  rule: Rule;
  params?: readonly P[] | undefined;
  groups?: readonly { params: readonly P[] }[] | undefined;
}): { rule: Rule; params: readonly P[] }[] {
  const { rule, params, groups } = config;
  checkRule(rule);
  if ((params === undefined) === (groups === undefined)) {
    const which =
      params === undefined ? 'neither params nor groups is given' : 'both params and groups are given';
    throw new OptimizerError('invalid-config', `${which}; give one of them.`);
  }
  const checkList = (list: unknown, what: string) => {
    if (Array.isArray(list) && list.length > 0) return;
    throw new OptimizerError(
      'invalid-config',
      `${what} is ${quote(list)}; give an array with at least one entry.`,
    );
  };
  if (params !== undefined) {
    checkList(params, 'params');
    return [{ rule, params }];
  }
  checkList(groups, 'groups');
  return groups!.map((group, index) => {
    if (typeof group !== 'object' || group === null) {
      throw new OptimizerError(
        'invalid-config',
        `groups[${index}] is ${quote(group)}; give { params, …options }.`,
      );
    }
    const { params: groupParams, ...overrides } = group;
    checkList(groupParams, `groups[${index}].params`);
    return { rule: overrideRule(rule, overrides), params: groupParams };
  });
}

/**
 * Checks a whole config before anything is made.
 *
 * @throws OptimizerError on anything wrong in it.
 */
export function resolveConfig(config: OptimizerConfig): { groups: ResolvedGroup[]; label: string } {
  if (typeof config !== 'object' || config === null) {
    throw new OptimizerError('invalid-config', `the config is ${quote(config)}; give { rule, params }.`);
  }
  rejectUnknownKeys(config, CONFIG_KEYS, 'config', 'invalid-config');
  const { label = 'webgpu-optim' } = config;
  let index = 0;
  const groups = resolveGroups(config).map(({ rule, params }) => ({
    rule,
    parameters: params.map((parameter) => resolveParameter(parameter, index++)),
  }));
  rejectConflicts(groups.flatMap((group) => group.parameters));
  return { groups, label };
}
