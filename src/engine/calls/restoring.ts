import type { Run } from '../run/run.js';
import type { CheckedState } from '../saved/checked-state.js';
import { layoutOf } from '../../kernel/rule-layout.js';
import type { StepRecord } from '../../stages/control/step-records.js';
import { ruleAt } from '../../rules/moving.js';
import type { RunTensor } from '../run/group-part.js';
import type { StepLog } from '../run/step-log.js';

/** Gives a run the state that was checked to fit it. None of it takes waiting. @throws OptimizerError if a schedule returns nonsense. */
export function restore(
  run: Run,
  log: StepLog,
  { step, scheduleStep, groups, values, control }: CheckedState,
): void {
  const { device } = run.resources;
  // Before anything changes: schedules may return nonsense.
  const inForce = groups.map(({ rule }) => ruleAt(rule, scheduleStep));
  const records = new Map<number, StepRecord>();
  run.parts.forEach((part, g) => {
    const { rule, counts } = groups[g]!;
    part.group.replaceRule(rule);
    const rates = layoutOf(inForce[g]!).corrections.map(({ rate }) => rate);
    const countOf = new Map<RunTensor, number>(part.tensors.map((tensor, k) => [tensor, counts[k]!]));
    run.rows.regroup(part, countOf);
    for (const [tensor, count] of countOf) {
      records.set(tensor.index, { count, rates });
      for (const [slot, floats] of values.get(tensor.parameter.name)!) {
        part.writeState(device, slot, tensor.index, floats);
      }
    }
  });
  const { lossScale } = run.settings.gradients;
  const head = control ?? { skipped: 0, consecutiveSkips: 0, growthTracker: 0, lossScale };
  run.control?.restore({ step, ...head }, records);
  log.asked = scheduleStep;
  log.applied = step;
  run.renew();
}
