import { checkStateDict } from '../../saved/check-state-dict.js';
import type { AcceptValues } from '../../saved/check-values.js';
import type { CheckedState, ParameterSize } from '../../saved/checked-state.js';
import { restoreSchedules } from '../../saved/restore-schedules.js';
import type { LoadedNames } from '../../saved/state-dict.js';
import { ruleAt } from '../../../rules/options/rule-at.js';
import { setCounts } from '../../run/counts.js';
import type { RunTensor } from '../../run/group-part.js';
import type { Run } from '../../run/run.js';
import type { Session } from '../../session.js';
import type { ByteRange } from '../../../gpu/copies/byte-range.js';
import { type Seed, encodeSeeds } from './seeding.js';

/** Writes what was checked; called where nothing can go wrong any more. */
export interface WriteValues<V> {
  /** Called first. */
  before?(): void;
  /** Called for each slot that the dict has. */
  write(tensor: RunTensor, slot: string, values: V): void;
}

/** Checks a dict against a run, changing nothing. @throws OptimizerError as {@link checkStateDict}. */
export function checkState<V>(
  dict: unknown,
  { groups, names, config }: Session,
  isStrict: boolean,
  accept: AcceptValues<V>,
): CheckedState<V> {
  const sizeOf = (name: string): ParameterSize => names.get(name)!.parameter;
  return checkStateDict(dict, { ruleName: config.rule.name, groups, sizeOf }, isStrict, accept);
}

/**
 * Checks a dict and gives a run its state; none of it takes waiting.
 *
 * @param accept what of the dict's values is taken.
 * @throws OptimizerError as `Optimizer.loadStateDict`; nothing has changed then.
 */
export function loadChecked<V>(
  run: Run,
  session: Session,
  dict: unknown,
  isStrict: boolean,
  accept: AcceptValues<V>,
  writer: WriteValues<V>,
): LoadedNames {
  const { groups } = session;
  const checked = checkState(dict, session, isStrict, accept);
  const undo = restoreSchedules(checked.groups, groups, isStrict);
  try {
    restore(run, session, checked, writer);
  } catch (error) {
    undo();
    throw error;
  }
  return checked.names;
}

/**
 * Gives a run the state that was checked to fit it; none of it takes waiting. Averages that the state does not have begin
 * from the weights as they are, which are what lies there if it has nothing more exact.
 *
 * @throws OptimizerError if a schedule returns nonsense; nothing has changed then.
 */
function restore<V>(
  run: Run,
  { device, config, log, watch }: Session,
  { step, scheduleStep, groups, values, control }: CheckedState<V>,
  writer: WriteValues<V>,
): void {
  // Before anything changes: schedules may return nonsense.
  const inForce = new Map(run.parts.map((part, g) => [part, ruleAt(groups[g]!.rule, scheduleStep)]));
  writer.before?.();
  const countOf = new Map<RunTensor, number>();
  const seeds: Seed[] = [];
  const left: ByteRange[] = [];
  run.parts.forEach((part, g) => {
    const { rule, counts } = groups[g]!;
    part.group.replaceRule(rule);
    part.tensors.forEach((tensor, k) => {
      const count = counts[k];
      if (count === undefined) return;
      countOf.set(tensor, count);
      const ofSlot = values.get(tensor.parameter.name)!;
      for (const { name } of part.layout.slots) {
        const saved = ofSlot.get(name);
        if (saved) writer.write(tensor, name, saved);
        // Weights are what lies there.
        else if (name === part.layout.masters?.slot) left.push(...part.stateRanges(name, tensor.index));
        else seeds.push({ tensor, slot: name });
      }
    });
  });
  const { lossScale } = run.settings.gradients;
  const head = control ?? { skipped: 0, consecutiveSkips: 0, growthTracker: 0, lossScale };
  run.control?.restore({ step, ...head }, new Map());
  setCounts(run, countOf, (part) => inForce.get(part)!);
  log.asked = scheduleStep;
  log.applied = step;
  run.renew();
  if (seeds.length + left.length === 0) return;
  watch(() => {
    const encoder = device.createCommandEncoder({ label: `${config.label} loadStateDict()` });
    for (const { buffer, byteOffset, byteLength } of left)
      encoder.clearBuffer(buffer, byteOffset, byteLength);
    const free = encodeSeeds(run, encoder, seeds);
    device.queue.submit([encoder.finish()]);
    free();
  });
}
