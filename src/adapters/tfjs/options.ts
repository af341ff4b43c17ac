import type { serialization } from '@tensorflow/tfjs-core';
import { type OptimizerSettings, type ResolvedSettings, resolveSettings } from '../../engine/input/config.js';
import { OptimizerError, quote } from '../../errors.js';
import { type OptionSpec, evaluateLearningRate } from '../../rules/options/options.js';
import { matrixRules } from '../../rules/matrix-registry.js';
import { rules } from '../../rules/registry.js';
import type { Rule, RuleFactory } from '../../rules/rule.js';
import { type NamedGroup, NamedGroups } from '../shared/named-groups.js';
import { checkOptions } from '../shared/options.js';
import { withoutNumber } from './numbered-names.js';

/** Variables with hyper-parameters of their own, e.g. `{ match: /bias$/, weightDecay: 0 }`; see {@link NamedGroup}. */
export type FusedGroup<R extends Rule = Rule> = NamedGroup<R>;

/** What `new FusedOptimizer` takes beside the rule: what the engine's config has, but for the parameters. */
export interface FusedOptimizerOptions<R extends Rule = Rule> extends OptimizerSettings {
  /**
   * Hyper-parameters by the variables' names. Default: all variables have the rule's.
   *
   * When a page makes or loads a model again, tfjs-layers puts a number behind the names of its weights, `out/bias_1`. Groups
   * are the same as before: `match` sees `out/bias`, and `params: ['out/bias']` is the variable of just this name, or, where
   * the optimizer has none, the one that has it but for the number; two of these are refused. A group that has no variable
   * at the first step is an error, unless there is one that may get its gradient later.
   */
  groups?: readonly FusedGroup<R>[];
}

/** Checked options. */
export interface ResolvedOptions {
  readonly settings: ResolvedSettings;
  readonly groups: NamedGroups;
  /** For the engine. */
  readonly config: OptimizerSettings;
}

/** @throws OptimizerError `invalid-config` or `invalid-option` on anything wrong. */
export function resolveOptions(rule: Rule, given: FusedOptimizerOptions): ResolvedOptions {
  const { groups = [], ...config } = checkOptions(given, ['groups'], {
    subject: 'the options are',
    example: 'e.g. { maxGradNorm: 1 }',
  });
  const settings = resolveSettings({ ...config, rule });
  return { settings, groups: new NamedGroups(groups, rule, 'variable', withoutNumber), config };
}

/**
 * Rule and options as plain data, for `getConfig`. A schedule becomes the learning rate that it has now, and `onStep` is
 * left out: functions cannot be saved.
 *
 * @param isLrSet whether the rule's learning rate was set since, and so that of all groups, whatever their options say.
 */
export function toConfig(
  rule: Rule,
  options: ResolvedOptions,
  step: number,
  isLrSet: boolean,
): serialization.ConfigDict {
  const { onStep: _, label: _label, ...settings } = options.config;
  const { others } = rule;
  const plain = {
    rule: rule.name,
    options: withoutSchedule(rule.options, step),
    // Of the same options, it comes with the rule.
    ...(others &&
      others.name !== rule.name && {
        others: { rule: others.name, options: withoutSchedule(others.options, step) },
      }),
    settings,
    // tfjs changes the case of strings, but for those under `name`.
    groups: options.groups.list.map(({ names, match, overrides: { lr, ...rest } }) => ({
      ...(match && { name: match.source, flags: match.flags }),
      params: names.map((name) => ({ name })),
      options: withoutSchedule({ ...rest, ...(lr !== undefined && !isLrSet && { lr }) }, step),
    })),
  };
  return plain as unknown as serialization.ConfigDict;
}

/**
 * What {@link toConfig} was given.
 *
 * @throws OptimizerError `invalid-config` if the rule is unknown.
 */
export function fromConfig(config: serialization.ConfigDict): { rule: Rule; options: FusedOptimizerOptions } {
  const { others, settings, groups, ...saved } = config as unknown as SavedConfig;
  const rule = restoreRule(saved, others && { others: restoreRule(others) });
  return {
    rule,
    options: {
      ...settings,
      groups: groups.map(({ name: source, flags, params = [], options: overrides }) => {
        const { declaration } = ('others' in overrides && rule.others) || rule;
        const group = {
          ...(source !== undefined && { match: new RegExp(source, flags) }),
          ...(params.length > 0 && { params: params.map((param) => param.name) }),
          ...withNames(overrides, declaration),
        };
        return group as NamedGroup;
      }),
    },
  };
}

/** A rule as it is saved. */
interface SavedRule {
  readonly rule: string;
  readonly options: Readonly<Record<string, unknown>>;
}

interface SavedConfig extends SavedRule {
  readonly others?: SavedRule;
  readonly settings: object;
  readonly groups: readonly {
    readonly name?: string;
    readonly flags?: string;
    readonly params?: readonly { readonly name: string }[];
    readonly options: Readonly<Record<string, unknown>>;
  }[];
}

const FACTORIES: Readonly<Record<string, RuleFactory>> = { ...rules, ...matrixRules };

function restoreRule({ rule, options }: SavedRule, others: object = {}): Rule {
  const factory = Object.hasOwn(FACTORIES, rule) ? FACTORIES[rule] : undefined;
  if (!factory) fail(`the config's rule is ${quote(rule)}; there are ${Object.keys(FACTORIES).join(', ')}.`);
  return factory({ ...withNames(options, factory.declaration), ...others });
}

/** Options with the names that some of them stand for as the rule has them: tfjs makes `aB` of `a_b`. */
function withNames(
  options: Readonly<Record<string, unknown>>,
  { options: specs }: Rule['declaration'],
): Record<string, unknown> {
  const inCamelCase = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(
    Object.entries(options).map(([option, value]) => {
      const { default: standard, samples = [] }: Partial<OptionSpec<unknown>> = specs[option] ?? {};
      const known = [standard, ...samples].find(
        (name) => typeof name === 'string' && inCamelCase(name) === value,
      );
      return [option, known ?? value];
    }),
  );
}

function withoutSchedule(options: Readonly<Record<string, unknown>>, step: number): Record<string, unknown> {
  const { lr } = options;
  if (typeof lr !== 'function') return { ...options };
  return { ...options, lr: evaluateLearningRate(lr as (step: number) => number, step) };
}

function fail(message: string): never {
  throw new OptimizerError('invalid-config', message);
}
