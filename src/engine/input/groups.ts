import { OptimizerError, isRecord, quote, readProperty } from '../../errors.js';
import { copyGiven } from '../../given.js';
import { type Rule, checkRule, makeRule, overrideRule, structureOf } from '../../rules/rule.js';

/** A group as given: its rule has the group's options; its parameters are unchecked. */
export interface GivenGroup<P> {
  readonly rule: Rule;
  readonly params: readonly P[];
  /** The rule of those of them that are no matrices, if that is another one. */
  readonly others?: Rule;
}

/** Parts a group of a rule of matrices: what is no matrix is a group of the other rule. */
export function partGroup<P extends { readonly shape?: unknown }>({
  rule,
  params,
  others,
}: GivenGroup<P>): { readonly rule: Rule; readonly params: readonly P[] }[] {
  if (!others) return [{ rule, params }];
  const takes =
    rule.declaration.matrix?.takes ?? ((_: unknown, { length }: readonly number[]) => length >= 2);
  const isMatrix = ({ shape }: P): boolean =>
    Array.isArray(shape) && takes(structureOf(rule), shape as number[]);
  return [
    { rule, params: params.filter(isMatrix) },
    { rule: others, params: params.filter((parameter) => !isMatrix(parameter)) },
  ].filter((group) => group.params.length > 0);
}

/**
 * A rule with the options as they are now, whatever becomes of the caller's object.
 *
 * @throws OptimizerError `invalid-config` unless `rule` was made by a rule function; `invalid-option` if its options do
 *   not fit.
 */
export function resolveRule(rule: unknown): Rule {
  checkRule(rule);
  const made = makeRule(rule.declaration, rule.options);
  return rule.others ? Object.freeze({ ...made, others: resolveRule(rule.others) }) : made;
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
  if (groups === undefined) return [{ rule, params: checkList<P>(params, 'params'), ...othersOf(rule) }];
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
  const isOthers =
    rule.others !== undefined && checkOthers(readProperty(group, 'others', what, 'invalid-config'), what);
  const own = isOthers ? rule.others : rule;
  const { params, ...given } = copyGiven(group, ['params', ...Object.keys(own.declaration.options)]);
  const { others: _others, ...overrides } = given;
  const list = checkList<P>(params, `${what}.params`);
  const isPlain = Object.values(overrides).every((value) => value === undefined);
  const ofMatrices = { rule: overrideRule(own, rule.others ? overrides : given), params: list };
  if (isOthers) return ofMatrices;
  if (rule.others && rule.declaration.matrix?.sharesOptions)
    return { ...ofMatrices, others: overrideRule(rule.others, overrides) };
  // Options of one rule are none of the other.
  return { ...ofMatrices, ...(isPlain && othersOf(rule)) };
}

const othersOf = ({ others }: Rule): Pick<GivenGroup<never>, 'others'> => (others ? { others } : {});

function checkOthers(others: unknown, what: string): boolean {
  if (others === undefined || others === true) return others === true;
  throw new OptimizerError(
    'invalid-config',
    `${what}: others is ${quote(others)}; give true, for a group of the other rule, or leave it out.`,
  );
}

/** A copy of the list, its holes filled with undefined, which is then refused as any entry that is none. */
function checkList<T>(list: unknown, what: string): T[] {
  if (Array.isArray(list) && list.length > 0) return Array.from(list as T[]);
  throw new OptimizerError(
    'invalid-config',
    `${what} is ${quote(list)}; give an array with at least one entry.`,
  );
}
