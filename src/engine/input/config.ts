import type { AverageSlot } from '../../averages/registry.js';
import type { MasterSlot } from '../../codecs/masters.js';
import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../../errors.js';
import { copyGiven } from '../../given.js';
import { type Rule, type RuleOverrides, type SlotOf, withSettings } from '../../rules/rule.js';
import type { StepStats } from '../stats.js';
import {
  GRADIENT_OPTION_NAMES,
  type GradientOptions,
  type ResolvedGradientOptions,
  resolveGradientOptions,
} from './options/gradient-options.js';
import { type GivenGroup, partGroup, resolveGroups, resolveRule } from './groups.js';
import { type KernelOptions, resolveKernelOptions } from './options/kernel-options.js';
import { type Parameter, type ResolvedParameter, resolveParameter } from './parameter/parameter.js';
import { type MasterOptions, rejectIdleMasters, withFitMasters } from './options/master-options.js';
import { type RoundingOptions, rejectIdleRounding, rejectUnfitRounding } from './options/rounding-options.js';
import { rejectColumns } from './parameter/row-options.js';
import {
  RULE_SETTING_KEYS,
  type StateOptions,
  rejectIdleStateDtype,
  rejectSharedWords,
  resolveRuleSettings,
} from './options/state-options.js';
import { rejectNoMatrix } from './parameter/shape.js';
import { rejectWholeTable } from './parameter/sparse-table.js';

/**
 * Some parameters with hyper-parameters of their own: any option of the rule, beside `params`.
 *
 * @typeParam R the rule; of some rule, options that only some have are not checked by types.
 * @typeParam P a parameter.
 */
export type ParameterGroupConfig<R extends Rule = Rule, P = Parameter> =
  | (RuleOverrides<R> & GroupMembers<R, P> & { others?: undefined })
  | (R extends { readonly others: infer T extends Rule }
      ? RuleOverrides<T> &
          GroupMembers<T, P> & { /** Whether it is one of the rule of what is no matrix. */ others: true }
      : never);

interface GroupMembers<R extends Rule, P> {
  /** The group's parameters; at least one. */
  params: readonly P[];
  /** Of groups that were made without knowing the rule, as `ParameterArena.groups` does. */
  readonly [optionNames]?: keyof R['options'];
}

/** Stands for no property at all: for types, it says which options a group has, so that a rule that lacks them refuses it. */
declare const optionNames: unique symbol;

/** A group that was made without knowing the rule: it fits the rules that have all its options. */
export type LooseGroupConfig<O extends object> = O & {
  /** The group's parameters. */
  params: readonly Parameter[];
  readonly [optionNames]?: O extends unknown ? keyof O : never;
};

/** Either all parameters, or groups of them. */
export type ParamsOrGroups<P, G> =
  | {
      /** The parameters, all under the rule's options. Give these or `groups`. */
      params: readonly P[];
      groups?: never;
    }
  | {
      /** Groups of parameters, each with options that replace the rule's. Give these or `params`. */
      groups: readonly G[];
      params?: never;
    };

/**
 * What `Optimizer.create` takes beside the device: rule, parameters and settings. It is copied at the call.
 *
 * @typeParam R the rule; groups take its options.
 */
export type OptimizerConfig<R extends Rule = Rule> = OptimizerSettings & {
  /** The rule, e.g. `adam({ lr: 1e-3 })`. */
  rule: R;
} & ParamsOrGroups<Parameter, ParameterGroupConfig<NoInfer<R>>>;

/** What an optimizer's config has beside the rule and the parameters. */
export interface OptimizerSettings extends GradientOptions, StateOptions, RoundingOptions, MasterOptions {
  /**
   * Called with the stats of steps made with `step()`, as they become known; under load some steps are left out. What it
   * throws is reported as an event listener's error is, and ends nothing: `reportError` where there is one, else the console.
   */
  onStep?: (stats: StepStats) => void;
  /** What of the step kernels' shape is not to be chosen by the library. Default: all is; see {@link KernelOptions}. */
  kernel?: KernelOptions;
  /** Prefix of the labels of all GPU objects. Default `'webgpu-optim'`. */
  label?: string;
}

/** What `readState` reads: a slot of the rule, `'step'`, what an average keeps, or what `masterWeights` does. */
export type StateName<R extends Rule = Rule> = SlotOf<R> | AverageSlot | MasterSlot | 'step';

