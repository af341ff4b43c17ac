import type { ResolvedCommonOptions, RuleOptions } from './common-options.js';
import type { RuleDeclaration } from '../declaring/declaration.js';
import type { Fixed, OptionSpec } from './options.js';

/** A hyper-parameter as a function of the 0-based step; it is called on the host once per step. */
export type Schedule = (step: number) => number;

/** Options as a rule takes them: a schedule may stand for each number but {@link Fixed} ones, also for those in a list, as `betas`. */
export type MovingOptions<O> = { [K in keyof O]: Moving<O[K]> };

type Moving<T> =
  T extends Fixed<unknown>
    ? T
    : T extends number
      ? T | Schedule
      : T extends readonly number[]
        ? { readonly [K in keyof T]: number | Schedule }
        : T;

/** A rule's options as they were given, complete; of some rule, the common ones and whatever else it has. */
export type GivenOptions<O extends object = object> = [keyof O] extends [never]
  ? Readonly<MovingOptions<ResolvedCommonOptions>> & Readonly<Record<string, unknown>>
  : Readonly<Required<MovingOptions<O>>>;

/** A schedule among the options of a rule: under which name, and for a list at which place. */
export interface Move {
  readonly option: string;
  readonly entry: number | undefined;
  readonly schedule: Schedule;
}

/** The schedules among some options, in order. */
export function movesOf(options: Readonly<Record<string, unknown>>): Move[] {
  return Object.entries(options).flatMap(([option, value]): Move[] => {
    if (typeof value === 'function') return [{ option, entry: undefined, schedule: value as Schedule }];
    if (!Array.isArray(value)) return [];
    return value.flatMap((one: unknown, entry): Move[] =>
      typeof one === 'function' ? [{ option, entry, schedule: one as Schedule }] : [],
    );
  });
}

/** What a schedule is called in errors and state dicts: `weightDecay`, `betas[0]`. */
export function nameOfMove({ option, entry }: Pick<Move, 'option' | 'entry'>): string {
  return entry === undefined ? option : `${option}[${entry}]`;
}

/**
 * Options with a number in place of each schedule: which state and which kernels a rule needs is chosen by them, so they are
 * none that switch something off.
 */
export function standingOptions(options: GivenOptions, declaration: RuleDeclaration): RuleOptions {
  return replaceMoves(options, movesOf(options), (move) => {
    if (move.option === 'lr') return 1;
    const spec = specOf(declaration, move);
    return [spec.default, ...spec.samples].find((value) => typeof value === 'number' && value !== 0)!;
  });
}

/** What a schedule may give. */
export function specOf({ options: specs }: RuleDeclaration, { option, entry }: Move): OptionSpec<unknown> {
  const spec = specs[option]!;
  return entry === undefined ? spec : spec.entry!;
}

/** Options with other values in place of some schedules. */
export function replaceMoves(
  options: GivenOptions,
  moves: readonly Move[],
  valueOf: (move: Move) => unknown,
): RuleOptions {
  const replaced: Record<string, unknown> = { ...options };
  for (const move of moves) {
    const value = valueOf(move);
    replaced[move.option] =
      move.entry === undefined
        ? value
        : Object.freeze((replaced[move.option] as readonly unknown[]).with(move.entry, value));
  }
  return Object.freeze(replaced) as RuleOptions;
}
