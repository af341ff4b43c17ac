import { ruleFactories } from '../../src/rules/registry.js';
import { commonOptions } from '../../src/rules/rule.js';

const inline = (value: unknown): string => (typeof value === 'string' ? `'${value}'` : JSON.stringify(value));

/** What most rules have alike; the README says so above the table. */
const { lr: _, ...COMMON } = commonOptions(0);

const isOwn = ([option, spec]: [string, { default: unknown }]): boolean =>
  new Map<string, { default: unknown }>(Object.entries(COMMON)).get(option)?.default !== spec.default;

/** The README's Markdown table of all rules, from the registry: their options with defaults, and the state that they keep. */
export function ruleTable(): string {
  const rows = ruleFactories.map(([name, { declaration }]) => {
    const options = Object.entries(declaration.options)
      .filter(isOwn)
      .map(([option, spec]) => `${option} ${inline(spec.default)}`);
    const state = declaration.slots.map((slot) => (slot.usedBy ? `(\`${slot.name}\`)` : `\`${slot.name}\``));
    return `| \`${name}\` | ${options.join(', ')} | ${state.join(', ') || 'none'} |`;
  });
  return [
    '| rule | options and defaults | state (in parentheses: only if an option needs it) |',
    '| --- | --- | --- |',
    ...rows,
  ].join('\n');
}
