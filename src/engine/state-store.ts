import { elementSlots, isPerTensor, usedSlots } from '../kernel/variant.js';
import type { Rule } from '../rules/rule.js';
import type { Span } from './span.js';
import type { Plan } from './plan/planned.js';
import type { TensorPass } from './tensor-pass.js';

/** Elements written at once when a slot starts at something other than 0. */
const FILL_ELEMENTS = 1 << 20;

/** The optimizer state of one group: for each slot that its rule uses, buffers that share one layout. */
export class StateStore {
  readonly slots: readonly string[];
  readonly #buffersOfSlot = new Map<string, GPUBuffer[]>();

  /** Creates and fills the buffers; run it in error scopes, and `destroy()` on failure. */
  constructor(
    device: GPUDevice,
    private readonly rule: Rule,
    private readonly plan: Plan<GPUBuffer>,
    label: string,
    /** Keeps the state that is one number per tensor. */
    private readonly tensorPass?: TensorPass,
  ) {
    this.slots = usedSlots(rule);
    for (const slot of elementSlots(rule)) {
      const initial = rule.declaration.slots.find(({ name }) => name === slot)?.initial?.(rule.options) ?? 0;
      const buffers = plan.stateByteLengths.map((byteLength, k) => {
        const buffer = device.createBuffer({
          label: `${label} ${slot}[${k}]`,
          size: byteLength,
          usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
        });
        // New buffers hold zeros.
        if (initial !== 0) fill(device, buffer, initial);
        return buffer;
      });
      this.#buffersOfSlot.set(slot, buffers);
    }
  }

  buffer(slot: string, bufferIndex: number): GPUBuffer {
    return this.#buffersOfSlot.get(slot)![bufferIndex]!;
  }

  /** Where the state of a parameter lies, by its index in the group. */
  spans(slot: string, parameterIndex: number): Span[] {
    if (isPerTensor(this.rule, slot)) return [this.tensorPass!.slotSpan(slot, parameterIndex)];
    return this.plan.stateRegions[parameterIndex]!.map(({ bufferIndex, byteOffset, byteLength }) => ({
      buffer: this.buffer(slot, bufferIndex),
      byteOffset,
      byteLength,
    }));
  }

  /** Replaces the state of a parameter. */
  write(device: GPUDevice, slot: string, parameterIndex: number, values: Float32Array<ArrayBuffer>): void {
    let position = 0;
    for (const { buffer, byteOffset, byteLength } of this.spans(slot, parameterIndex)) {
      device.queue.writeBuffer(buffer, byteOffset, values, position, byteLength / 4);
      position += byteLength / 4;
    }
  }

  destroy(): void {
    for (const buffers of this.#buffersOfSlot.values()) for (const buffer of buffers) buffer.destroy();
  }
}

function fill(device: GPUDevice, buffer: GPUBuffer, value: number): void {
  const block = new Float32Array(Math.min(FILL_ELEMENTS, buffer.size / 4)).fill(value);
  for (let byteOffset = 0; byteOffset < buffer.size; byteOffset += block.byteLength) {
    const elementCount = Math.min(block.length, (buffer.size - byteOffset) / 4);
    device.queue.writeBuffer(buffer, byteOffset, block, 0, elementCount);
  }
}
