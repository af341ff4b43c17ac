import { OptimizerError } from '../../src/errors.js';
import type { OptionSpec } from '../../src/rules/options.js';
import { ruleFactories } from '../../src/rules/registry.js';
import type { Rule, RuleFactory } from '../../src/rules/rule.js';

/** A rule with some options set, and how to call it in a report. */
export interface RuleCase {
  readonly title: string;
  readonly rule: Rule;
}

type Options = Record<string, unknown>;

function describeOptions(options: Options): string {
  const text = Object.entries(options).map(([name, value]) => {
    return `${name} ${typeof value === 'function' ? 'scheduled' : JSON.stringify(value)}`;
  });
  return text.length > 0 ? text.join(', ') : 'defaults';
}

/** The case, or none if the rule itself forbids the combination. */
function makeCase(name: string, factory: RuleFactory<object>, options: Options): RuleCase[] {
  try {
    return [{ title: `${name}: ${describeOptions(options)}`, rule: factory(options) }];
  } catch (error) {
    if (error instanceof OptimizerError && error.code === 'invalid-option') return [];
    throw error;
  }
}

const specsOf = (factory: RuleFactory<object>): [string, OptionSpec<unknown>][] =>
  Object.entries(factory.declaration.options);

/** Every rule at its defaults, and with each sample of each single option. */
export function singleOptionCases(): RuleCase[] {
  return ruleFactories.flatMap(([name, factory]) => [
    ...makeCase(name, factory, {}),
    ...specsOf(factory).flatMap(([option, spec]) =>
      spec.samples.flatMap((sample) => makeCase(name, factory, { [option]: sample })),
    ),
  ]);
}

/**
 * Every combination of what changes a kernel: options with few values (booleans and names), and numbers that are
 * off at their default of 0, off and on.
 */
export function combinedOptionCases(): RuleCase[] {
  return ruleFactories.flatMap(([name, factory]) => {
    const axes = specsOf(factory).filter(
      ([, spec]) => typeof spec.default !== 'number' || spec.default === 0,
    );
    let combinations: Options[] = [{}];
    for (const [option, spec] of axes) {
      if (option === 'lr' || Array.isArray(spec.default)) continue;
      combinations = combinations.flatMap((options) => [
        options,
        ...spec.samples.map((sample) => ({ ...options, [option]: sample })),
      ]);
    }
    return combinations
      .filter((options) => !('weightDecayMode' in options) || 'weightDecay' in options)
      .flatMap((options) => makeCase(name, factory, options));
  });
}
