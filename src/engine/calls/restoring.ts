import type { CheckedState } from '../saved/checked-state.js';
import { ruleAt } from '../../rules/moving.js';
import { setCounts } from '../run/counts.js';
import type { RunTensor } from '../run/group-part.js';
import type { Run } from '../run/run.js';
import type { Session } from '../session.js';
import { type Seed, encodeSeeds } from './seeding.js';

/**
 * Gives a run the state that was checked to fit it; none of it takes waiting. Averages that the state does not have begin
 * from the weights as they are.
 *
 * @throws OptimizerError if a schedule returns nonsense; nothing has changed then.
 */
export function restore(
  run: Run,
  { device, config, log, watch }: Session,
  { step, scheduleStep, groups, values, control }: CheckedState,
): void {
  // Before anything changes: schedules may return nonsense.
  const inForce = new Map(run.parts.map((part, g) => [part, ruleAt(groups[g]!.rule, scheduleStep)]));
  const countOf = new Map<RunTensor, number>();
  const seeds: Seed[] = [];
  run.parts.forEach((part, g) => {
    const { rule, counts } = groups[g]!;
    part.group.replaceRule(rule);
    part.tensors.forEach((tensor, k) => {
      const count = counts[k];
      if (count === undefined) return;
      countOf.set(tensor, count);
      const ofSlot = values.get(tensor.parameter.name)!;
      for (const { name } of part.layout.slots) {
        const floats = ofSlot.get(name);
        if (floats) part.writeState(device, name, tensor.index, floats);
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
  if (seeds.length === 0) return;
  watch(() => {
    const encoder = device.createCommandEncoder({ label: `${config.label} loadStateDict()` });
    const free = encodeSeeds(run, encoder, seeds);
    device.queue.submit([encoder.finish()]);
    free();
  });
}
