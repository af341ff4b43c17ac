import type { ReduceOnPlateauSchedule, StateDict } from '../../../src/index.js';
import type { GroupTwin } from './twin.js';
import type { TensorTwin } from './twin-tensor.js';

/** Whether a learning rate is a schedule that keeps something. */
export function isPlateau(lr: unknown): lr is ReduceOnPlateauSchedule {
  return typeof lr === 'function' && 'report' in lr;
}

/**
 * What a state dict has of a group.
 *
 * @param options in force.
 * @param counts steps applied to its tensors.
 * @param step steps applied in all.
 */
export function describeGroup(
  { rule, tensors }: GroupTwin,
  options: Readonly<Record<string, unknown>>,
  counts: readonly number[],
  step: number,
): StateDict['groups'][number] {
  const { lr } = rule.options;
  const isUniform = counts.every((count) => count === counts[0]);
  return {
    ...structuredClone(options),
    params: tensors.map(({ name }) => name),
    ...(isPlateau(lr) && { schedule: lr.state() }),
    ...(!isUniform && { steps: [...counts] }),
    ...(isUniform && counts[0]! < step && { joinedAt: step - counts[0]! }),
  };
}

/** What a state dict has of tensors. */
export function describeState(tensors: readonly TensorTwin[]): StateDict['state'] {
  return Object.fromEntries(
    tensors.map((tensor) => [
      tensor.name,
      Object.fromEntries(tensor.slots.map((slot) => [slot, tensor.slot(slot)])),
    ]),
  );
}
