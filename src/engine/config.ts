import { OptimizerError, quote, rejectUnknownKeys } from '../errors.js';
import { AVERAGE_OPTION_NAMES, type AverageOptions, resolveAverages } from '../averages/registry.js';
import { type Rule, checkRule, overrideRule, withAverages } from '../rules/rule.js';
import {
  GRADIENT_OPTION_NAMES,
  type GradientOptions,
  type ResolvedGradientOptions,
  resolveGradientOptions,
} from './control/settings.js';
import { type KernelOptions, resolveKernelOptions } from './kernel-options.js';
import type { StepStats } from './step-stats.js';
import { rejectAveragedTable, rejectMeasuredTable } from './sparse/table.js';
import { type Parameter, type ResolvedParameter, rejectConflicts, resolveParameter } from './parameter.js';

/** Some parameters with hyper-parameters of their own: any option of the rule, beside `params`. */
export interface ParameterGroupConfig {
  /** The group's parameters; at least one. */
  params: readonly Parameter[];
  /** Any option of the rule, in place of the rule's. */
  [option: string]: unknown;
}

/** What `Optimizer.create` takes beside the device. */
export interface OptimizerConfig extends GradientOptions, AverageOptions {
  /** The rule, e.g. `adam({ lr: 1e-3 })`. */
  rule: Rule;
  /** The parameters, all under the rule's options. Give these or `groups`. */
  params?: readonly Parameter[];
  /** Groups of parameters, each with options that replace the rule's. Give these or `params`. */
  groups?: readonly ParameterGroupConfig[];
  /**
   * Called with the stats of steps made with `step()`, as they become known; under load some steps are left out.
   */
  onStep?: (stats: StepStats) => void;
  /** What of the step kernels' shape is not to be chosen by the library. Default: all is; see {@link KernelOptions}. */
  kernel?: KernelOptions;
  /** Prefix of the labels of all GPU objects. Default `'webgpu-optim'`. */
  label?: string;
}

/** A checked group: its rule has the group's options. */
export interface ResolvedGroup {
  readonly rule: Rule;
  readonly parameters: readonly ResolvedParameter[];
}

/** The keys of a config that say neither rule nor parameters. */
export const SETTING_KEYS: readonly string[] = [
  'onStep',
  'kernel',
  'label',
  ...GRADIENT_OPTION_NAMES,
  ...AVERAGE_OPTION_NAMES,
];

const CONFIG_KEYS = ['rule', 'params', 'groups', ...SETTING_KEYS];

/** A checked config. */
export interface ResolvedConfig extends ResolvedSettings {
  readonly groups: readonly ResolvedGroup[];
}

/** What a checked config says beside the parameters. */
export interface ResolvedSettings {
  /** The rule that groups override, with the averages. */
  readonly rule: Rule;
  readonly gradients: ResolvedGradientOptions;
  readonly onStep: ((stats: StepStats) => void) | undefined;
  readonly kernel: KernelOptions;
  readonly label: string;
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
export function resolveConfig(config: OptimizerConfig): ResolvedConfig {
  if (typeof config !== 'object' || config === null) {
    throw new OptimizerError('invalid-config', `the config is ${quote(config)}; give { rule, params }.`);
  }
  rejectUnknownKeys(config, CONFIG_KEYS, 'config', 'invalid-config');
  const settings = resolveSettings(config);
  const groups = appendGroups([], resolveGroups({ ...config, rule: settings.rule }));
  return { ...settings, groups };
}

/**
 * Checks what a config says beside the parameters; other keys are ignored.
 *
 * @throws OptimizerError `invalid-config` or `invalid-option`.
 */
export function resolveSettings(config: Omit<OptimizerConfig, 'params' | 'groups'>): ResolvedSettings {
  checkRule(config.rule);
  const { label = 'webgpu-optim', onStep } = config;
  if (onStep !== undefined && typeof onStep !== 'function') {
    throw new OptimizerError(
      'invalid-config',
      `onStep is ${quote(onStep)}; give a function (stats) => void.`,
    );
  }
  const gradients = resolveGradientOptions(config);
  const rule = withAverages(config.rule, resolveAverages(config));
  const kernel = resolveKernelOptions(config.kernel);
  return { rule, gradients, onStep, kernel, label };
}

/**
 * The config with one more group, checked against the others.
 *
 * @throws OptimizerError on anything wrong in it.
 */
export function extendConfig(config: ResolvedConfig, group: ParameterGroupConfig): ResolvedConfig {
  const added = resolveGroups({ rule: config.rule, groups: [group] });
  return { ...config, groups: appendGroups(config.groups, added) };
}

function appendGroups(
  groups: readonly ResolvedGroup[],
  added: readonly { readonly rule: Rule; readonly params: readonly Parameter[] }[],
): ResolvedGroup[] {
  let index = groups.reduce((count, { parameters }) => count + parameters.length, 0);
  const resolved = added.map(({ rule, params }) => ({
    rule,
    parameters: params.map((parameter) => resolveParameter(parameter, index++)),
  }));
  for (const { rule, parameters } of resolved) {
    for (const { sparse, name } of parameters) {
      if (!sparse) continue;
      rejectMeasuredTable(rule, name);
      rejectAveragedTable(rule, name);
    }
  }
  const all = [...groups, ...resolved];
  rejectConflicts(all.flatMap(({ parameters }) => parameters));
  return all;
}
