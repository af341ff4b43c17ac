import type { RuleLayout } from '../kernel/rule-layout.js';
import { f32 } from '../codecs/f32.js';
import type { ByteRange } from '../gpu/readback.js';
import type { PlanTensor } from '../plan/pieces.js';
import { type StatePlan, placeState } from '../plan/plan.js';
import type { StretchFacts } from '../plan/stretch.js';
import type { TensorRecords } from '../stages/measure/tensor-records.js';
import type { RowSums } from '../stages/sparse/row-sums.js';
import { StateSlabs } from '../stages/update/state-slabs.js';
import type { ParameterGroup } from './group.js';
import type { ResolvedParameter } from './input/parameter.js';

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

  constructor(
    device: GPUDevice,
    readonly group: ParameterGroup,
    readonly layout: RuleLayout,
    parameters: readonly ResolvedParameter[],
    firstIndex: number,
    row: number,
    state: StatePlan,
    readonly records: TensorRecords | undefined,
    /** By the tensor's index. */
    readonly sums: ReadonlyMap<number, RowSums>,
    label: string,
  ) {
    this.tensors = parameters.map((parameter, k) => ({ index: firstIndex + k, part: this, parameter, row }));
    this.#slabs = new StateSlabs(device, layout, state, label);
  }

  get slabs(): StateSlabs {
    return this.#slabs;
  }

  /** The tensors as stages plan them: sums stand for sparse gradients. */
  planTensors(): PlanTensor<GPUBuffer>[] {
    return this.tensors.map((tensor) => this.planTensor(tensor));
  }

  planTensor({ index, row, parameter }: RunTensor): PlanTensor<GPUBuffer> {
    const { data, grad } = parameter;
    const sums = this.sums.get(index);
    const state = this.layout.elementSlots.length > 0 ? { state: this.#slabs.placeOf(index) } : {};
    return sums ? { index, row, data, ...state, ...sumsAsGradient(parameter, sums) } : { index, row, data, grad, ...state };
  }

  /** The bytes of a slot of a tensor, in order. */
  stateRanges(slot: string, tensor: number): ByteRange[] {
    if (this.layout.tensorSlots.includes(slot)) return [this.records!.slotRange(slot, tensor)];
    return this.#slabs.ranges(slot, tensor);
  }

  /** Replaces the state of a tensor. */
  writeState(device: GPUDevice, slot: string, tensor: number, values: Float32Array<ArrayBuffer>): void {
    let position = 0;
    for (const { buffer, byteOffset, byteLength } of this.stateRanges(slot, tensor)) {
      const elementCount = byteLength / 4;
      const bytes = f32.encode(values.subarray(position, position + elementCount));
      device.queue.writeBuffer(buffer, byteOffset, bytes);
      position += elementCount;
    }
  }

  destroy(): void {
    this.#slabs.destroy();
    this.records?.destroy();
    for (const sums of this.sums.values()) sums.destroy();
  }
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

/** A place for the state of a group's tensors. */
export function planGroupState(
  tensors: readonly PlanTensor<GPUBuffer>[],
  layout: RuleLayout,
  facts: StretchFacts<GPUBuffer>,
): StatePlan {
  if (layout.elementSlots.length === 0) return { stateOfTensor: new Map(), slabElementCounts: [] };
  return placeState(tensors, facts, layout.tensor === undefined);
}
