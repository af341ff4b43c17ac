import { type Rule, type RuleName, rules } from '../../src/index.js';
import type { OptionSpec } from '../../src/rules/options/options.js';

/** An optimizer, as plain data: a rule and those of its options that are not at their default. */
export interface RacerSpec {
  readonly rule: RuleName;
  readonly options: Readonly<Record<string, unknown>>;
}

/** The names of all rules, in the order of the registry. */
export const ruleNames = Object.keys(rules) as RuleName[];

/** The declared options of a rule, in their order. */
export function optionSpecs(rule: RuleName): [name: string, spec: OptionSpec<unknown>][] {
  return Object.entries(rules[rule].declaration.options);
}

/**
 * The rule with its options.
 *
 * @throws OptimizerError on a value out of range.
 */
export function ruleOf({ rule, options }: RacerSpec): Rule {
  return rules[rule](options);
}

/** The learning rate of a racer. Here it is always a number: a schedule is a function, which no address can hold. */
export function learningRateOf(spec: RacerSpec): number {
  const { lr } = ruleOf(spec).options;
  return typeof lr === 'number' ? lr : lr(0);
}

/** An option's value as text; {@link parseOption} reads it. */
export function formatOption(value: unknown): string {
  return Array.isArray(value) ? value.join(', ') : String(value);
}

/** The value that a text stands for; whether it is allowed is the rule's to say. */
export function parseOption(spec: OptionSpec<unknown>, text: string): unknown {
  if (Array.isArray(spec.default)) return text.split(',').map(parseNumber);
  if (typeof spec.default === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return typeof spec.default === 'string' ? text : parseNumber(text);
}

/** Empty text is no number, least of all 0. */
function parseNumber(text: string): number {
  return text.trim() === '' ? NaN : Number(text);
}

/** One racer as a part of an address, e.g. `adam;lr=0.05;betas=0.9,0.99`. */
export function formatRacer({ rule, options }: RacerSpec): string {
  const parts = Object.entries(options).map(
    ([name, value]) => `${name}=${formatOption(value).replaceAll(' ', '')}`,
  );
  return [rule, ...parts].join(';');
}

/**
 * Reads what {@link formatRacer} wrote.
 *
 * @throws Error on an unknown rule, OptimizerError on an unknown option or a value out of range.
 */
export function parseRacer(text: string): RacerSpec {
  const [name = '', ...parts] = text.split(';');
  const rule = ruleNames.find((each) => each === name);
  if (rule === undefined) {
    throw new Error(`There is no rule "${name}". The rules are: ${ruleNames.join(', ')}.`);
  }
  const specs = new Map(optionSpecs(rule));
  const options = Object.fromEntries(
    parts.map((part) => {
      const [option = '', value = ''] = part.split('=', 2);
      const spec = specs.get(option);
      return [option, spec ? parseOption(spec, value) : value];
    }),
  );
  const spec = { rule, options };
  ruleOf(spec);
  return spec;
}
