import type { serialization } from '@tensorflow/tfjs-core';
import { type OptimizerSettings, type ResolvedSettings, resolveSettings } from '../../engine/input/config.js';
import { OptimizerError, quote } from '../../errors.js';
import { evaluateLearningRate } from '../../rules/options.js';
import { type RuleName, rules } from '../../rules/registry.js';
import type { Rule } from '../../rules/rule.js';
import { type NamedGroup, NamedGroups } from '../shared/named-groups.js';
import { checkOptions } from '../shared/options.js';

/** Variables with hyper-parameters of their own, e.g. `{ match: /bias$/, weightDecay: 0 }`; see {@link NamedGroup}. */
export type FusedGroup<R extends Rule = Rule> = NamedGroup<R>;

/** What `new FusedOptimizer` takes beside the rule: what the engine's config has, but for the parameters. */
export interface FusedOptimizerOptions<R extends Rule = Rule> extends OptimizerSettings {
  /** Hyper-parameters by the variables' names. Default: all variables have the rule's. */
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
  return { settings, groups: new NamedGroups(groups, rule, 'variable'), config };
}

/**
 * Rule and options as plain data, for `getConfig`. A schedule becomes the learning rate that it has now, and `onStep` is
 * left out: functions cannot be saved.
 */
export function toConfig(rule: Rule, options: ResolvedOptions, step: number): serialization.ConfigDict {
  const { onStep: _, label: _label, ...settings } = options.config;
  const plain = {
    rule: rule.name,
    options: withoutSchedule(rule.options, step),
    settings,
    // tfjs changes the case of strings, but for those under `name`.
    groups: options.groups.list.map(({ names, match, overrides }) => ({
      ...(match && { name: match.source, flags: match.flags }),
      params: names.map((name) => ({ name })),
      options: withoutSchedule(overrides, step),
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
  const {
    rule: name,
    options,
    settings,
    groups,
  } = config as unknown as {
    rule: RuleName;
    options: object;
    settings: object;
    groups: readonly {
      name?: string;
      flags?: string;
      params?: readonly { name: string }[];
      options: object;
    }[];
  };
  const factory = Object.hasOwn(rules, name) ? rules[name] : undefined;
  if (!factory) fail(`the config's rule is ${quote(name)}; there are ${Object.keys(rules).join(', ')}.`);
  return {
    rule: factory(options),
    options: {
      ...settings,
      groups: groups.map(({ name: source, flags, params = [], options: overrides }) => {
        const group = {
          ...(source !== undefined && { match: new RegExp(source, flags) }),
          ...(params.length > 0 && { params: params.map((param) => param.name) }),
          ...overrides,
        };
        return group as NamedGroup;
      }),
    },
  };
}

function withoutSchedule(options: Readonly<Record<string, unknown>>, step: number): Record<string, unknown> {
  const { lr } = options;
  if (typeof lr !== 'function') return { ...options };
  return { ...options, lr: evaluateLearningRate(lr as (step: number) => number, step) };
}

function fail(message: string): never {
  throw new OptimizerError('invalid-config', message);
}
