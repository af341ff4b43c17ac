import { type RangeCopy, encodeCopies } from '../../gpu/copies/copy-ranges.js';
import type { Codec } from '../../codecs/codec.js';
import { isElementwise } from '../../kernel/rule-layout.js';
import type { ByteRange } from '../../gpu/copies/byte-range.js';
import type { ResolvedParameter } from '../input/parameter/parameter.js';
import { type GroupPart, type Holdings, type PlannedPart, type RunTensor, planPart } from './group-part.js';
import type { Resources } from './resources.js';

/** A tensor of a group as it is to be; its state comes along from wherever it is. */
export interface Reshaped {
  readonly tensor: RunTensor;
  readonly parameter: ResolvedParameter;
  /** Encodes what puts a slot's elements where they are to be; absent where they are copied as they are. */
  readonly move?: (encoder: GPUCommandEncoder, slot: SlotMove) => void;
}

/** Where a slot of a tensor is, and where it is to be. */
export interface SlotMove {
  readonly from: readonly ByteRange[];
  readonly to: readonly ByteRange[];
  /** What it is in a tensor that is new. */
  readonly initial: number;
  readonly codec: Codec;
  /** Whether both are the same memory; else what is to be is as in a tensor that is new. */
  readonly isInPlace: boolean;
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
  const hasSameTensors =
    tensors.length === part.tensors.length && tensors.every(({ tensor }) => tensor.part === part);
  const before = hasSameTensors ? part.holdings : undefined;
  return {
    part,
    tensors,
    planned: planPart(resources, part.group, part.layout, members, part.label, before),
  };
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

/** What a group leaves as it is reshaped, and what lets it go on with that. */
export interface Reshape {
  readonly left: readonly { destroy(): void }[];
  /** For a group whose tensors have been its own all the time; frees what was made. */
  undo(): void;
}

/** Moves the state of a group's tensors into holdings that are made for them as they are to be, and lets the group go on with these. */
export function reshape(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  { part, tensors, planned }: Reshaping,
): Reshape {
  const { holdings: before, tensors: membersBefore } = part;
  const parameters = membersBefore.map(({ parameter }) => parameter);
  const holdings = planned.make();
  moveState(device, encoder, part, tensors, holdings);
  for (const { tensor, parameter } of tensors) tensor.parameter = parameter;
  part.become(
    tensors.map(({ tensor }) => tensor),
    holdings,
  );
  const ownOf = ({ gradients, state }: Holdings) => (planned.keepsState ? [gradients] : [gradients, state]);
  return {
    left: ownOf(before),
    undo: () => {
      membersBefore.forEach((tensor, k) => (tensor.parameter = parameters[k]!));
      part.become(membersBefore, before);
      if (planned.keepsState) {
        for (const { index, parameter } of membersBefore)
          before.state.slabs.use(index, parameter.elementCount);
      }
      for (const each of ownOf(holdings)) each.destroy();
    },
  };
}

/** Encodes what takes the state of tensors from where it is to other holdings; what has no slot there is left behind. */
function moveState(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  part: GroupPart,
  tensors: readonly Reshaped[],
  holdings: Holdings,
): void {
  const { slots } = part.layout;
  const isInPlace = holdings.state === part.holdings.state;
  const copies: RangeCopy[][] = slots.map(() => []);
  for (const { tensor, parameter, move } of tensors) {
    if (isInPlace && !move) continue;
    const known = new Set(tensor.part.layout.slots.map(({ name }) => name));
    const from = slots.map(({ name }) =>
      known.has(name) ? tensor.part.stateRanges(name, tensor.index) : undefined,
    );
    if (isInPlace) holdings.state.slabs.use(tensor.index, parameter.elementCount);
    for (const [k, slot] of slots.entries()) {
      const { name, initial, codec } = slot;
      const to = part.stateRanges(name, tensor.index, holdings);
      if (move && isElementwise(slot)) move(encoder, { from: from[k]!, to, initial, codec, isInPlace });
      else if (from[k] && !isInPlace) copies[k]!.push({ from: from[k], to });
    }
  }
  // To other buffers, so that none is needed in between.
  for (const each of copies) encodeCopies(device, encoder, each, part.label);
}
