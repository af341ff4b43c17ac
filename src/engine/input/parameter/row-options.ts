import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../../../errors.js';
import { float32Complaint } from '../../../float32.js';
import { copyGiven, tagOf } from '../../../given.js';
import { findOtherScalars } from '../../../kernel/rate-scalars.js';
import type { WeightConstraint } from '../../../plan/pieces.js';
import type { Rule } from '../../../rules/rule.js';

/** What of a parameter is about its weights and rows, whatever holds them. */
export interface RowOptions {
  /**
   * What is done to the weights behind each step, as Keras' constraints: limits, float32 numbers, of which NaN is neither
   * below nor above; or `'unit-rows'`, which divides each row, of up to 64 elements, by its Euclidean norm: a row of zeros, and
   * one that is not finite, stays as it is. Only what a step touches is constrained. It comes last: `ema`, `swa` and
   * `lookahead` see the weights before it, as Keras' average does, and `eval()` puts those in place that are averaged so.
   * Weights of 2 bytes are rounded behind it: by what that takes they may be beyond a limit that they cannot hold.
   */
  constraint?: { min?: number; max?: number } | 'unit-rows';
  /**
   * Per column, a factor ≥ 0 on the learning rate, decoupled weight decay included: `rowLength` numbers. What a rule
   * measures of whole tensors, it measures with the learning rate itself.
   */
  lrPerColumn?: ArrayLike<number>;
}

/** The checked ones, as plans take them. */
export interface ResolvedRowOptions {
  readonly constraint?: WeightConstraint;
  readonly columns?: readonly number[];
}

/** A row that is divided by its norm is one invocation's work. */
const LONGEST_UNIT_ROW = 64;
/** They lie in a uniform buffer, of which every device binds 64 KiB. */
const MOST_COLUMNS = 8192;
const LIMIT_KEYS = ['min', 'max'] as const;

/**
 * Checks them.
 *
 * @param rowLength checked, if it was given.
 * @throws OptimizerError `invalid-parameter`.
 */
export function resolveRowOptions(
  { constraint, lrPerColumn }: { readonly constraint?: unknown; readonly lrPerColumn?: unknown },
  rowLength: number | undefined,
  what: string,
): ResolvedRowOptions {
  return {
    ...(constraint !== undefined && { constraint: resolveConstraint(constraint, rowLength, what) }),
    ...(lrPerColumn !== undefined && { columns: resolveColumns(lrPerColumn, rowLength, what) }),
  };
}

function resolveConstraint(given: unknown, rowLength: number | undefined, what: string): WeightConstraint {
  if (given === 'unit-rows') {
    if (rowLength === undefined || rowLength > LONGEST_UNIT_ROW) {
      fail(
        `${what}: constraint is "unit-rows" and rowLength ${quote(rowLength)}; give a rowLength from 1 to ${LONGEST_UNIT_ROW}.`,
      );
    }
    return given;
  }
  if (!isRecord(given)) fail(`${what}: constraint is ${quote(given)}; give { min, max } or 'unit-rows'.`);
  const { min, max, ...others } = copyGiven(given, LIMIT_KEYS);
  rejectUnknownKeys(others, LIMIT_KEYS, `${what}: constraint`, 'invalid-parameter');
  if (min === undefined && max === undefined) {
    fail(`${what}: constraint is ${quote(given)}, which limits nothing; give min, max or both.`);
  }
  for (const [key, value] of Object.entries({ min, max })) {
    if (value === undefined) continue;
    const complaint = Number.isFinite(value)
      ? float32Complaint(value)
      : 'give a finite number, or leave it out';
    if (complaint !== undefined) fail(`${what}: constraint.${key} is ${quote(value)}; ${complaint}.`);
  }
  if (min !== undefined && max !== undefined && (min as number) > (max as number)) {
    fail(`${what}: constraint.min ${quote(min)} is above max ${quote(max)}; give min ≤ max.`);
  }
  return {
    ...(min !== undefined && { min: min as number }),
    ...(max !== undefined && { max: max as number }),
  };
}

function resolveColumns(given: unknown, rowLength: number | undefined, what: string): readonly number[] {
  if (rowLength === undefined) {
    fail(`${what}: lrPerColumn is given without rowLength; give the elements per row.`);
  }
  if (rowLength > MOST_COLUMNS) {
    fail(`${what}: lrPerColumn is given and rowLength is ${rowLength}; it goes up to ${MOST_COLUMNS}.`);
  }
  const isList = Array.isArray(given) || /(Int|Uint|Float)\w+Array\]$/.test(tagOf(given));
  const columns = isList ? Array.from(given as ArrayLike<unknown>) : [];
  if (!isList || columns.length !== rowLength) {
    fail(`${what}: lrPerColumn is ${quote(given)}; give ${rowLength} numbers, one per column.`);
  }
  columns.forEach((factor, k) => {
    const isFactor = typeof factor === 'number' && Number.isFinite(factor) && factor >= 0;
    const complaint = isFactor ? float32Complaint(factor) : 'give a finite number ≥ 0';
    if (complaint !== undefined) fail(`${what}: lrPerColumn[${k}] is ${quote(factor)}; ${complaint}.`);
  });
  return columns as number[];
}

/**
 * @throws OptimizerError `invalid-config` if a rule cannot step columns with learning rates of their own, or not with those
 *   that are wanted.
 */
export function rejectColumns(rule: Rule, columns: readonly number[], name: string): void {
  const { name: ruleName, declaration } = rule;
  const what = `parameter ${quote(name)}: lrPerColumn`;
  const [other] = findOtherScalars(rule);
  if (other !== undefined) {
    throw new OptimizerError(
      'invalid-config',
      `${what} is given, but ${quote(other)} of ${ruleName} is not proportional to the learning rate; leave it out, or make a ` +
        'parameter of each set of columns, in groups of their own.',
    );
  }
  if (columns.includes(0) && !declaration.options.lr.accepts(0)) {
    throw new OptimizerError(
      'invalid-config',
      `${what} has a 0, and the learning rate of ${ruleName} is ${declaration.options.lr.range}; give factors > 0.`,
    );
  }
}

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
