import { ratesInRow } from '../../kernel/row.js';
import { layoutOf } from '../../kernel/rule-layout.js';
import type { StepRecord } from '../../stages/control/step-records.js';
import type { Rule } from '../../rules/rule.js';
import type { GroupPart, RunTensor } from './group-part.js';
import type { Run } from './run.js';

/** What a tensor's count of steps is to be: a number, or that of another one, whose record is copied by the caller. */
export type NewCount = number | RunTensor;

/**
 * Gives tensors other counts of steps, and with them bias corrections; the others keep theirs. Tensors that then have made
 * the same steps, as far as the host knows, share a row.
 *
 * @param ruleOf a group's rule with a number in place of each schedule.
 * @returns whether tensors are in other rows than before: the run is to be renewed then.
 */
export function setCounts(
  run: Run,
  given: ReadonlyMap<RunTensor, NewCount>,
  ruleOf: (part: GroupPart) => Rule,
): boolean {
  const { rows, control } = run;
  const counts = new Map<RunTensor, number>();
  const records = new Map<number, StepRecord>();
  for (const [tensor, count] of given) {
    if (typeof count === 'number') {
      const rates = ratesInRow(layoutOf(ruleOf(tensor.part)), run.resources.row);
      records.set(tensor.index, { count, rates });
    }
    counts.set(tensor, typeof count === 'number' ? count : rows.list[count.row]!.count);
  }
  /** Where the GPU may skip steps, counts are the GPU's: tensors of a row have the same one, whatever it is. */
  const historyOf = (tensor: RunTensor, count: number): unknown => {
    if (!control) return count;
    const source = given.get(tensor) ?? tensor;
    if (typeof source === 'number') return `count ${source}`;
    return source.part === tensor.part ? source.row : `copy ${source.index}`;
  };
  let hasMoved = false;
  for (const part of new Set([...given.keys()].map((tensor) => tensor.part))) {
    const before = part.tensors.map(({ row }) => row);
    rows.regroup(part, counts, historyOf);
    hasMoved ||= part.tensors.some(({ row }, k) => row !== before[k]);
  }
  control?.setRecords(records);
  return hasMoved;
}
