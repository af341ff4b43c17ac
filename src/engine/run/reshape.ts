import { type RangeCopy, encodeCopies } from '../../gpu/copy-ranges.js';
import type { ByteRange } from '../../gpu/readback.js';
import type { ResolvedParameter } from '../input/parameter.js';
import { type GroupPart, type Holdings, type PlannedPart, type RunTensor, planPart } from './group-part.js';
import type { Resources } from './resources.js';

/** A tensor of a group as it is to be; its state comes along from wherever it is. */
export interface Reshaped {
  readonly tensor: RunTensor;
  readonly parameter: ResolvedParameter;
  /** Encodes what puts a slot's elements where they are to be; absent where they are copied as they are. */
  readonly move?: (encoder: GPUCommandEncoder, from: readonly ByteRange[], to: readonly ByteRange[]) => void;
}

/** A change of what a group consists of. */
export interface Reshaping {
  readonly part: GroupPart;
  readonly tensors: readonly Reshaped[];
  readonly planned: PlannedPart;
}

/** Plans other tensors for a group, or other sizes; nothing has changed then. @throws OptimizerError `limit-exceeded`. */
export function planReshaping(
  resources: Resources,
  part: GroupPart,
  tensors: readonly Reshaped[],
): Reshaping {
  const members = tensors.map(({ tensor: { index, row }, parameter }) => ({ index, row, parameter }));
  return { part, tensors, planned: planPart(resources, part.group, part.layout, members, part.label) };
}

/** As {@link planReshaping}, of tensors of the sizes that they have. */
export function planMembers(resources: Resources, part: GroupPart, tensors: readonly RunTensor[]): Reshaping {
  return planReshaping(
    resources,
    part,
    tensors.map((tensor) => ({ tensor, parameter: tensor.parameter })),
  );
}

/** Plans that tensors leave their groups; nothing has changed then. */
export function planLeaving(resources: Resources, leaving: ReadonlySet<RunTensor>): Reshaping[] {
  return [...new Set(Array.from(leaving, ({ part }) => part))].map((part) =>
    planMembers(
      resources,
      part,
      part.tensors.filter((tensor) => !leaving.has(tensor)),
    ),
  );
}

/**
 * Moves the state of a group's tensors into holdings that are made for them as they are to be, and lets the group go on with these.
 *
 * @returns the holdings that it leaves.
 */
export function reshape(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  { part, tensors, planned }: Reshaping,
): Holdings {
  const left = part.holdings;
  const holdings = planned.make();
  moveState(device, encoder, part, tensors, holdings);
  for (const { tensor, parameter } of tensors) tensor.parameter = parameter;
  part.become(
    tensors.map(({ tensor }) => tensor),
    holdings,
  );
  return left;
}

/** Encodes what takes the state of tensors from where it is to other holdings; what has no slot there is left behind. */
function moveState(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  part: GroupPart,
  tensors: readonly Reshaped[],
  holdings: Holdings,
): void {
  for (const slot of part.layout.slots) {
    const copies: RangeCopy[] = [];
    for (const { tensor, move } of tensors) {
      if (!tensor.part.layout.slots.some(({ name }) => name === slot.name)) continue;
      const from = tensor.part.stateRanges(slot.name, tensor.index);
      const to = part.stateRanges(slot.name, tensor.index, holdings);
      if (move && !slot.perTensor) move(encoder, from, to);
      else copies.push({ from, to });
    }
    // To other buffers, so that none is needed in between.
    encodeCopies(device, encoder, copies, part.label);
  }
}
