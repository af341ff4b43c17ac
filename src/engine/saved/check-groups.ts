import { quote } from '../../errors.js';
import type { ParameterGroup } from '../parameter-group.js';
import { checkCount, copyRecord, fail } from './check.js';
import { checkOptions } from './check-options.js';
import type { CheckedGroup } from './checked-state.js';
import type { LoadedNames } from './state-dict.js';

/** The groups here with what a dict has for them. */
export interface MatchedGroups {
  readonly groups: readonly CheckedGroup[];
  readonly names: LoadedNames;
}

/** A group of a dict, as it was given. */
interface SavedGroup {
  /** What it is, for errors. */
  readonly what: string;
  readonly params: unknown;
  readonly schedules: CheckedGroup['schedules'];
  readonly options: Readonly<Record<string, unknown>>;
  /** Steps applied to each of so many parameters. */
  readonly countsOf: (parameterCount: number) => number[];
}

/**
 * Checks the groups of a dict that must be those that there are.
 *
 * @throws OptimizerError `invalid-state-dict`, or `invalid-option` for an option out of range.
 */
export function checkGroups(saved: unknown, step: number, groups: readonly ParameterGroup[]): MatchedGroups {
  if (!Array.isArray(saved) || saved.length !== groups.length) {
    const given = Array.isArray(saved) ? `has ${saved.length} entries` : `is ${quote(saved)}`;
    fail(
      `groups ${given}, but this optimizer has ${groups.length} groups; create it with the parameters grouped as in the ` +
        'dict, add the groups that are missing with addGroup(), or load it with { strict: false }.',
    );
  }
  return {
    groups: groups.map((group, index) => checkGroup(readGroup(saved[index], index, step), group)),
    names: { loaded: groups.flatMap(({ params }) => params), missing: [], unexpected: [] },
  };
}

function checkGroup(
  { what, params, schedules, options, countsOf }: SavedGroup,
  group: ParameterGroup,
): CheckedGroup {
  const isSame =
    Array.isArray(params) &&
    params.length === group.params.length &&
    group.params.every((name, k) => params[k] === name);
  if (!isSame) {
    fail(
      `${what}: params are ${quote(params)} but this optimizer has ${quote(group.params)}; use the same names and order, or ` +
        'load it with { strict: false }.',
    );
  }
  return { rule: checkOptions(options, what, group), counts: countsOf(group.params.length), schedules };
}

/**
 * Finds what the groups of a dict have for parameters of the same names, however both are grouped. A group takes over the
 * options of the group of the dict that its parameters were in; if they were in several, it keeps its own.
 *
 * @throws OptimizerError as {@link checkGroups}.
 */
export function matchGroups(saved: unknown, step: number, groups: readonly ParameterGroup[]): MatchedGroups {
  if (!Array.isArray(saved)) fail(`groups is ${quote(saved)}; give what stateDict() returned.`);
  const known = new Map<string, { source: SavedGroup; count: number }>();
  for (const [index, one] of Array.from<unknown>(saved).entries()) {
    const source = readGroup(one, index, step);
    const params = checkNames(source);
    const counts = source.countsOf(params.length);
    for (const [k, name] of params.entries()) {
      if (known.has(name))
        fail(`${source.what}: parameter ${quote(name)} is in the dict twice; name it once.`);
      known.set(name, { source, count: counts[k]! });
    }
  }
  const own = groups.flatMap(({ params }) => params);
  const isOwn = new Set(own);
  return {
    groups: groups.map((group) => {
      const found = group.params.map((name) => known.get(name));
      const sources = new Set(found.flatMap((one) => (one ? [one.source] : [])));
      const counts = found.map((one) => one?.count);
      const [source] = sources;
      if (!source || sources.size > 1) return { rule: group.rule, counts, schedules: {} };
      return { rule: checkOptions(source.options, source.what, group), counts, schedules: source.schedules };
    }),
    names: {
      loaded: own.filter((name) => known.has(name)),
      missing: own.filter((name) => !known.has(name)),
      unexpected: [...known.keys()].filter((name) => !isOwn.has(name)),
    },
  };
}

function readGroup(saved: unknown, index: number, step: number): SavedGroup {
  const what = `groups[${index}]`;
  const { params, schedule, schedules, joinedAt, steps, ...options } = copyRecord(saved, what);
  return {
    what,
    params,
    options,
    schedules: {
      ...(schedules === undefined ? {} : copyRecord(schedules, `${what}.schedules`)),
      lr: schedule,
    } as CheckedGroup['schedules'],
    countsOf: (parameterCount) => checkCounts(joinedAt, steps, what, step, parameterCount),
  };
}

function checkNames({ what, params }: SavedGroup): readonly string[] {
  const names: readonly unknown[] = Array.isArray(params)
    ? Array.from<unknown>(params)
    : fail(`${what}: params are ${quote(params)}; give a list of names.`);
  for (const name of names) {
    if (typeof name !== 'string') fail(`${what}: params has ${quote(name)}; give a list of names.`);
  }
  return names as readonly string[];
}

function checkCounts(
  joinedAt: unknown,
  steps: unknown,
  what: string,
  step: number,
  parameterCount: number,
): number[] {
  if (steps === undefined) {
    const joined = joinedAt === undefined ? 0 : checkCount(joinedAt, `${what}.joinedAt`, step);
    return Array.from({ length: parameterCount }, () => step - joined);
  }
  if (joinedAt !== undefined) {
    fail(`${what} has both joinedAt and steps; leave joinedAt out, since steps says it of each parameter.`);
  }
  if (!Array.isArray(steps) || steps.length !== parameterCount) {
    fail(
      `${what}.steps is ${quote(steps)}; give the steps applied to each of its ${parameterCount} parameters.`,
    );
  }
  return Array.from(steps, (count: unknown, k) => checkCount(count, `${what}.steps[${k}]`, step));
}
