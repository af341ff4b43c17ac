import type { Average } from '../averages/average.js';
import type { MasterWeights } from '../codecs/masters.js';
import type { StateDtype } from '../codecs/state-dtype.js';
import { OptimizerError, isRecord, propertyNames, quote, readProperty } from '../errors.js';
import type { RuleOptions } from './options/common-options.js';
import type { RuleDeclaration } from './declaring/declaration.js';
import { type GivenOptions, type MovingOptions, movesOf, standingOptions } from './options/moving.js';
import { resolveOptions } from './options/options.js';
import { scalarComplaint } from './declaring/scalar-complaint.js';
import type { TensorDeclaration } from './declaring/tensor.js';

/**
 * A rule with its options: what `adam({ lr: 1e-3 })` returns and `Optimizer.create` takes. Plain and frozen.
 *
 * @typeParam O the options that its function takes.
 * @typeParam Slot the names of its state slots.
 */
export interface Rule<O extends object = object, Slot extends string = string> {
  /** The rule's name, e.g. `'adam'`. */
  readonly name: string;
  /** Its options, complete: defaults are filled in. A schedule may stand for a number. */
  readonly options: GivenOptions<O>;
  /** Its options with a number in place of each schedule, if there is any: what says which state it keeps. */
  readonly standing?: RuleOptions;
  /** The declaration behind it. */
  readonly declaration: RuleDeclaration<Slot>;
  /** Averages of the weights that are taken with it; an optimizer's config adds them. */
  readonly averages?: readonly Average[];
  /** How its state is kept, if not as float32; an optimizer's config says so. */
  readonly stateDtype?: StateDtype;
  /** Of a rule of matrices, the one that steps what is no matrix; its groups are groups of the same optimizer. */
  readonly others?: Rule;
  /** What the stochastic rounding of weights begins from, if they are rounded so; an optimizer's config says so. */
  readonly seed?: number;
  /** How weights of 2 bytes are kept more exactly, if they are; an optimizer's config says so. */
  readonly masterWeights?: MasterWeights;
}

/** What an optimizer's config adds to a rule. */
export type RuleSettings = Pick<Rule, 'averages' | 'stateDtype' | 'seed' | 'masterWeights'>;

/** Options in place of some of a rule's, as a group gives them; one that is `undefined` stays as it is. */
export type RuleOverrides<R extends Rule = Rule> = Overrides<R['options']>;

type Overrides<O> = { -readonly [K in keyof O]?: O[K] | undefined };

/** The names of a rule's state slots; any string, of some rule. */
export type SlotOf<R extends Rule = Rule> = R['declaration']['slots'][number]['name'];

/** Makes a rule from options; the declaration is there for tools that iterate over rules. */
export interface RuleFactory<O extends object = object, Slot extends string = string> {
  (options?: MovingOptions<O>): Rule<O, Slot>;
  readonly declaration: RuleDeclaration<Slot>;
}

/** What a rule measures of whole tensors, if its options ask for it. */
export function tensorOf(rule: Rule): TensorDeclaration | undefined {
  const { tensor } = rule.declaration;
  return tensor?.usedBy?.(structureOf(rule)) === false ? undefined : tensor;
}

/** The options that say which state a rule keeps: none of them is a schedule. */
export function structureOf({ options, standing }: Rule): RuleOptions {
  // Without schedules, all numbers are numbers.
  return standing ?? (options as RuleOptions);
}

/**
 * Checks options and makes a rule of them.
 *
 * @throws OptimizerError `invalid-option`.
 */
export function makeRule(declaration: RuleDeclaration, given: object): Rule {
  const options: GivenOptions = resolveOptions<RuleOptions>(declaration.name, declaration.options, given);
  const isMoving = movesOf(options).length > 0;
  const standing = standingOptions(options, declaration);
  const complaint =
    declaration.complaint(standing) ?? scalarComplaint(declaration.scalars(standing, standing.lr as number));
  if (complaint !== undefined)
    throw new OptimizerError('invalid-option', `${declaration.name}: ${complaint}`);
  return Object.freeze({ name: declaration.name, options, declaration, ...(isMoving && { standing }) });
}

/**
 * The same rule with some options replaced, as a parameter group does.
 *
 * @param overrides an option that is `undefined` stays as it is.
 * @throws OptimizerError `invalid-option`.
 */
export function overrideRule(rule: Rule, overrides: object): Rule {
  const options: Record<string, unknown> = { ...rule.options };
  for (const name of propertyNames(overrides)) {
    const value = readProperty(overrides, name, `${rule.name}: ${name}`, 'invalid-option');
    // An unknown name is refused, even without a value.
    if (value !== undefined || !(name in options)) options[name] = value;
  }
  const made = makeRule(rule.declaration, options);
  return withSettings(rule.others ? Object.freeze({ ...made, others: rule.others }) : made, rule);
}

/** The same rule, with averages taken of its weights, its state kept in some way, and weights rounded, or kept, in some way. */
export function withSettings(rule: Rule, settings: RuleSettings): Rule {
  const { averages = [], stateDtype = 'f32', seed, masterWeights } = settings;
  if (averages.length === 0 && stateDtype === 'f32' && seed === undefined && masterWeights === undefined) {
    return rule;
  }
  return Object.freeze({
    ...rule,
    ...(rule.others && { others: withSettings(rule.others, settings) }),
    ...(averages.length > 0 && { averages }),
    ...(stateDtype !== 'f32' && { stateDtype }),
    ...(seed !== undefined && { seed }),
    ...(masterWeights !== undefined && { masterWeights }),
  });
}

/** The same rule, for weights that need not be kept more exactly than they are. */
export function withoutMasters(rule: Rule): Rule {
  const { masterWeights, ...rest } = rule;
  return masterWeights === undefined ? rule : Object.freeze(rest);
}

/** @throws OptimizerError `invalid-config` unless `rule` was made by a function that `defineRule` returned. */
export function checkRule(rule: unknown): asserts rule is Rule {
  if (typeof rule === 'function') {
    const call = 'declaration' in rule ? `call it: ${rule.name}()` : 'give e.g. adam({ lr: 1e-3 })';
    throw new OptimizerError('invalid-config', `rule is ${quote(rule)}; ${call}.`);
  }
  if (isRecord(rule) && isRecord(rule['declaration']) && isRecord(rule['options'])) {
    if (typeof rule['declaration']['scalars'] === 'function') return;
    throw new OptimizerError(
      'invalid-config',
      `rule is a copy of ${quote(rule['name'])} that lost its functions, as JSON does; keep its name and options, ` +
        'and make it anew: rules[name](options).',
    );
  }
  throw new OptimizerError('invalid-config', `rule is ${quote(rule)}; give e.g. adam({ lr: 1e-3 }).`);
}
