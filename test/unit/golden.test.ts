import { describe, expect, test } from 'vitest';
import { type GoldenCase, goldenCases } from '../fixtures/golden/index.js';
import type { OptionSpec } from '../../src/rules/options/options.js';
import { allRuleFactories } from '../support/all-rules.js';
import { goldenMisses } from '../support/golden.js';

/** What an option that a case pins can be set to instead. */
function otherSettings(golden: GoldenCase, option: string): Record<string, unknown>[] {
  const specs = allRuleFactories.find(([name]) => name === golden.rule)![1].declaration.options;
  const {
    samples,
    default: initial,
    accepts,
  } = new Map<string, OptionSpec<unknown>>(Object.entries(specs)).get(option)!;
  // Nesterov's form needs a momentum.
  if (option === 'momentum' && golden.options['nesterov'] === true) return [{ momentum: 0, nesterov: false }];
  if (typeof initial === 'number') return (accepts(0) ? [0] : samples).map((value) => ({ [option]: value }));
  return [initial, ...samples]
    .filter((value) => value !== golden.options[option])
    .map((value) => ({ [option]: value }));
}

describe('numbers that other projects published', () => {
  for (const golden of goldenCases) {
    test(golden.name, () => {
      expect(goldenMisses(golden, golden.options), golden.source).toEqual([]);
    });
    for (const option of golden.discriminates ?? []) {
      for (const setting of otherSettings(golden, option)) {
        test(`${golden.name} would notice ${JSON.stringify(setting)}`, () => {
          expect(goldenMisses(golden, { ...golden.options, ...setting })).not.toEqual([]);
        });
      }
    }
  }
  test('every rule is checked by at least three projects', () => {
    for (const [name] of allRuleFactories) {
      const projects = goldenCases
        .filter(({ rule }) => rule === name)
        .map((golden) => golden.name.split('/')[0]);
      expect(new Set(projects).size, name).toBeGreaterThanOrEqual(3);
    }
  });
});
