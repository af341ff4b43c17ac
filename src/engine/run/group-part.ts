import { type RuleLayout, haveSameSwitches, joinsNeighbours, layoutOf } from '../../kernel/rule-layout.js';
import type { ByteRange } from '../../gpu/copies/byte-range.js';
import type { Planned } from '../../gpu/pipelines.js';
import { type PlanTensor, type StatePiece, countElements, isByRows } from '../../plan/pieces.js';
import { OptimizerError, quote } from '../../errors.js';
import type { Mutable } from '../../mutable.js';
import { withLayout } from '../../plan/stretch.js';
import { placeState } from '../../plan/plan.js';
import { firstPieces } from '../../plan/state-places.js';
import type { Measuring } from '../../stages/measure/measuring.js';
import type { TensorRecords } from '../../stages/measure/tensor-records.js';
import { type RowSums, planRowSums } from '../../stages/sparse/row-sums.js';
import { StateSlabs } from '../../stages/update/state-slabs.js';
import type { Rule } from '../../rules/rule.js';
import type { ParameterGroup } from '../parameter-group.js';
import { planAccumulation } from '../../stages/side/accumulation.js';
import type { SidePass } from '../../stages/side/side-pass.js';
import { type ResolvedParameter, stateCapacity } from '../input/parameter/parameter.js';
import { truncate } from '../input/parameter/span.js';
import { NO_BUFFER, type Resources } from './resources.js';

/** A parameter of a run. */
export interface RunTensor {
  /** Its number among all that the optimizer has. */
  readonly index: number;
  /** Its group; another one after it has moved. */
  part: GroupPart;
  /** Where it lies; another one after `rebind`. */
  parameter: ResolvedParameter;
  /** The row that it is stepped with. */
  row: number;
}

/** What of a group lives on the GPU from step to step: the state of its tensors, and what becomes of their gradients first. */
export interface Holdings {
  readonly state: StateHoldings;
  readonly gradients: GradientHoldings;
}

export interface StateHoldings {
  readonly slabs: StateSlabs;
  /** What is known of whole tensors, if the rule measures them. */
  readonly records: TensorRecords | undefined;
  destroy(): void;
}

export interface GradientHoldings {
  /** By the tensor's index: what a sparse gradient is summed to. */
  readonly sums: ReadonlyMap<number, RowSums>;
  /** Adds the gradients of micro-batches, if there are any. */
  readonly accumulation: SidePass | undefined;
  destroy(): void;
}

/** A group of a run: its tensors, and what there is on the GPU for them. */
export class GroupPart {
  #tensors: readonly RunTensor[] = [];
  #holdings: Holdings;
  #layout: RuleLayout;

  constructor(
    readonly group: ParameterGroup,
    layout: RuleLayout,
    holdings: Holdings,
    readonly label: string,
  ) {
    this.#layout = layout;
    this.#holdings = holdings;
  }

  get tensors(): readonly RunTensor[] {
    return this.#tensors;
  }

  get holdings(): Holdings {
    return this.#holdings;
  }

  get slabs(): StateSlabs {
    return this.#holdings.state.slabs;
  }

  get records(): TensorRecords | undefined {
    return this.#holdings.state.records;
  }

  get accumulation(): SidePass | undefined {
    return this.#holdings.gradients.accumulation;
  }

  /** What its kernels were made for; the state that it keeps stays the same. */
  get layout(): RuleLayout {
    return this.#layout;
  }

  /** Goes on with other tensors, and with what was made for them. */
  become(tensors: readonly RunTensor[], holdings: Holdings): void {
    this.#tensors = tensors;
    this.#holdings = holdings;
    for (const tensor of tensors) tensor.part = this;
  }

