import { MASTER_SLOTS } from '../../../src/codecs/masters.js';
import type { LoadedNames, Rule, StateDict } from '../../../src/index.js';
import { otherState } from '../../../src/kernel/rule-layout.js';
import type { ScheduleState } from '../../../src/schedules/schedule.js';
import { movesOf } from '../../../src/rules/options/moving.js';
import { overrideRule } from '../../../src/rules/rule.js';
import { isPlateau } from './describe-twin.js';
import type { GroupTwin } from './twin.js';

/** What a dict has for a group of the model. */
export interface MatchedGroup {
  readonly rule: Rule;
  /** Per tensor its count of steps; none for those that the dict does not have. */
  readonly counts: readonly (number | undefined)[];
  readonly schedule: ScheduleState | undefined;
}

type SavedGroup = StateDict['groups'][number];

const KEYS_OF_GROUPS: ReadonlySet<string> = new Set(['params', 'joinedAt', 'steps', 'schedule', 'schedules']);

/** What a dict has for some groups, and for whom; undefined if it does not fit, so that it is refused. */
export function matchDict(
  { step, groups: saved, state }: StateDict,
  groups: readonly GroupTwin[],
  isStrict: boolean,
): { groups: MatchedGroup[]; names: LoadedNames } | undefined {
  const own = groups.map(({ tensors }) => tensors.map(({ name }) => name));
  if (isStrict && JSON.stringify(own) !== JSON.stringify(saved.map(({ params }) => params))) return undefined;
  const known = new Map(
    saved.flatMap((source) =>
      source.params.map((name, k) => [name, { source, count: countOf(source, k, step) }] as const),
    ),
  );
  const matched: MatchedGroup[] = [];
  for (const { rule, tensors } of groups) {
    const found = tensors.map(({ name }) => known.get(name));
    for (const { name, state: held } of found.flatMap((one, k) => (one ? [tensors[k]!] : []))) {
      if (!hasSlots(state[name]!, held.state, rule, isStrict)) return undefined;
    }
    const sources = new Set(found.flatMap((one) => (one ? [one.source] : [])));
    const counts = found.map((one) => one?.count);
    const [source] = sources;
    if (!source || sources.size > 1) {
      matched.push({ rule, counts, schedule: undefined });
      continue;
    }
    const restored = withSaved(rule, source);
    if (!restored) return undefined;
    if (isStrict && isPlateau(rule.options.lr) && !source.schedule) return undefined;
    matched.push({ rule: restored, counts, schedule: source.schedule });
  }
  const names = own.flat();
  return {
    groups: matched,
    names: {
      loaded: names.filter((name) => known.has(name)),
      missing: names.filter((name) => !known.has(name)),
      unexpected: [...known.keys()].filter((name) => !names.includes(name)),
    },
  };
}

function countOf({ steps, joinedAt = 0 }: SavedGroup, k: number, step: number): number {
  return steps?.[k] ?? step - joinedAt;
}

/** Whether the saved slots are those that are held; averages may differ unless it is strict. */
function hasSlots(
  saved: StateDict['state'][string],
  held: Readonly<Record<string, { readonly length: number }>>,
  { averages = [], masterWeights }: Rule,
  isStrict: boolean,
): boolean {
  const mayLack: ReadonlySet<string> = new Set([
    ...averages.map(({ declaration }) => declaration.slot),
    ...(masterWeights ? MASTER_SLOTS : []),
  ]);
  const keys = new Set([...Object.keys(saved), ...Object.keys(held)]);
  return [...keys].every((slot) => {
    const [a, b] = [saved[slot], held[slot]];
    if (a && b) return a.length === b.length;
    return !isStrict && (b ? mayLack.has(slot) : OPTIONAL.has(slot));
  });
}

const OPTIONAL: ReadonlySet<string> = new Set(['ema', 'swa', 'slow', ...MASTER_SLOTS]);

/** The rule with a saved group's options; live schedules stay. Undefined if it would keep other state. */
function withSaved(rule: Rule, source: SavedGroup): Rule | undefined {
  const options: Record<string, unknown> = Object.fromEntries(
    Object.entries(source).filter(([name]) => !KEYS_OF_GROUPS.has(name)),
  );
  for (const { option, entry, schedule } of movesOf(rule.options)) {
    options[option] =
      entry === undefined ? schedule : (options[option] as readonly unknown[]).with(entry, schedule);
  }
  let restored;
  try {
    restored = overrideRule(rule, options);
  } catch {
    // Of a group of another rule.
    return undefined;
  }
  const { needed, left } = otherState(rule, restored);
  return needed.length + left.length > 0 ? undefined : restored;
}
