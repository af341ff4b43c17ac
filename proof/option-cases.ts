import { OptimizerError } from '../src/errors.js';
import type { OptionSpec } from '../src/rules/options/options.js';
import { ruleFactories } from '../src/rules/registry.js';
import type { Rule, RuleFactory } from '../src/rules/rule.js';
import type { Random } from './random.js';

/** A rule with some options set, and how to call it in a report. */
export interface RuleCase {
  readonly title: string;
  readonly rule: Rule;
}

type Options = Record<string, unknown>;
/** Rules' functions with their names. */
export type NamedFactories = readonly (readonly [string, RuleFactory])[];

function describeOptions(options: Options): string {
  const text = Object.entries(options).map(([name, value]) => {
    return `${name} ${typeof value === 'function' ? 'scheduled' : JSON.stringify(value)}`;
  });
  return text.length > 0 ? text.join(', ') : 'defaults';
}

/** The case, or none if the rule itself forbids the combination. */
function makeCase(name: string, factory: RuleFactory, options: Options): RuleCase[] {
  try {
    return [{ title: `${name}: ${describeOptions(options)}`, rule: factory(options) }];
  } catch (error) {
    if (error instanceof OptimizerError && error.code === 'invalid-option') return [];
    throw error;
  }
}

const specsOf = (factory: RuleFactory): [string, OptionSpec<unknown>][] =>
  Object.entries(factory.declaration.options);

/** Every rule, or those given, at its defaults, and with each sample of each single option. */
export function singleOptionCases(factories: NamedFactories = ruleFactories): RuleCase[] {
  return factories.flatMap(([name, factory]) => [
    ...makeCase(name, factory, {}),
    ...specsOf(factory).flatMap(([option, spec]) =>
      spec.samples.flatMap((sample) => makeCase(name, factory, { [option]: sample })),
    ),
  ]);
}

/** Up to this many combinations of a rule's options are all tried; of more, enough of them (see below). */
const ALL_COMBINATIONS = 16;

/** Options that the template deals with, the same for every rule. */
const TEMPLATE_OPTIONS = ['weightDecay', 'weightDecayMode', 'maximize'];

/**
 * Combinations of what changes a kernel: options with few values (booleans and names), and numbers that are off at
 * their default of 0, off and on. Any two settings meet in some case, and any three of options that are the rule's own,
 * so that each of its branches is entered; which further ones they meet with is drawn anew for each seed.
 */
export function combinedOptionCases(random: Random, factories: NamedFactories = ruleFactories): RuleCase[] {
  return factories.flatMap(([name, factory]) => {
    const axes = specsOf(factory).filter(
      ([option, spec]) =>
        option !== 'lr' &&
        !Array.isArray(spec.default) &&
        (typeof spec.default !== 'number' || spec.default === 0),
    );
    let combinations: Options[] = [{}];
    for (const [option, spec] of axes) {
      combinations = combinations.flatMap((options) => [
        options,
        ...spec.samples.map((sample) => ({ ...options, [option]: sample })),
      ]);
    }
    const cases = combinations
      .filter((options) => !('weightDecayMode' in options) || 'weightDecay' in options)
      .flatMap((options) => makeCase(name, factory, options).map((ruleCase) => ({ options, ruleCase })));
    const kept = cases.length <= ALL_COMBINATIONS ? cases : coverMeetings(cases, random);
    return kept.map(({ ruleCase }) => ruleCase);
  });
}

/** The settings that occur together in a case, by two and by three; an option left out is a setting, too. */
function meetingsOf(options: Options, names: readonly string[]): string[] {
  const settingOf = (name: string) => `${name}=${JSON.stringify(options[name]) ?? ''}`;
  const pairs = names.flatMap((a, k) => names.slice(k + 1).map((b) => [a, b]));
  const own = names.filter((name) => !TEMPLATE_OPTIONS.includes(name));
  const triples = own.flatMap((a, k) =>
    own.slice(k + 1).flatMap((b, m) => own.slice(k + m + 2).map((c) => [a, b, c])),
  );
  return [...pairs, ...triples].map((set) => set.map(settingOf).join(' '));
}

/** Few of the cases, in which every meeting of settings occurs that occurs in all of them. */
function coverMeetings<T extends { readonly options: Options }>(cases: readonly T[], random: Random): T[] {
  const names = [...new Set(cases.flatMap(({ options }) => Object.keys(options)))];
  const candidates = cases
    .map((item) => ({ item, meetings: meetingsOf(item.options, names), order: random.uniform() }))
    .toSorted((a, b) => a.order - b.order);
  const missing = new Set(candidates.flatMap(({ meetings }) => meetings));
  const kept: T[] = [];
  const gain = ({ meetings }: { readonly meetings: readonly string[] }) =>
    meetings.filter((meeting) => missing.has(meeting)).length;
  while (missing.size > 0) {
    const best = candidates.reduce((a, b) => (gain(b) > gain(a) ? b : a));
    for (const meeting of best.meetings) missing.delete(meeting);
    kept.push(best.item);
  }
  return kept;
}
