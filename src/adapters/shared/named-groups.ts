import { resolveGroup, resolveRule } from '../../engine/input/groups.js';
import { OptimizerError, isRecord, quote } from '../../errors.js';
import { copyGiven, tagOf } from '../../given.js';
import type { Rule, RuleOverrides } from '../../rules/rule.js';

/**
 * Some parameters with hyper-parameters of their own: any option of the rule, beside `params`, `match` or both.
 *
 * @typeParam R the rule.
 */
export type NamedGroup<R extends Rule = Rule> = (
  | (RuleOverrides<R> & { others?: undefined })
  | (R extends { readonly others: infer T extends Rule }
      ? RuleOverrides<T> & { /** Whether it is one of the rule of what is no matrix. */ others: true }
      : never)
) &
  (Named | Matched | (Named & Matched));

interface Named {
  /**
   * Names of parameters, or what they lie below: `'dense1'` is also `'dense1.kernel'` and `'dense1/kernel'`. They go before
   * any `match`.
   */
  params: readonly string[];
}

interface Matched {
  /**
   * What the names of parameters match, e.g. `/bias$/`. Of several groups that match, the first counts. Where a framework
   * numbers names (tfjs: `out/bias_1`), they are matched without the number; by an expression with a digit, with it too.
   */
  match: RegExp;
}

type UncheckedGroup = RuleOverrides & Partial<Named & Matched> & { others?: true | undefined };

interface CheckedGroup {
  readonly names: readonly string[];
  readonly match: RegExp | undefined;
  /** Options in place of the rule's. */
  readonly overrides: Readonly<RuleOverrides>;
}

/** Parameters that share options. */
export interface AssignedGroup<P> {
  /** The index of the group among those given; of the last, the number of these. */
  readonly rank: number;
  readonly overrides: Readonly<RuleOverrides>;
  readonly params: P[];
}

/**
 * Groups as adapters take them, by names. They come first, in the order given; the parameters that none of them names are
 * the last group, with the rule's own options.
 */
export class NamedGroups {
  readonly list: readonly CheckedGroup[];

  /**
   * @param noun what a parameter is called in the framework, for errors.
   * @param plainOf a name as the user chose it, where the framework may add to it.
   * @throws OptimizerError `invalid-config` if they are no groups, `invalid-option` if an option is none of the rule's.
   */
  constructor(
    given: readonly NamedGroup[],
    rule: Rule,
    private readonly noun: string,
    private readonly plainOf: (name: string) => string = (name) => name,
  ) {
    if (!Array.isArray(given)) {
      fail(
        `groups is ${quote(given)}; give an array of { params: […], …options } or { match: /bias$/, …options }.`,
      );
    }
    const base = resolveRule(rule);
    this.list = Array.from(given, (group, g) => checkGroup(group, g, base));
  }

