import { ruleFactories } from '../../src/rules/registry.js';

const inline = (value: unknown): string => (typeof value === 'string' ? `'${value}'` : JSON.stringify(value));

/** Options that every rule has alike; the README says so above the table. */
const COMMON = ['weightDecay', 'weightDecayMode', 'maximize'];

const isOwn = ([option]: [string, unknown]): boolean => !COMMON.includes(option);

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
