import { expect, inject, test } from 'vitest';
import type { Rule } from '../../src/index.js';
import { combinedOptionCases, singleOptionCases } from '../../proof/option-cases.js';
import type { Destroyable } from '../../proof/track.js';
import { getTestDevice } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { allRuleFactories } from '../support/all-rules.js';
import { checkParity } from '../../proof/parity.js';
import { Random } from '../../proof/random.js';
import { MISTAKES_OF_NUMBERS, mutantsOf } from '../support/wgsl-mutants.js';

/** Enough for what begins with some step, as rectification does, to begin and to show at some decay rates. */
const STEPS = 12;

/** Functions that were mutated: rules share some, and one rule's matrix is proof enough. */
const mutated = new Set<string>();

const FLAT = { length: 64, dataOffset: 0, gradOffset: 0 };
/** A matrix, and, where it has a rule of its own, what is none. */
const MATRICES = [{ ...FLAT, shape: [8, 8] }];

/** The rule with other WGSL; that of others, too, if it is the same. */
function withWgsl(rule: Rule, wgsl: string): Rule {
  const { declaration, others } = rule;
  const own = { ...rule, declaration: { ...declaration, wgsl } };
  return others?.declaration.wgsl === declaration.wgsl ? { ...own, others: withWgsl(others, wgsl) } : own;
}

/** Whether the parity check notices. */
async function isCaught(rule: Rule, device: GPUDevice): Promise<boolean> {
  const made: Destroyable[] = [];
  const track = <T extends Destroyable>(resource: T): T => {
    made.push(resource);
    return resource;
  };
  try {
    await checkParity({
      device,
      track,
      rule,
      // Matrices go through a rule twice, and what scales gradients is to do so once.
      ...(rule.declaration.matrix && { multiplier: 0.5 }),
      layouts: rule.declaration.matrix ? (rule.others ? [...MATRICES, FLAT] : MATRICES) : [FLAT],
      oneBuffer: false,
      steps: STEPS,
      random: new Random(inject('seed')),
      boundedElements: 64,
    });
    return false;
  } catch {
    return true;
  } finally {
    for (const resource of made) resource.destroy();
  }
}

/** How many options are not what they are by default: the more, the more branches are entered. */
function countSet({ options, declaration }: Rule): number {
  const specs = Object.entries(declaration.options);
  return specs.filter(
    ([option, spec]) => JSON.stringify(Reflect.get(options, option)) !== JSON.stringify(spec.default),
  ).length;
}

/** Those with more options first: of what rules share, they enter every branch. */
const byOptions = allRuleFactories.toSorted(
  ([, a], [, b]) => Object.keys(b.declaration.options).length - Object.keys(a.declaration.options).length,
);

/** Each mutant compiles its kernels, so one of twenty is made. Every mutant of every rule must be caught by some options of the matrix: the matrix can fail, everywhere. */
for (const [name, factory] of byOptions) {
  const cases = [
    ...singleOptionCases(allRuleFactories),
    ...combinedOptionCases(new Random(inject('seed')), allRuleFactories),
  ]
    .filter(({ rule }) => rule.name === name)
    .toSorted((one, other) => countSet(other.rule) - countSet(one.rule));
  // Second, the defaults: what is branched around there is not what is so elsewhere.
  cases.splice(1, 0, ...cases.splice(-1));
  // Last, a rate far above its default: a rule may bound it.
  const { lr } = factory.declaration.options;
  if (typeof lr.default === 'number') cases.push({ ...cases[0]!, rule: factory({ lr: 1000 * lr.default }) });
  const mutants = drawn(mutantsOf(factory.declaration.wgsl, MISTAKES_OF_NUMBERS, mutated), 20);
  test(`${name} as it is passes`, async () => {
    expect(await isCaught(cases[0]!.rule, await getTestDevice())).toBe(false);
  });
  test.for(mutants)(`${name} with $title is caught`, async ({ wgsl }) => {
    const device = await getTestDevice();
    let caught = false;
    for (const [k, { rule }] of cases.entries()) {
      caught = await isCaught(withWgsl(rule, wgsl), device);
      if (!caught) continue;
      // What enters this branch is the first to be tried with the next mutant, which is often of the same one.
      cases.unshift(...cases.splice(k, 1));
      break;
    }
    expect(caught).toBe(true);
  });
}
