import { AVERAGE_OPTION_NAMES, type AverageOptions, resolveAverages } from '../../averages/registry.js';
import { type StateDtype, checkStateDtype } from '../../codecs/state-dtype.js';
import { OptimizerError, quote } from '../../errors.js';
import { layoutOf } from '../../kernel/rule-layout.js';
import { ELEMENT_BYTE_LENGTH, LANE } from '../../plan/pieces.js';
import type { Rule, RuleSettings } from '../../rules/rule.js';
import type { ResolvedParameter } from './parameter.js';

/** What a config says of the state beside the rule's options. */
export interface StateOptions extends AverageOptions {
  /**
   * How the rule's state lies in memory, and is rounded at each step. `'f32'` (default): 4 bytes an element. `'bf16'`: 2, the first half of
   * a float32's bits, rounded to the nearest; what moves by less than 1/512 of itself in a step stays as it is: at β₂ 0.999
   * `exp_avg_sq` never falls, so use 0.99 or less. The step itself is computed in float32 from what is stored, and uses its new state
   * before it is rounded. Averages of weights, sums over all steps (Adagrad's, FTRL's), `z_offset`, and what a tensor has one of stay
   * float32.
   */
  stateDtype?: StateDtype;
}

/** Names of these options. */
export const RULE_SETTING_KEYS: readonly string[] = ['stateDtype', ...AVERAGE_OPTION_NAMES];

/**
 * The options of a config that belong to its rule; its other keys are ignored.
 *
 * @throws OptimizerError `invalid-option` for an average's, `invalid-config` for a `stateDtype` that there is none of.
 */
export function resolveRuleSettings(config: Readonly<Record<string, unknown>>): RuleSettings {
  return { averages: resolveAverages(config), stateDtype: checkStateDtype(config['stateDtype']) };
}

/** @throws OptimizerError `invalid-config` if a `stateDtype` has no effect on any group. */
export function rejectIdleStateDtype(rules: readonly Rule[]): void {
  const [{ name, stateDtype = 'f32' } = { name: '' }] = rules;
  const isRounded = rules.some((rule) => layoutOf(rule).leastStateByteLength < ELEMENT_BYTE_LENGTH);
  if (stateDtype === 'f32' || isRounded) return;
  throw new OptimizerError(
    'invalid-config',
    `stateDtype is ${quote(stateDtype)}, but ${name} keeps no state that may be rounded; leave it out.`,
  );
}

/**
 * No two invocations may store to one word of state: rows that are stepped one by one begin with a word each, and what lies in several
 * buffers is cut between lanes.
 *
 * @throws OptimizerError `invalid-parameter` for a parameter of which that is not so.
 */
export function rejectSharedWords(rule: Rule, parameter: ResolvedParameter): void {
  const { stateDtype = 'f32' } = rule;
  if (stateDtype === 'f32' || layoutOf(rule).leastStateByteLength === ELEMENT_BYTE_LENGTH) return;
  const { name, rowLength = 0, sparse, constraint, room } = parameter;
  const pieces = [room.data, sparse ? [] : room.grad].flatMap((list) => list.slice(0, -1));
  const broken = pieces.find(({ elementCount }) => elementCount % LANE !== 0);
  if (broken) {
    throw new OptimizerError(
      'invalid-parameter',
      `parameter ${quote(name)} has a buffer for ${broken.elementCount} of its elements, and stateDtype ${quote(stateDtype)} keeps ${LANE} ` +
        `together; cut it at multiples of ${LANE}, or use stateDtype "f32".`,
    );
  }
  if (rowLength % 2 === 0 || !(sparse || constraint === 'unit-rows')) return;
  const what = sparse ? 'a sparse grad' : "constraint 'unit-rows'";
  throw new OptimizerError(
    'invalid-parameter',
    `parameter ${quote(name)} has rows of ${rowLength} elements and ${what}, which stateDtype ${quote(stateDtype)} takes with even rows only; ` +
      'pad the rows, or use stateDtype "f32".',
  );
}
