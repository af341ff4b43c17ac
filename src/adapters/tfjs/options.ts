import type { serialization } from '@tensorflow/tfjs-core';
import {
  type OptimizerConfig,
  SETTING_KEYS,
  type ResolvedSettings,
  resolveSettings,
} from '../../engine/input/config.js';
import { OptimizerError, quote, rejectUnknownKeys } from '../../errors.js';
import { evaluateLearningRate } from '../../rules/options.js';
import { type RuleName, rules } from '../../rules/registry.js';
import { type Rule, overrideRule } from '../../rules/rule.js';

/** Variables with hyper-parameters of their own: any option of the rule, beside `match`. */
export interface FusedGroup {
  /** What the name of a variable must match, e.g. `/bias$/`. The first group that matches counts. */
  match: RegExp;
  /** Any option of the rule, in place of the rule's. */
  [option: string]: unknown;
}

/** What `new FusedOptimizer` takes beside the rule: what the engine's config has, but for the parameters. */
export interface FusedOptimizerOptions extends Omit<OptimizerConfig, 'rule' | 'params' | 'groups'> {
  /** Hyper-parameters by the variables' names. Default: all variables have the rule's. */
  groups?: readonly FusedGroup[];
}

/** Checked options. */
export interface ResolvedOptions {
  readonly settings: ResolvedSettings;
  readonly groups: readonly ResolvedGroup[];
  /** For the engine. */
  readonly config: Omit<OptimizerConfig, 'rule' | 'params' | 'groups'>;
}

interface ResolvedGroup {
  readonly match: RegExp;
  readonly overrides: Readonly<Record<string, unknown>>;
}

/** @throws OptimizerError `invalid-config` or `invalid-option` on anything wrong. */
export function resolveOptions(rule: Rule, options: FusedOptimizerOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) {
    fail(`the options are ${quote(options)}; give e.g. { maxGradNorm: 1 }.`);
  }
  rejectUnknownKeys(options, [...SETTING_KEYS, 'groups'], 'FusedOptimizer', 'invalid-config');
  const { groups = [], ...config } = options;
  const settings = resolveSettings({ ...config, rule });
  if (!Array.isArray(groups)) fail(`groups is ${quote(groups)}; give [{ match: /bias$/, …options }].`);
  const resolved = groups.map((group: FusedGroup, g) => {
    const { match, ...overrides } = group;
    if (!(match instanceof RegExp))
      fail(`groups[${g}].match is ${quote(match)}; give a RegExp, e.g. /bias$/.`);
    overrideRule(rule, overrides);
    // These flags would let a match depend on the one before.
    return { match: new RegExp(match.source, match.flags.replace(/[gy]/g, '')), overrides };
  });
  return { settings, groups: resolved, config };
}

/** Index of the group that a variable belongs to; -1 for the rule's own options. */
export function groupOf({ groups }: ResolvedOptions, name: string): number {
  return groups.findIndex(({ match }) => match.test(name));
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
    groups: options.groups.map(({ match, overrides }) => ({
      name: match.source,
      flags: match.flags,
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
    groups: readonly { name: string; flags: string; options: object }[];
  };
  const factory = Object.hasOwn(rules, name) ? rules[name] : undefined;
  if (!factory) fail(`the config's rule is ${quote(name)}; there are ${Object.keys(rules).join(', ')}.`);
  return {
    rule: factory(options),
    options: {
      ...settings,
      groups: groups.map((group) => ({ match: new RegExp(group.name, group.flags), ...group.options })),
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
