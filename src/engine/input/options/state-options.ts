import { AVERAGE_OPTION_NAMES, type AverageOptions, resolveAverages } from '../../../averages/registry.js';
import { type StateDtype, checkStateDtype } from '../../../codecs/state-dtype.js';
import { OptimizerError, quote } from '../../../errors.js';
import { type RuleLayout, layoutOf } from '../../../kernel/rule-layout.js';
import type { Rule, RuleSettings } from '../../../rules/rule.js';
import type { ResolvedParameter } from '../parameter/parameter.js';
import { MASTER_KEYS, resolveMasters } from './master-options.js';
import { ROUNDING_KEYS, resolveRounding } from './rounding-options.js';

/** What a config says of the state beside the rule's options. */
export interface StateOptions extends AverageOptions {
  /**
   * How the rule's state lies in memory, and is rounded at each step. `'f32'` (default): 4 bytes an element. `'bf16'`: 2, the first half of
   * a float32's bits, rounded to the nearest; what moves by less than 1/512 of itself in a step stays as it is: at β₂ 0.999
   * `exp_avg_sq` never falls, so use 0.99 or less. `'int8'` and `'int4'`: 68 and 36 bytes for 64 elements, which have one scale, the
   * largest of them, and codes of 8 or 4 bits: an element is off by up to 1/127 or 1/7 of the largest, of 4 bits 1/15 where state is never
   * below 0, and by a part of that where it is small itself. A tensor begins with elements of its own; rows with a `rowMask`, of a sparse gradient or
   * `'unit-rows'` are multiples of 64. With `'bf16'`, those of the latter two are multiples of 2. The step itself is computed in float32 from what is stored, and uses its new state
   * before it is rounded. Averages of weights, sums over all steps (Adagrad's, FTRL's), `z_offset`, and what a tensor has one of stay
   * float32.
   */
  stateDtype?: StateDtype;
}

/** Names of these options. */
export const RULE_SETTING_KEYS: readonly string[] = [
  'stateDtype',
  ...MASTER_KEYS,
  ...ROUNDING_KEYS,
  ...AVERAGE_OPTION_NAMES,
];

/**
 * The options of a config that belong to its rule; its other keys are ignored.
 *
 * @throws OptimizerError `invalid-option` for an average's, `invalid-config` for a `stateDtype` that there is none of, and for how
 *   weights are rounded or kept.
 */
export function resolveRuleSettings(config: Readonly<Record<string, unknown>>): RuleSettings {
  return {
    averages: resolveAverages(config),
    stateDtype: checkStateDtype(config['stateDtype']),
    ...resolveRounding(config),
    ...resolveMasters(config),
  };
}

/** @throws OptimizerError `invalid-config` if a `stateDtype` has no effect on any group. */
export function rejectIdleStateDtype(rules: readonly Rule[]): void {
  const [{ name, stateDtype = 'f32' } = { name: '' }] = rules;
  const isRounded = rules.some((rule) => layoutOf(rule).slots.some(({ codec }) => codec.roundingError > 0));
  if (stateDtype === 'f32' || isRounded) return;
  throw new OptimizerError(
    'invalid-config',
    `stateDtype is ${quote(stateDtype)}, but ${name} keeps no state that may be rounded; leave it out.`,
  );
}

/** What a rule keeps together, for errors. */
function whatKeeps({ masterWeights, stateDtype }: Rule, { masters, stateForm }: RuleLayout) {
  const isOfMasters = masters?.codec.blockLength === stateForm.blockLength;
  const [key, value] = isOfMasters ? ['masterWeights', masterWeights] : ['stateDtype', stateDtype];
  return { keeps: `${key} ${quote(value)}`, use: `use ${key} "f32"` };
}

/**
 * What lies together in whole words is stored by one invocation: rows that are stepped one by one begin with a word each, and what lies
 * in several buffers is cut between lanes, and blocks.
 *
 * @throws OptimizerError `invalid-parameter` for a parameter of which that is not so.
 */
export function rejectSharedWords(rule: Rule, parameter: ResolvedParameter): void {
  const layout = layoutOf(rule);
  const { cutLength, blockLength } = layout.stateForm;
  if (blockLength === 1) return;
  const { name, sparse, room } = parameter;
  const pieces = [room.data, sparse ? [] : room.grad].flatMap((list) => list.slice(0, -1));
  const broken = pieces.find(({ elementCount }) => elementCount % cutLength !== 0);
  if (broken) {
    const { keeps, use } = whatKeeps(rule, layout);
    throw new OptimizerError(
      'invalid-parameter',
      `parameter ${quote(name)} has a buffer for ${broken.elementCount} of its elements, and ${keeps} keeps ${cutLength} ` +
        `together; cut it at multiples of ${cutLength}, or ${use}.`,
    );
  }
  rejectSharedRows(rule, parameter);
}

/** What is said of a parameter's rows. */
interface StatedRows {
  readonly name: string;
  readonly rowLength?: number | undefined;
  readonly sparse?: unknown;
  readonly constraint?: unknown;
  readonly mask?: unknown;
}

/**
 * Where elements of a block are rounded together, rows that are left alone share none with others, so that they keep their bits.
 *
 * @throws OptimizerError `invalid-parameter` as {@link rejectSharedWords}.
 */
export function rejectSharedRows(
  rule: Rule,
  { name, rowLength = 0, sparse, constraint, mask }: StatedRows,
): void {
  const layout = layoutOf(rule);
  const { blockLength, isScaled } = layout.stateForm;
  if (blockLength === 1 || rowLength % blockLength === 0) return;
  const what = [
    Boolean(sparse) && 'a sparse grad',
    constraint === 'unit-rows' && "constraint 'unit-rows'",
    isScaled && mask !== undefined && 'a rowMask',
  ].find(Boolean);
  if (what === undefined) return;
  const { keeps, use } = whatKeeps(rule, layout);
  throw new OptimizerError(
    'invalid-parameter',
    `parameter ${quote(name)} has rows of ${rowLength} elements and ${what}, which ${keeps} takes with rows of a multiple of ` +
      `${blockLength} only; pad the rows, or ${use}.`,
  );
}
