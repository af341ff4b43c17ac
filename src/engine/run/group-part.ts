import { type RuleLayout, haveSameSwitches, layoutOf } from '../../kernel/rule-layout.js';
import { f32 } from '../../codecs/f32.js';
import type { ByteRange } from '../../gpu/readback.js';
import type { Planned } from '../../gpu/pipelines.js';
import { type PlanTensor, type StatePiece, isByRows } from '../../plan/pieces.js';
import { type StatePlan, placeState } from '../../plan/plan.js';
import type { Measuring } from '../../stages/measure/measuring.js';
import type { TensorRecords } from '../../stages/measure/tensor-records.js';
import { type RowSums, planRowSums } from '../../stages/sparse/row-sums.js';
import { StateSlabs } from '../../stages/update/state-slabs.js';
import type { Rule } from '../../rules/rule.js';
import type { ParameterGroup } from '../parameter-group.js';
import { planAccumulation } from '../../stages/side/accumulation.js';
import type { SidePass } from '../../stages/side/side-pass.js';
import type { ResolvedParameter } from '../input/parameter.js';
import { NO_BUFFER, type Resources } from './resources.js';

/** A parameter of a run. */
export interface RunTensor {
  /** Its number among all that the optimizer ever had. */
  readonly index: number;
  readonly part: GroupPart;
  /** Where it lies; another one after `rebind`. */
  parameter: ResolvedParameter;
  /** The row that it is stepped with. */
  row: number;
}

/** What of a group lives from step to step: its tensors, their state, and what their sparse gradients are summed to. */
export class GroupPart {
  readonly tensors: readonly RunTensor[];
  readonly #slabs: StateSlabs;
  #layout: RuleLayout;

  constructor(
    device: GPUDevice,
    readonly group: ParameterGroup,
    layout: RuleLayout,
    parameters: readonly ResolvedParameter[],
    firstIndex: number,
    row: number,
    state: StatePlan,
    readonly records: TensorRecords | undefined,
    /** By the tensor's index. */
    readonly sums: ReadonlyMap<number, RowSums>,
    /** Adds the gradients of micro-batches, if there are any. */
    readonly accumulation: SidePass | undefined,
    readonly label: string,
  ) {
    this.tensors = parameters.map((parameter, k) => ({ index: firstIndex + k, part: this, parameter, row }));
    this.#slabs = new StateSlabs(device, layout, state, label);
    this.#layout = layout;
  }

