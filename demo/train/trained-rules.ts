import { TABLES, muonWithAdamw } from '../../lab/tasks/muon-with-adamw.js';
import type { FusedGroup } from '../../src/adapters/tfjs/index.js';
import { type LearningRate, type Rule, type RuleFactory, matrixRules, rules } from '../../src/index.js';

/** A rule as the demo trains with it. */
export interface TrainedRule {
  /** What people read. */
  readonly title: string;
  /** Makes it, with options in place of its own. */
  readonly make: (options: { readonly lr: LearningRate }) => Rule;
  readonly defaultLr: number;
  /** Parameters that it steps otherwise. */
  readonly groups: readonly FusedGroup[];
}

const factories: Readonly<Record<string, RuleFactory>> = { ...rules, ...matrixRules };

/** Every rule of the engine, by name; the one for matrices has one for what is none. */
export const trainedRules: Readonly<Record<string, TrainedRule>> = {
  ...Object.fromEntries(Object.entries(factories).map(([name, factory]) => [name, asItIs(name, factory)])),
  muon: {
    ...asItIs('muon + adamw', factories['muon']!),
    make: ({ lr }) => muonWithAdamw(lr),
    groups: [{ match: TABLES, others: true }] as unknown as readonly FusedGroup[],
  },
};

/** @throws Error when there is no such rule. */
export function trainedRule(name: string): TrainedRule {
  if (Object.hasOwn(trainedRules, name)) return trainedRules[name]!;
  throw new Error(`There is no rule "${name}". The rules are: ${Object.keys(trainedRules).join(', ')}.`);
}

function asItIs(title: string, factory: RuleFactory): TrainedRule {
  const { default: lr } = factory.declaration.options.lr;
  return { title, make: factory, defaultLr: typeof lr === 'number' ? lr : lr(0), groups: [] };
}
