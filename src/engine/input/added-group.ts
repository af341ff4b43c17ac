import { OptimizerError, isRecord, quote } from '../../errors.js';
import { copyGiven } from '../../given.js';
import type { Rule } from '../../rules/rule.js';
import { type ParameterGroupConfig, type ResolvedSettings, keptWeightsOf, rejectUnfit } from './config.js';
import { partGroup, resolveGroup } from './groups.js';
import { withFitMasters } from './options/master-options.js';
import type { NameTable } from './names.js';
import { type Parameter, type ResolvedParameter, resolveParameter } from './parameter/parameter.js';

/** A parameter that is there already, by its name: it moves to the group, and all that is known of it comes along. */
export type MovedParameter = string | { name: string; data?: undefined; grad?: undefined };

/**
 * What `addGroup` takes: parameters that are new, and such as move there from other groups; beside `params`, options of the rule.
 *
 * @typeParam R the rule.
 */
export type AddedGroupConfig<R extends Rule = Rule> = ParameterGroupConfig<R, Parameter | MovedParameter>;

/** A parameter that may move, and the group that it is in. */
interface Movable {
  readonly parameter: ResolvedParameter;
  readonly part?: { readonly group: { readonly rule: Rule } };
}

/** A checked group that is to be added. */
export interface ResolvedAddedGroup<T> {
  readonly rule: Rule;
  /** Those that are new. */
  readonly parameters: readonly ResolvedParameter[];
  /** What the table has of those that move. */
  readonly moved: ReadonlySet<T>;
}

/** What says where a parameter lies, and how its rows are stepped. */
const PLACE_KEYS = [
  'elementCount',
  'data',
  'grad',
  'microGrad',
  'sparse',
  'rowLength',
  'mask',
  'columns',
  'constraint',
  'shape',
] as const satisfies readonly (keyof ResolvedParameter)[];

/**
 * Checks a group that is added to others. A parameter that is given as it is already moves, too.
 *
 * @param table what there is, by name.
 * @param parameterCount parameters that there have been, for default names.
 * @param call the call, for errors: `'addGroup()'`.
 * @throws OptimizerError on anything wrong in it.
 */
export function resolveAddedGroup<T extends Movable>(
  settings: Pick<ResolvedSettings, 'rule'>,
  group: unknown,
  table: NameTable<T>,
  parameterCount: number,
  call: string,
): ResolvedAddedGroup<T> {
  const { params, ...given } = resolveGroup<unknown>(settings.rule, group, 'group');
  const moved = new Set<T>();
  const parameters: ResolvedParameter[] = [];
  const members = params.map((each): Member<T> => {
    const named = findMoved(each, table, call);
    if (named) return memberOf(named.parameter, named);
    const parameter = resolveParameter(each as Parameter, parameterCount++);
    const there = sameAs(parameter, table.get(parameter.name));
    return memberOf(there?.parameter ?? parameter, there);
  });
  const parts = partGroup({ ...given, params: members });
  if (parts.length > 1) rejectMixed(parts, call);
  const rule = withFitMasters(
    parts[0]!.rule,
    members.map(({ parameter }) => keptWeightsOf(parameter)),
  );
  for (const { parameter, there } of members) {
    rejectUnfit(rule, parameter);
    if (there?.part) rejectOtherRule(there.part.group.rule, rule, parameter.name, call);
    if (!there) parameters.push(parameter);
    else if (moved.has(there)) table.rejectTaken([parameter.name]);
    else moved.add(there);
  }
  return { rule, parameters, moved };
}

/** A parameter of the group, and what the table has of it if it moves. */
interface Member<T> {
  readonly parameter: ResolvedParameter;
  readonly there: T | undefined;
  readonly shape: ResolvedParameter['shape'];
}

const memberOf = <T>(parameter: ResolvedParameter, there: T | undefined): Member<T> => ({
  parameter,
  there,
  shape: parameter.shape,
});

type Part = ReturnType<typeof partGroup<Member<unknown>>>[number];

/** One call adds one group. @throws OptimizerError `invalid-config`. */
function rejectMixed(parts: readonly Part[], call: string): never {
  const names = parts.map(({ params }) => quote(params[0]!.parameter.name));
  throw new OptimizerError(
    'invalid-config',
    `${call}: ${names.join(' is a matrix and ')} is none; add them by two calls.`,
  );
}

/** Its state is that of its rule. @throws OptimizerError `invalid-config` where a parameter would move to a group of another one. */
function rejectOtherRule(before: Rule, after: Rule, name: string, call: string): void {
  if (before.declaration === after.declaration) return;
  throw new OptimizerError(
    'invalid-config',
    `${call}: parameter ${quote(name)} is of ${nameOf(before)} and would move to ${nameOf(after)}; remove it, and add it anew.`,
  );
}

/** Two rules may have one name. */
const nameOf = ({ name, declaration: { matrix } }: Rule): string => (matrix ? `${name} for matrices` : name);

/** What is given by its name alone. */
function findMoved<T>(given: unknown, table: NameTable<T>, call: string): T | undefined {
  if (typeof given === 'string') return table.find(given, call);
  if (!isRecord(given)) return undefined;
  const { name, ...rest } = copyGiven(given, ['name', 'data', 'grad']);
  const there = table.get(name as string);
  if (!there || rest['data'] !== undefined || rest['grad'] !== undefined) return undefined;
  const [other] = Object.keys(rest).filter((key) => rest[key] !== undefined);
  if (other === undefined) return there;
  throw new OptimizerError(
    'invalid-parameter',
    `${call}: parameter ${quote(name)} is there already and moves as it is, but ${other} is given; leave it out.`,
  );
}

/** Those that are to move have to be given as they are, but for a shape, which may be left out; another one of the same name is refused later. */
function sameAs<T extends { readonly parameter: ResolvedParameter }>(
  parameter: ResolvedParameter,
  there: T | undefined,
): T | undefined {
  const keys = PLACE_KEYS.filter((key) => key !== 'shape' || parameter.shape !== undefined);
  return there && keys.every((key) => areSame(parameter[key], there.parameter[key])) ? there : undefined;
}

/** Whether plain data is the same; of buffers, whether they are one. */
function areSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (!isPlain(a) || !isPlain(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => areSame(a[key], b[key]));
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return Array.isArray(value) || (isRecord(value) && Object.getPrototypeOf(value) === Object.prototype);
}
