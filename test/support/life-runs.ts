/** Runs of PyTorch in which parameters rest and options change; see test/fixtures/recorded/life.py. */
import { conventions } from '../../src/conventions.js';
import type { Convention } from '../../src/conventions/convention.js';
import { type Rule, type RuleName, rules } from '../../src/index.js';
import recorded from '../fixtures/recorded/life.json' with { type: 'json' };

type Options = Readonly<Record<string, unknown>>;
type Weights = Readonly<Record<string, readonly number[]>>;

interface LifeRun {
  readonly rule: RuleName;
  readonly options: Options;
  /** What is set before a step, by its number from 0 on. */
  readonly changes: Readonly<Record<string, Options>>;
  /** After each step. */
  readonly weights: readonly Weights[];
}

export const LIFE = recorded as {
  readonly source: string;
  readonly start: Weights;
  readonly grads: readonly Weights[];
  /** Per parameter, the steps in which it rests. */
  readonly resting: Readonly<Record<string, readonly number[]>>;
  readonly runs: readonly LifeRun[];
};

/** PyTorch's defaults, the options of a run, and others in their place. */
export function lifeRule({ rule, options }: LifeRun, others: Options = {}): Rule {
  const defaults = (conventions.torch as Convention)[rule];
  return (rules[rule] as unknown as (given: object) => Rule)({ ...defaults, ...options, ...others });
}

/** Names of those that rest in a step. */
export function restingAt(step: number): string[] {
  return Object.keys(LIFE.resting).filter((name) => LIFE.resting[name]!.includes(step));
}

/** What changes as schedules, of each of `betas` too. */
export function changingOptions(run: LifeRun): Options {
  const start: Options = { ...lifeRule(run).options };
  const at = (name: string) => (step: number) => {
    let value = start[name];
    for (const [when, change] of Object.entries(run.changes))
      if (Number(when) <= step && name in change) value = change[name];
    return value;
  };
  const names = new Set(Object.values(run.changes).flatMap((change) => Object.keys(change)));
  return Object.fromEntries(
    Array.from(names, (name) => {
      const value = at(name);
      if (!Array.isArray(start[name])) return [name, value];
      return [name, (start[name] as number[]).map((_, k) => (step: number) => (value(step) as number[])[k]!)];
    }),
  );
}