  /**
   * Goes on with the hyper-parameters of a step.
   *
   * @param rule with a number in place of each schedule.
   * @returns whether that takes other kernels.
   */
  follow(rule: Rule): boolean {
    const next = layoutOf(rule);
    if (next === this.#layout || haveSameSwitches(next, this.#layout)) return false;
    this.#layout = next;
    return true;
  }

  /** A tensor as stages plan it, where it lies or is to lie: sums stand for a sparse gradient. */
  planTensor(tensor: RunTensor, parameter = tensor.parameter): PlanTensor<GPUBuffer> {
    const { index, row } = tensor;
    const sums = this.#holdings.gradients.sums.get(index);
    const planned = placed(index, row, parameter);
    if (this.layout.elementSlots.length > 0) planned.state = this.slabs.placeOf(index);
    return sums ? { ...planned, ...sumsAsGradient(parameter, sums) } : planned;
  }

  /** Of some of its tensors those with a sparse gradient, and the sums of these. */
  summedRows(stepped: readonly { readonly index: number }[]): { tensor: RunTensor; sums: RowSums }[] {
    const indices = new Set(stepped.map(({ index }) => index));
    return this.tensors.flatMap((tensor) => {
      if (!indices.has(tensor.index)) return [];
      const sums = this.#holdings.gradients.sums.get(tensor.index);
      return sums ? [{ tensor, sums }] : [];
    });
  }

  /** The bytes of a slot of a tensor, in order; of other holdings than its own, if those are given. */
  stateRanges(slot: string, tensor: number, { state }: Holdings = this.#holdings): ByteRange[] {
    const { records, slabs } = state;
    if (this.layout.elementSlots.includes(slot)) return slabs.ranges(slot, tensor);
    return [records!.slotRange(slot, tensor)];
  }

  /** Replaces the state of a tensor. */
  writeState(device: GPUDevice, slot: string, tensor: number, values: Float32Array<ArrayBuffer>): void {
    const bytes = this.layout.codecOf(slot).encode(values);
    let position = 0;
    for (const { buffer, byteOffset, byteLength } of this.stateRanges(slot, tensor)) {
      device.queue.writeBuffer(buffer, byteOffset, bytes, position, byteLength);
      position += byteLength;
    }
  }

  /** Encodes what binds the callers' buffers beside the steps, with nothing to do. */
  encodeProbe(pass: GPUComputePassEncoder): void {
    this.accumulation?.encodeProbe(pass);
    for (const sums of this.#holdings.gradients.sums.values()) sums.encodeProbe(pass);
  }

  destroy(): void {
    this.#holdings.state.destroy();
    this.#holdings.gradients.destroy();
  }
}

/** A parameter as stages plan it, but for its state; without its gradient where that is sparse. */
function placed(
  index: number,
  row: number,
  {
    data,
    grad,
    sparse,
    rowLength,
    mask,
    columns,
    constraint,
    shape,
  }: Pick<
    ResolvedParameter,
    'data' | 'grad' | 'sparse' | 'rowLength' | 'mask' | 'columns' | 'constraint' | 'shape'
  >,
): Mutable<PlanTensor<GPUBuffer>> {
  // Set one by one: copying objects takes most of the time that rebinding thousands does.
  const tensor: Mutable<PlanTensor<GPUBuffer>> = { index, row, data };
  if (!sparse) tensor.grad = grad;
  if (mask) tensor.mask = mask;
  if (columns) tensor.columns = columns;
  if (constraint) tensor.constraint = constraint;
  if (shape) tensor.shape = shape;
  if (rowLength !== undefined && isByRows(tensor)) tensor.rowLength = rowLength;
  return tensor;
}

/** The measuring that the rule brings along, if its options ask for it. */
export function measuringOf({ tensor }: RuleLayout): Measuring | undefined {
  return tensor?.stage as Measuring | undefined;
}

/** The gradient of a tensor whose entries are summed by row: a row per entry. */
export function sumsAsGradient(
  { sparse }: ResolvedParameter,
  { summed, rows }: Pick<RowSums, 'summed' | 'rows'>,
): Pick<PlanTensor<GPUBuffer>, 'grad' | 'rows'> {
  const { entryCount, rowLength } = sparse!;
  return {
    grad: [{ buffer: summed, byteOffset: 0, elementCount: entryCount * rowLength }],
    rows: { buffer: rows, entryCount, rowLength },
  };
}

/** A tensor that is to be a group's: its numbers, and where it lies. */
export interface Member {
  readonly index: number;
  readonly row: number;
  readonly parameter: ResolvedParameter;
}

/** A group before anything of it is made; what is made is its holdings. */
export interface PlannedPart extends Planned<Holdings> {
  readonly group: ParameterGroup;
  readonly members: readonly Member[];
  /** Its tensors, with nothing in the place of sums that are not there yet. */
  readonly tensors: readonly PlanTensor<GPUBuffer>[];
  readonly layout: RuleLayout;
  readonly label: string;
  /** Whether the state lies where it is to be already. */
  readonly keepsState: boolean;
}

/** Makes a group that was planned; run it in error scopes. */
export function makePart(planned: PlannedPart): GroupPart {
  const { group, layout, label, members } = planned;
  const holdings = planned.make();
  const part = new GroupPart(group, layout, holdings, label);
  part.become(
    members.map((member) => ({ ...member, part })),
    holdings,
  );
  return part;
}

/**
 * Plans a group.
 *
 * @param group as users see it.
 * @param layout of its rule.
 * @param before what it has so far, if it is there: its state stays if it would be placed as it is.
 * @throws OptimizerError `limit-exceeded` if a table is larger than a binding.
 */
export function planPart(
  { device, facts, nameOf }: Resources,
  group: ParameterGroup,
  layout: RuleLayout,
  members: readonly Member[],
  label: string,
  before?: Holdings,
): PlannedPart {
  const tables = new Map<number, Planned<RowSums>>();
  const tensors = members.map(({ index, row, parameter }): PlanTensor<GPUBuffer> => {
    const { sparse, name } = parameter;
    const tensor = placed(index, row, parameter);
    if (!sparse) return tensor;
    tables.set(index, planRowSums(device, sparse, name, label));
    return { ...tensor, ...sumsAsGradient(parameter, { summed: NO_BUFFER, rows: NO_BUFFER }) };
  });
  const added = members.flatMap(
    ({ index, parameter: { grad, microGrad, rowLength } }): PlanTensor<GPUBuffer>[] => {
      if (!microGrad) return [];
      const gradients = { data: grad, grad: microGrad, ...(rowLength !== undefined && { rowLength }) };
      return [placed(index, 0, gradients)];
    },
  );
  const side = { device, facts, nameOf, label: `${label} accumulate` };
  const accumulations = added.length > 0 ? [planAccumulation(side, added)] : [];
  const hasState = layout.elementSlots.length > 0;
  const roomy = members.filter(({ parameter }) => stateCapacity(parameter) > parameter.elementCount);
  const rooms = new Map(
    roomy.map(({ index, parameter }) => [index, truncate(parameter.room.data, stateCapacity(parameter))]),
  );
  const state = hasState
    ? placeState(tensors, withLayout(facts, layout), joinsNeighbours(layout), (index) => rooms.get(index))
    : { stateOfTensor: new Map<number, readonly StatePiece[]>(), slabElementCounts: [] };
  if (hasState) {
    for (const { index, parameter } of members)
      rejectBrokenBlocks(parameter, state.stateOfTensor.get(index)!, layout.stateForm.cutLength);
  }
  const withState = tensors.map((tensor) => {
    const own = state.stateOfTensor.get(tensor.index);
    return own ? { ...tensor, state: firstPieces(own, countElements(tensor.data)) } : tensor;
  });
  const kept = before?.state.slabs.hasPlaces(state) ? before.state : undefined;
  return {
    group,
    members,
    tensors: withState,
    layout,
    label,
    keepsState: kept !== undefined,
    sources: [...tables.values(), ...accumulations].flatMap(({ sources }) => sources),
    make: () => {
      const sums = new Map([...tables].map(([index, plan]) => [index, plan.make()]));
      const [accumulation] = accumulations.map((plan) => plan.make());
      return {
        state: kept ?? makeState(),
        gradients: { sums, accumulation, destroy: destroyer(accumulation, ...sums.values()) },
      };
    },
  };

  function makeState(): StateHoldings {
    const measuring = members.length > 0 ? measuringOf(layout) : undefined;
    const recorded = members.map(({ index, parameter: { shape } }) => ({ index, shape }));
    const records = measuring?.makeRecords(device, layout, recorded, label);
    const slabs = new StateSlabs(device, layout, state, label);
    for (const { index, parameter } of roomy) slabs.use(index, parameter.elementCount);
    return { slabs, records, destroy: destroyer(slabs, records) };
  }
}

/** @throws OptimizerError `invalid-parameter` where state that shares words would be cut within a block: what is read is whole ones. */
function rejectBrokenBlocks(
  { name }: ResolvedParameter,
  state: readonly StatePiece[],
  cutLength: number,
): void {
  const broken = state.slice(0, -1).find(({ elementCount }) => elementCount % cutLength !== 0);
  if (!broken) return;
  throw new OptimizerError(
    'invalid-parameter',
    `parameter ${quote(name)} is cut behind ${broken.elementCount} elements, by its buffers or by what the device binds at once, and a stateDtype, ` +
      `or masterWeights, other than "f32" keeps ${cutLength} together; cut it at multiples of ${cutLength}, or use "f32".`,
  );
}

const destroyer =
  (...all: readonly ({ destroy(): void } | undefined)[]) =>
  () => {
    for (const each of all) each?.destroy();
  };
