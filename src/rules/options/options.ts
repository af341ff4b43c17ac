import { OptimizerError, isRecord, quote, readProperty, rejectUnknownKeys } from '../../errors.js';
import { fitsFloat32, float32Complaint } from '../../float32.js';

/**
 * The learning rate: a number ≥ 0, or a schedule from the 0-based step to such a number. A schedule is called
 * on the host once per step.
 */
export type LearningRate = number | ((step: number) => number);

/** Where ε enters the denominator; libraries disagree, so it is explicit. See each rule for its formula. */
export type EpsPlacement = 'outside' | 'inside' | 'hat';

/**
 * How weight decay d enters a step with gradient g, weight w and learning rate η:
 * `l2` adds dw to g (coupled, as PyTorch's `Adam`), `decoupled` subtracts ηdw from w before the update
 * (as AdamW, Loshchilov & Hutter 2019), `raw` subtracts dw from w, whatever η is.
 */
export type WeightDecayMode = 'l2' | 'decoupled' | 'raw';

/** With `update`, dw is part of what the rule scales for a whole tensor: lars, lamb and novograd, by their equations. */
export type UpdateDecayMode = WeightDecayMode | 'update';

declare const fixed: unique symbol;

/** A number, or numbers, that no schedule may stand for. Every value of the plain type is one of this. */
export type Fixed<T = number> = T & { readonly [fixed]?: true };

