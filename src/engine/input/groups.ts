import { OptimizerError, isRecord, quote } from '../../errors.js';
import { copyGiven } from '../../given.js';
import { type Rule, checkRule, makeRule, overrideRule } from '../../rules/rule.js';

/** A group as given: its rule has the group's options; its parameters are unchecked. */
export interface GivenGroup<P> {
  readonly rule: Rule;
  readonly params: readonly P[];
}

/**
 * A rule with the options as they are now, whatever becomes of the caller's object.
 *
 * @throws OptimizerError `invalid-config` unless `rule` was made by a rule function; `invalid-option` if its options do
 *   not fit.
 */
export function resolveRule(rule: unknown): Rule {
  checkRule(rule);
  return makeRule(rule.declaration, rule.options);
}

/**
 * The groups of a config that gives `params` or `groups`: each group's rule with its overrides applied.
 *
 * @throws OptimizerError `invalid-config` or `invalid-option`.
 */
export function resolveGroups<P>(
  rule: Rule,
  { params, groups }: { readonly params?: unknown; readonly groups?: unknown },
): GivenGroup<P>[] {
  if ((params === undefined) === (groups === undefined)) {
    const which =
      params === undefined ? 'neither params nor groups is given' : 'both params and groups are given';
    throw new OptimizerError('invalid-config', `${which}; give one of them.`);
  }
  if (groups === undefined) return [{ rule, params: checkList<P>(params, 'params') }];
  return checkList(groups, 'groups').map((group, index) => resolveGroup<P>(rule, group, `groups[${index}]`));
}

/**
 * One group with options of its own beside `params`.
 *
 * @param what the group, for errors.
 * @throws OptimizerError `invalid-config` or `invalid-option`.
 */
export function resolveGroup<P>(rule: Rule, group: unknown, what: string): GivenGroup<P> {
  if (!isRecord(group)) {
    throw new OptimizerError('invalid-config', `${what} is ${quote(group)}; give { params, …options }.`);
  }
  const { params, ...overrides } = copyGiven(group, ['params', ...Object.keys(rule.declaration.options)]);
  const list = checkList<P>(params, `${what}.params`);
  return { rule: overrideRule(rule, overrides), params: list };
}

/** A copy of the list, its holes filled with undefined, which is then refused as any entry that is none. */
function checkList<T>(list: unknown, what: string): T[] {
  if (Array.isArray(list) && list.length > 0) return Array.from(list as T[]);
  throw new OptimizerError(
    'invalid-config',
    `${what} is ${quote(list)}; give an array with at least one entry.`,
  );
}
