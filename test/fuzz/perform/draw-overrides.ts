import type { Random } from '../../../proof/random.js';
import type { OptionSpec } from '../../../src/rules/options/options.js';
import { otherState } from '../../../src/kernel/rule-layout.js';
import { type Rule, overrideRule } from '../../../src/rules/rule.js';
import { drawRate, makeRate } from '../case/plans.js';

/** Options for `group.set`. */
export interface DrawnOverrides {
  /** Them; each time schedules of one's own, where they keep anything. */
  readonly given: () => Record<string, unknown>;
  /** The rule with them; absent if they are to be refused. */
  readonly rule: Rule | undefined;
}

/** Draws numeric options of a rule, by its declaration: numbers and schedules. */
export function drawOverrides(random: Random, rule: Rule): DrawnOverrides {
  const specs = Object.entries(rule.declaration.options as Readonly<Record<string, OptionSpec<unknown>>>);
  const numeric = specs.filter(([, { moves, entry, isInitial }]) => moves === true || entry || isInitial);
  const count = 1 + random.integer(3);
  const chosen: Record<string, () => unknown> = {};
  for (let k = 0; k < count; k++) {
    const [name, spec] = random.pick(numeric);
    chosen[name] = name === 'weightDecay' ? drawDecay(random) : drawValue(random, spec);
  }
  if (random.uniform() < 0.25) {
    const rate = drawRate(random);
    chosen['lr'] = () => makeRate(rate);
  }
  const given = () => Object.fromEntries(Object.entries(chosen).map(([name, make]) => [name, make()]));
  return { given, rule: withOverrides(rule, given()) };
}

function withOverrides(rule: Rule, given: object): Rule | undefined {
  const { options } = rule.declaration;
  if (Object.keys(given).some((name) => options[name]!.isInitial)) return undefined;
  try {
    const after = overrideRule(rule, given);
    const { needed, left } = otherState(rule, after);
    return needed.length + left.length > 0 ? undefined : after;
  } catch {
    return undefined;
  }
}

function drawDecay(random: Random): () => unknown {
  return drawNumber(random, [0, 0, 0.1, 0.01]);
}

function drawValue(
  random: Random,
  { default: standard, samples, entry }: OptionSpec<unknown>,
): () => unknown {
  if (!entry) return drawNumber(random, [standard, ...samples] as number[]);
  const values = random.pick([standard, ...samples]) as readonly number[];
  const entries = values.map((value) => drawNumber(random, [value, value, 0.75 * value]));
  return () => entries.map((make) => make());
}

/** A number of some, or a schedule that goes from one of them to another. */
function drawNumber(random: Random, values: readonly number[]): () => number | ((step: number) => number) {
  const [from, to] = [random.pick(values), random.pick(values)];
  if (random.uniform() < 0.7) return () => from;
  const turn = 1 + random.integer(6);
  const schedule = (step: number) => (step % (2 * turn) < turn ? from : to);
  return () => schedule;
}
