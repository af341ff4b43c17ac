import { movesOf, nameOfMove, replaceMoves, specOf } from './moving.js';
import { evaluateSchedule } from './options.js';
import type { Rule } from '../rule.js';

/** What a rule's schedules gave last: the rule of that moment, which stays the same object while they give the same. */
const lastOf = new WeakMap<Rule, { readonly values: readonly number[]; readonly rule: Rule }>();

/**
 * A rule as it is in force at a step: a number in place of each schedule but the learning rate's.
 *
 * @param step 0-based step.
 * @throws OptimizerError `invalid-option` if a schedule returns a number out of range, or none.
 */
export function ruleAt(rule: Rule, step: number): Rule {
  if (!rule.standing) return rule;
  const moves = movesOf(rule.options).filter(({ option }) => option !== 'lr');
  if (moves.length === 0) return rule;
  const values = moves.map((move) =>
    evaluateSchedule(nameOfMove(move), move.schedule, specOf(rule.declaration, move), step),
  );
  const last = lastOf.get(rule);
  if (last && last.values.every((value, k) => Object.is(value, values[k]))) return last.rule;
  const given = new Map(moves.map((move, k) => [nameOfMove(move), values[k]!]));
  const options = replaceMoves(rule.options, moves, (move) => given.get(nameOfMove(move))!);
  const current = Object.freeze({ ...rule, options });
  lastOf.set(rule, { values, rule: current });
  return current;
}