/** One option of a rule: its default, its range in words, and how a given value is checked. */
export interface OptionSpec<T> {
  readonly default: T;
  /** The allowed values in words, for error messages and menus. */
  readonly range: string;
  /** Returns whether a value is allowed. */
  readonly accepts: (value: unknown) => boolean;
  /** Allowed values other than the default that tests and menus try: all of them if they are few. */
  readonly samples: readonly T[];
  /** Whether a schedule may stand for it: a number that steps read. */
  readonly moves?: boolean;
  /** Whether it only says which state there is, or how it begins: once there is state, it has no effect. */
  readonly isInitial?: boolean;
  /** Of a list of numbers, what holds for each; a schedule may stand for each. */
  readonly entry?: OptionSpec<number>;
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

/** A finite number with `min` ≤ value, and value < `below` where that is given. */
export function number(defaultValue: number, min: number, below = Infinity): OptionSpec<number> {
  return {
    default: defaultValue,
    range: below === Infinity ? `a finite number ≥ ${min}` : `a number in [${min}, ${below})`,
    accepts: (value) => isNumber(value) && value >= min && value < below,
    moves: true,
    samples: [below === Infinity ? (defaultValue === 0 ? 0.1 : 10 * defaultValue) : below / 2],
  };
}

/** A number in [min, max]. */
export function numberBetween(
  defaultValue: number,
  min: number,
  max: number,
  samples: readonly number[],
): OptionSpec<number> {
  return {
    default: defaultValue,
    range: `a number in [${min}, ${max}]`,
    accepts: (value) => isNumber(value) && value >= min && value <= max,
    moves: true,
    samples,
  };
}

/** A finite number ≥ `min` that no schedule may stand for. */
export function fixedNumber(defaultValue: number, min: number): OptionSpec<Fixed> {
  return { ...number(defaultValue, min), moves: false };
}

/** A number that only says how state begins. */
export function numberAtStart(defaultValue: number, min: number): OptionSpec<Fixed> {
  return { ...fixedNumber(defaultValue, min), isInitial: true };
}

/** An integer from `min` to `max`. NaN as default means that it must be given. */
export function integer(
  defaultValue: number,
  min: number,
  max = Infinity,
  samples: readonly number[] = [],
): OptionSpec<Fixed> {
  return {
    default: defaultValue,
    range: max === Infinity ? `an integer ≥ ${min}` : `an integer from ${min} to ${max}`,
    accepts: (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
    samples,
  };
}

/** `true` or `false`, and nothing that merely looks like it. */
export function boolean(defaultValue: boolean): OptionSpec<boolean> {
  return {
    default: defaultValue,
    range: 'true or false',
    accepts: (value) => typeof value === 'boolean',
    samples: [!defaultValue],
  };
}

/** One of a few names. */
export function choice<T extends string>(defaultValue: NoInfer<T>, values: readonly T[]): OptionSpec<T> {
  return {
    default: defaultValue,
    range: `one of ${values.map(quote).join(', ')}`,
    accepts: (value) => values.includes(value as T),
    samples: values.filter((value) => value !== defaultValue),
  };
}

/** Options of rules with a trust ratio. */
export interface TrustOptions {
  /**
   * Whether the trust ratio is for all parameters; if false, it is 1 where `weightDecay` is 0, as in Apex and timm, whose
   * groups of biases have no decay. Default true.
   */
  alwaysAdapt?: boolean;
}

/** The specs of {@link TrustOptions}. */
export const trustOptions: { readonly alwaysAdapt: OptionSpec<boolean> } = { alwaysAdapt: boolean(true) };

function decayRates<T extends readonly number[]>(
  defaultValue: T,
  range: string,
  samples: readonly T[],
): OptionSpec<T> {
  const { length } = defaultValue;
  const entry = number(0.5, 0, 1);
  return {
    default: Object.freeze(defaultValue),
    range,
    // Not `every` of the value itself, which passes over holes.
    accepts: (value) =>
      Array.isArray(value) && value.length === length && Array.from<unknown>(value).every(entry.accepts),
    entry,
    samples: samples.map((sample) => Object.freeze(sample)),
  };
}

/** The decay rates of the first and second moment, each in [0, 1). */
export function betas(defaultValue: readonly [number, number]): OptionSpec<readonly [number, number]> {
  return decayRates(defaultValue, 'a pair of numbers in [0, 1)', [
    [0.5, 0.9],
    [0, 0.99],
  ]);
}

/** The decay rates of three averages, each in [0, 1). */
export function threeBetas(
  defaultValue: readonly [number, number, number],
): OptionSpec<readonly [number, number, number]> {
  return decayRates(defaultValue, 'three numbers in [0, 1)', [
    [0.5, 0.7, 0.9],
    [0, 0.9, 0.99],
  ]);
}

/** A learning rate: a finite number ≥ 0, or a schedule, whose results are checked at each step. */
export function learningRate(defaultValue: number): OptionSpec<LearningRate> {
  return {
    default: defaultValue,
    range: 'a finite number ≥ 0, or a schedule (step: number) => number',
    accepts: (value) => typeof value === 'function' || number(0, 0).accepts(value),
    samples: [10 * defaultValue, (step) => defaultValue / Math.sqrt(step + 1)],
  };
}

/** The specs of all options of a rule. */
export type OptionSpecs<O> = { readonly [K in keyof O]: OptionSpec<O[K]> };

/**
 * As {@link checkOptions}, for options whose numbers become float32.
 *
 * @throws OptimizerError `invalid-option` as there, and on a number that float32 cannot hold.
 */
export function resolveOptions<O extends object>(
  rule: string,
  specs: OptionSpecs<O>,
  given: object,
): Readonly<O> {
  const options = checkOptions(rule, specs, given);
  for (const [key, value] of Object.entries(options)) {
    const complaint = float32Complaint(value);
    if (complaint === undefined) continue;
    throw new OptimizerError('invalid-option', `${rule}: ${key} is ${quote(value)}; ${complaint}.`);
  }
  return options;
}

/**
 * Fills in defaults, checks every given value and copies it: nobody shares what is returned. `undefined` means not given;
 * inherited properties count as the object's own. A spec whose default is NaN has none: that option must be given.
 *
 * @throws OptimizerError `invalid-option` on an unknown name or a value out of range, quoting it.
 */
export function checkOptions<O extends object>(
  rule: string,
  specs: OptionSpecs<O>,
  given: object,
): Readonly<O> {
  if (!isRecord(given)) {
    throw new OptimizerError(
      'invalid-option',
      `${rule}: options are ${quote(given)}; give an object or nothing.`,
    );
  }
  const known = Object.keys(specs) as (keyof O & string)[];
  rejectUnknownKeys(given, known, rule, 'invalid-option');
  const resolved: Partial<O> = {};
  for (const key of known) {
    const what = `${rule}: ${key}`;
    resolved[key] = resolveOption(what, specs[key], readProperty(given, key, what, 'invalid-option'));
  }
  return Object.freeze(resolved as O);
}

function resolveOption<T>(what: string, spec: OptionSpec<T>, given: unknown): T {
  if (given === undefined && Number.isNaN(spec.default)) {
    throw new OptimizerError('invalid-option', `${what} is not given; give ${spec.range}.`);
  }
  const value = frozenCopy(given === undefined ? spec.default : given, what);
  if (!allows(spec, value)) {
    const orSchedule = spec.moves || spec.entry ? ', or a schedule (step: number) => number' : '';
    const range = spec.range.includes('schedule') ? spec.range : `${spec.range}${orSchedule}`;
    throw new OptimizerError('invalid-option', `${what} is ${quote(given)}; give ${range}.`);
  }
  return value as T;
}

/** Whether a value is allowed, schedules included: what they give is checked at each step. */
function allows(spec: OptionSpec<unknown>, value: unknown): boolean {
  if (typeof value === 'function' && spec.moves === true) return true;
  if (!spec.entry || !Array.isArray(value)) return spec.accepts(value);
  const { entry } = spec;
  return spec.accepts(
    Array.from(value as unknown[], (one) => (typeof one === 'function' ? entry.default : one)),
  );
}

/** A list of its own, so that who gave it may go on changing his; other options are plain values. */
function frozenCopy(value: unknown, what: string): unknown {
  try {
    return Array.isArray(value)
      ? Object.freeze(Array.from<unknown, unknown>(value, (one) => frozenCopy(one, what)))
      : value;
  } catch (cause) {
    throw new OptimizerError('invalid-option', `${what} cannot be read; give a plain value.`, { cause });
  }
}

/**
 * The learning rate in force at a step.
 *
 * @param step 0-based step.
 * @throws OptimizerError `invalid-option` if a schedule returns anything but a number ≥ 0 that float32 holds.
 */
export function evaluateLearningRate(lr: LearningRate, step: number): number {
  return typeof lr === 'number' ? lr : evaluateSchedule('lr', lr, RATE, step);
}

const RATE: Pick<OptionSpec<number>, 'range' | 'accepts'> = /* @__PURE__ */ number(0, 0);

/**
 * The number that a schedule gives at a step.
 *
 * @param name of what it sets, for errors.
 * @param spec what it may give.
 * @param step 0-based step.
 * @throws OptimizerError `invalid-option` if it gives anything else, or what float32 cannot hold.
 */
export function evaluateSchedule(
  name: string,
  schedule: (step: number) => number,
  { range, accepts }: Pick<OptionSpec<never>, 'range' | 'accepts'>,
  step: number,
): number {
  const value: unknown = schedule(step);
  if (typeof value === 'number' && accepts(value) && fitsFloat32(value)) return value;
  const remedy = float32Complaint(value) ?? `make it return ${range}`;
  throw new OptimizerError(
    'invalid-option',
    `the ${name} schedule returned ${quote(value)} at step ${step}; ${remedy}. The step was not made.`,
  );
}