  /** What its kernels were made for; the state that it keeps stays the same. */
  get layout(): RuleLayout {
    return this.#layout;
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

  get slabs(): StateSlabs {
    return this.#slabs;
  }

  /** The tensors as stages plan them: sums stand for sparse gradients. */
  planTensors(): PlanTensor<GPUBuffer>[] {
    return this.tensors.map((tensor) => this.planTensor(tensor));
  }

  planTensor({ index, row, parameter }: RunTensor): PlanTensor<GPUBuffer> {
    const sums = this.sums.get(index);
    const placed = { index, row, ...placesOf(parameter) };
    const state = this.layout.elementSlots.length > 0 ? { state: this.#slabs.placeOf(index) } : {};
    return sums ? { ...placed, ...state, ...sumsAsGradient(parameter, sums) } : { ...placed, ...state };
  }

  /** Its tensors with a sparse gradient, and the sums of these. */
  summedRows(): { tensor: RunTensor; sums: RowSums }[] {
    return this.tensors.flatMap((tensor) => {
      const sums = this.sums.get(tensor.index);
      return sums ? [{ tensor, sums }] : [];
    });
  }

  /** The bytes of a slot of a tensor, in order. */
  stateRanges(slot: string, tensor: number): ByteRange[] {
    if (this.layout.tensorSlots.includes(slot)) return [this.records!.slotRange(slot, tensor)];
    return this.#slabs.ranges(slot, tensor);
  }

  /** Replaces the state of a tensor. */
  writeState(device: GPUDevice, slot: string, tensor: number, values: Float32Array<ArrayBuffer>): void {
    const bytes = f32.encode(values);
    let position = 0;
    for (const { buffer, byteOffset, byteLength } of this.stateRanges(slot, tensor)) {
      device.queue.writeBuffer(buffer, byteOffset, bytes, position, byteLength);
      position += byteLength;
    }
  }

  /** Encodes what binds the callers' buffers beside the steps, with nothing to do. */
  encodeProbe(pass: GPUComputePassEncoder): void {
    this.accumulation?.encodeProbe(pass);
    for (const sums of this.sums.values()) sums.encodeProbe(pass);
  }

  destroy(): void {
    this.accumulation?.destroy();
    this.#slabs.destroy();
    this.records?.destroy();
    for (const sums of this.sums.values()) sums.destroy();
  }
}

/** A parameter as stages plan it, but for its state; without its gradient where that is sparse. */
export function placesOf({
  data,
  grad,
  sparse,
  rowLength,
  mask,
  columns,
  constraint,
}: Pick<
  ResolvedParameter,
  'data' | 'grad' | 'sparse' | 'rowLength' | 'mask' | 'columns' | 'constraint'
>): Omit<PlanTensor<GPUBuffer>, 'index' | 'row'> {
  const places = {
    data,
    ...(!sparse && { grad }),
    ...(mask && { mask }),
    ...(columns && { columns }),
    ...(constraint && { constraint }),
  };
  return rowLength !== undefined && isByRows(places) ? { ...places, rowLength } : places;
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

/** A group before anything of it is made. */
export interface PlannedPart extends Planned<GroupPart> {
  /** Its tensors, with nothing in the place of sums that are not there yet. */
  readonly tensors: readonly PlanTensor<GPUBuffer>[];
  readonly layout: RuleLayout;
  readonly label: string;
}

/**
 * Plans a group.
 *
 * @param group as users see it.
 * @param firstIndex number of its first tensor; the others follow.
 * @param row that its tensors begin in.
 * @throws OptimizerError `limit-exceeded` if a table is larger than a binding.
 */
export function planPart(
  { device, facts, nameOf }: Resources,
  group: ParameterGroup,
  parameters: readonly ResolvedParameter[],
  firstIndex: number,
  row: number,
  label: string,
): PlannedPart {
  const layout = layoutOf(group.rule);
  const tables = new Map<number, Planned<RowSums>>();
  const tensors = parameters.map((parameter, k): PlanTensor<GPUBuffer> => {
    const { sparse, name } = parameter;
    const index = firstIndex + k;
    const placed = { index, row, ...placesOf(parameter) };
    if (!sparse) return placed;
    tables.set(index, planRowSums(device, sparse, name, label));
    return { ...placed, ...sumsAsGradient(parameter, { summed: NO_BUFFER, rows: NO_BUFFER }) };
  });
  const added = parameters.flatMap(({ grad, microGrad, rowLength }, k): PlanTensor<GPUBuffer>[] => {
    if (!microGrad) return [];
    const gradients = { data: grad, grad: microGrad, ...(rowLength !== undefined && { rowLength }) };
    return [{ index: firstIndex + k, row: 0, ...placesOf(gradients) }];
  });
  const side = { device, facts, nameOf, label: `${label} accumulate` };
  const accumulations = added.length > 0 ? [planAccumulation(side, added)] : [];
  const hasState = layout.elementSlots.length > 0;
  const state = hasState
    ? placeState(tensors, facts, layout.tensor === undefined)
    : { stateOfTensor: new Map<number, readonly StatePiece[]>(), slabElementCounts: [] };
  const placed = tensors.map((tensor) =>
    hasState ? { ...tensor, state: state.stateOfTensor.get(tensor.index)! } : tensor,
  );
  return {
    tensors: placed,
    layout,
    label,
    sources: [...tables.values(), ...accumulations].flatMap(({ sources }) => sources),
    make: () => {
      const sums = new Map([...tables].map(([index, plan]) => [index, plan.make()]));
      const records = measuringOf(layout)?.makeRecords(device, layout, firstIndex, parameters.length, label);
      const [accumulation] = accumulations.map((plan) => plan.make());
      return new GroupPart(
        device,
        group,
        layout,
        parameters,
        firstIndex,
        row,
        state,
        records,
        sums,
        accumulation,
        label,
      );
    },
  };
}
