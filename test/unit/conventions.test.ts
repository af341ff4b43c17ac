import { describe, expect, test } from 'vitest';
import { conventions } from '../../src/index.js';
import type { Convention } from '../../src/conventions/convention.js';
import { type MatrixRuleName, matrixRules } from '../../src/rules/matrix-registry.js';
import { type RuleName, rules } from '../../src/rules/registry.js';
import type { RuleFactory } from '../../src/rules/rule.js';
import { goldenCases } from '../fixtures/golden/index.js';
import { goldenMisses } from '../support/golden.js';

type Options = Readonly<Record<string, unknown>>;

/** Every entry, flat. */
const entries = Object.entries(conventions).flatMap(([library, convention]) =>
  Object.entries(convention as Convention).map(([rule, options]) => ({
    library,
    rule: rule as RuleName | MatrixRuleName,
    options: options as Options,
  })),
);

/** What makes a rule repeat what is a mistake of TensorFlow.js: left open there, for its user to ask for. */
const MISTAKES = ['bugCompatible', 'previousAccumulator'];
/** What an entry may leave open: to its user, or because the library has no weight decay, velocity or dampening. */
const OPEN = ['lr', 'maximize', ...MISTAKES, 'weightDecayMode', 'lrInVelocity', 'dampenFirstStep'];
/**
 * The same of one rule alone: not all have AMSGrad, and Keras' has no v̂, TensorFlow's Adagrad has no ε to place, optax's NAdam no schedule of its momentum, none of these is cautious, no
 * AdaBelief here is rectified, and optax's NovoGrad averages no gradients.
 */
const OPEN_FOR: Partial<Record<RuleName | MatrixRuleName, string[]>> = {
  momentum: ['momentum'],
  adam: ['amsgradCorrected'],
  adamw: ['amsgradCorrected', 'cautionRescaled'],
  lion: ['cautionRescaled'],
  adagrad: ['epsPlacement'],
  nadam: ['momentumDecay'],
  adabelief: ['rectificationThreshold'],
  novograd: ['averageFirstStep'],
  // It is of one scale alone.
  muon: ['rmsScale'],
};

/** What no run can tell, and why. */
const UNTOLD: Record<string, string[]> = {
  // w − η(g + dw) is w − ηdw − ηg.
  'torch/sgd': ['weightDecayMode'],
  'keras/sgd': ['weightDecayMode'],
  'mlx/sgd': ['weightDecayMode'],
  // Weights of a constant learning rate are equal, and optax's warm-up is not the rule's.
  'optax/scheduleFreeAdamw': ['weightLrPower'],
  // TensorFlow.js's Adadelta is SGD.
  'tfjs/adadelta': ['rho', 'eps'],
};

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

describe.for(entries)('convention of $library for $rule', ({ library, rule, options }) => {
  const cases = goldenCases.filter((golden) => golden.convention === library && golden.rule === rule);
  const factory: RuleFactory = { ...rules, ...matrixRules }[rule];

  test('is frozen options of the rule', () => {
    expect(factory(options).options).toMatchObject(options);
    for (const value of [options, ...Object.values(options)]) expect(Object.isFrozen(value)).toBe(true);
  });

  test('states what the library decides', () => {
    const left = Object.keys(factory.declaration.options).filter((option) => !(option in options));
    expect([...OPEN, ...(OPEN_FOR[rule] ?? [])]).toEqual(expect.arrayContaining(left));
  });

  test('is what the library does by default, in published numbers', () => {
    const { lr, ...rest } = options;
    const byDefault = cases.filter((golden) =>
      Object.entries(rest).every(([k, v]) => same(golden.options[k], v)),
    );
    expect(byDefault).not.toEqual([]);
    if (lr !== undefined) expect(byDefault.map((golden) => golden.options['lr'])).toContain(lr);
  });

  const siblings = entries.filter((entry) => entry.rule === rule && entry.library !== library);
  for (const [option, value] of Object.entries(options)) {
    if (UNTOLD[`${library}/${rule}`]?.includes(option)) continue;
    const others = siblings.map((sibling) => sibling.options[option]);
    const different = others.filter((other) => other !== undefined && !same(other, value));
    for (const other of new Map(different.map((each) => [JSON.stringify(each), each])).values()) {
      test(`${option} ${JSON.stringify(value)} is told from ${JSON.stringify(other)}`, () => {
        const isTold = cases.some(
          (golden) =>
            same(golden.options[option], value) &&
            goldenMisses(golden, { ...golden.options, [option]: other }).length > 0,
        );
        expect(isTold).toBe(true);
      });
    }
  }
});