  /**
   * The index of a parameter's group, as {@link AssignedGroup.rank}.
   *
   * @param all the names of all parameters.
   */
  rankOf(name: string, all: ReadonlySet<string> = new Set()): number {
    const naming = this.list.flatMap(({ names }, g) =>
      names.filter((path) => this.#isNamedBy(name, path, all)).map(() => g),
    );
    if (naming.length > 1) {
      fail(`groups[${naming[1]}]: ${quote(name)} is named twice; leave it out of one place.`);
    }
    const [rank = this.list.findIndex(({ match }) => match !== undefined && this.#isMatched(name, match))] =
      naming;
    return rank === -1 ? this.list.length : rank;
  }

  /**
   * Puts parameters into their groups; others may come later. Groups that get none are left out.
   *
   * @param earlier the names of those that came before.
   * @throws OptimizerError `invalid-config` if a name may mean either of two.
   */
  assign<P extends { readonly name: string }>(
    parameters: readonly P[],
    earlier: readonly string[] = [],
  ): AssignedGroup<P>[] {
    const names = [...earlier, ...parameters.map(({ name }) => name)];
    this.#rejectAmbiguous(names);
    const known = new Set(names);
    const all = [...this.list.map(({ overrides }) => overrides), {}].map((overrides, rank) => ({
      rank,
      overrides,
      params: [] as P[],
    }));
    for (const parameter of parameters) all[this.rankOf(parameter.name, known)]!.params.push(parameter);
    return all.filter(({ params }) => params.length > 0);
  }

  /**
   * Puts all parameters that there are into their groups.
   *
   * @param later names of those that there are, too, but which are not to be put anywhere yet.
   * @throws OptimizerError `invalid-config` if a group names what is not there, or is left without any.
   */
  assignAll<P extends { readonly name: string }>(
    parameters: readonly P[],
    later: readonly string[] = [],
  ): AssignedGroup<P>[] {
    const all = [...parameters.map(({ name }) => name), ...later];
    const [known, there] = [quote(all), new Set(all)];
    this.list.forEach(({ names }, g) => {
      const missing = names.find((path) => !all.some((name) => this.#isNamedBy(name, path, there)));
      if (missing === undefined) return;
      fail(`groups[${g}]: there is no ${this.noun} at or below ${quote(missing)}; there are ${known}.`);
    });
    const assigned = this.assign(parameters);
    const ranks = new Set([
      ...assigned.map(({ rank }) => rank),
      ...later.map((name) => this.rankOf(name, there)),
    ]);
    const empty = this.list.findIndex((_, g) => !ranks.has(g));
    if (empty !== -1) {
      const match = String(this.list[empty]!.match);
      fail(`groups[${empty}]: no ${this.noun} is left that matches ${match}; there are ${known}.`);
    }
    return assigned;
  }

  /** Whether a path names a parameter. A plain name is that of another one if there is one of just this name. */
  #isNamedBy(name: string, path: string, all: ReadonlySet<string>): boolean {
    return isAtOrBelow(name, path) || (path === this.plainOf(name) && !all.has(path));
  }

  /**
   * Whether an expression matches a name, as the user chose it. What was added to the name counts only for an expression
   * that can tell of it: else "all that do not end in `bias`" would have `bias_1`.
   */
  #isMatched(name: string, match: RegExp): boolean {
    return match.test(this.plainOf(name)) || (/\d|\\d/.test(match.source) && match.test(name));
  }

  #rejectAmbiguous(names: readonly string[]): void {
    const all = new Set(names);
    for (const [g, { names: paths }] of this.list.entries()) {
      for (const path of paths) {
        const [one, other] = names.filter((name) => path === this.plainOf(name));
        if (all.has(path) || other === undefined) continue;
        fail(
          `groups[${g}]: ${quote(path)} may be ${quote(one)} or ${quote(other)}; name the one that is meant, or both.`,
        );
      }
    }
  }
}

function checkGroup(given: NamedGroup, g: number, rule: Rule): CheckedGroup {
  const own = isRecord(given) && rule.others && Reflect.get(given, 'others') === true ? rule.others : rule;
  const known = ['params', 'match', 'others', ...Object.keys(own.declaration.options)];
  const { params, match, ...overrides }: UncheckedGroup = isRecord(given) ? copyGiven(given, known) : {};
  if (params === undefined && match === undefined) {
    fail(
      `groups[${g}] is ${quote(given)}; give { params: ['dense1.kernel', …], …options } or { match: /bias$/, …options }.`,
    );
  }
  if (params !== undefined && !isListOfNames(params)) {
    fail(`groups[${g}].params is ${quote(params)}; give an array of names, at least one.`);
  }
  // A regular expression of another realm is one, too.
  if (match !== undefined && tagOf(match) !== '[object RegExp]') {
    fail(`groups[${g}].match is ${quote(match)}; give a RegExp, e.g. /bias$/.`);
  }
  // As the engine will, with parameters to come.
  resolveGroup(rule, { ...overrides, params: [undefined] }, `groups[${g}]`);
  return {
    names: params ? [...params] : [],
    // The flags g and y would let a match depend on the one before.
    match: match && new RegExp(match.source, match.flags.replace(/[gy]/g, '')),
    overrides,
  };
}

function isListOfNames(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string');
}

/** Whether a name is a path, or one that begins with it: paths are parted by dots or slashes. */
function isAtOrBelow(name: string, path: string): boolean {
  return name === path || name.startsWith(`${path}.`) || name.startsWith(`${path}/`);
}

function fail(message: string): never {
  throw new OptimizerError('invalid-config', message);
}