/** A checked group: its rule has the group's options, and the averages. */
export interface ResolvedGroup {
  readonly rule: Rule;
  readonly parameters: readonly ResolvedParameter[];
}

/** What a checked config says beside the parameters. */
export interface ResolvedSettings {
  /** The rule that groups override, with the averages. */
  readonly rule: Rule;
  readonly gradients: ResolvedGradientOptions;
  readonly onStep: ((stats: StepStats) => void) | undefined;
  readonly kernel: Readonly<KernelOptions>;
  readonly label: string;
}

/** A checked config. That names and bytes are each one's own is checked by `ParameterNames` and `Occupancy`. */
export interface ResolvedConfig extends ResolvedSettings {
  readonly groups: readonly ResolvedGroup[];
}

/** The keys of a config that say neither rule nor parameters. */
export const SETTING_KEYS: readonly string[] = [
  'onStep',
  'kernel',
  'label',
  ...GRADIENT_OPTION_NAMES,
  ...RULE_SETTING_KEYS,
];

const CONFIG_KEYS = ['rule', 'params', 'groups', ...SETTING_KEYS];

/**
 * Checks a whole config before anything is made, and copies all of it.
 *
 * @throws OptimizerError on anything wrong in it.
 */
export function resolveConfig(config: unknown): ResolvedConfig {
  if (!isRecord(config)) {
    throw new OptimizerError('invalid-config', `the config is ${quote(config)}; give { rule, params }.`);
  }
  const given = copyGiven(config, CONFIG_KEYS);
  rejectUnknownKeys(given, CONFIG_KEYS, 'config', 'invalid-config');
  const settings = resolveSettings(given);
  const groups = resolveGroups<Parameter>(settings.rule, given);
  const resolved = resolveParameters(groups);
  rejectIdleStateDtype(resolved.map(({ rule }) => rule));
  const isAnyRounded = resolved.some(({ parameters }) => parameters.some(({ data }) => data[0]!.codec));
  rejectIdleRounding(settings.rule, isAnyRounded);
  rejectIdleMasters(settings.rule, isAnyRounded);
  return { ...settings, groups: resolved };
}

/**
 * Checks what a config says beside the parameters; other keys are ignored.
 *
 * @throws OptimizerError `invalid-config` or `invalid-option`.
 */
export function resolveSettings(config: Readonly<Record<string, unknown>>): ResolvedSettings {
  const rule = resolveRule(config['rule']);
  const { label = 'webgpu-optim', onStep } = config;
  if (typeof label !== 'string') {
    throw new OptimizerError('invalid-config', `label is ${quote(label)}; give a string.`);
  }
  if (onStep !== undefined && typeof onStep !== 'function') {
    throw new OptimizerError(
      'invalid-config',
      `onStep is ${quote(onStep)}; give a function (stats) => void.`,
    );
  }
  return {
    rule: withSettings(rule, resolveRuleSettings(config)),
    gradients: resolveGradientOptions(config),
    onStep: onStep as ResolvedSettings['onStep'],
    kernel: resolveKernelOptions(config['kernel']),
    label,
  };
}

function resolveParameters(groups: readonly GivenGroup<Parameter>[]): ResolvedGroup[] {
  let index = 0;
  return groups
    .map((group) => ({ ...group, params: group.params.map((each) => resolveParameter(each, index++)) }))
    .flatMap(partGroup)
    .map(({ rule: given, params: parameters }) => {
      const rule = withFitMasters(given, parameters.map(keptWeightsOf));
      for (const parameter of parameters) rejectUnfit(rule, parameter);
      return { rule, parameters };
    });
}

/** How the weights of a parameter are kept. */
export const keptWeightsOf = ({ name, data }: ResolvedParameter) => ({ name, codec: data[0]!.codec });

/** @throws OptimizerError `invalid-parameter` if a rule cannot step a parameter of this kind. */
export function rejectUnfit(rule: Rule, parameter: ResolvedParameter): void {
  const { sparse, columns, name } = parameter;
  if (sparse) rejectWholeTable(rule, name);
  rejectNoMatrix(rule, parameter);
  if (columns) rejectColumns(rule, columns, name);
  rejectSharedWords(rule, parameter);
  rejectUnfitRounding(rule, parameter);
}
