import { alignUp } from '../kernel/alignment.js';
import { type BindingDeclaration, declareBindings } from '../kernel/compose-access.js';
import { SEGMENT_BYTE_LENGTH, segmentWords } from '../kernel/segment.js';
import type { Kernel } from '../kernel/step-kernel.js';
import { BindGroupCache } from './bind-group-cache.js';
import { PartialSegments } from './partial-segments.js';
import type { Batch } from './plan/batches.js';
import type { PreparedGroup } from './prepare-group.js';
import type { StateStore } from './state-store.js';
import type { TensorPass } from './tensor-pass.js';

/** Combinations of buffers that are kept on average for `rebind`; frameworks hand out the same few again and again. */
const BIND_GROUPS_PER_DISPATCH = 64;

/** What a group's step kernels bind: the segments, which it owns, the caller's buffers, and the state. */
export class GroupBindings {
  readonly #segments: GPUBuffer;
  readonly #segmentStride: number;
  readonly #partialSegments: PartialSegments;
  readonly #bindGroups: BindGroupCache;

  /** Creates the segments' buffer, of zeros; run it in error scopes, and `destroy()` on failure. */
  constructor(
    private readonly device: GPUDevice,
    private readonly prepared: PreparedGroup,
    private readonly state: StateStore,
    /** Has the records, for rules that measure tensors. */
    private readonly tensorPass: TensorPass | undefined,
    private readonly label: string,
  ) {
    const { batches } = prepared;
    this.#bindGroups = new BindGroupCache(BIND_GROUPS_PER_DISPATCH * batches.length);
    this.#partialSegments = new PartialSegments(device, label);
    this.#segmentStride = segmentStride(device, batches);
    this.#segments = device.createBuffer({
      label: `${label} segments`,
      size: this.#segmentStride * batches.length,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
  }

  /** Lets the dispatches cover what they are planned to; until then they cover nothing. */
  writeSegments(): void {
    const { batches } = this.prepared;
    const words = new Uint32Array((this.#segmentStride / 4) * batches.length);
    batches.forEach(({ parts }, k) =>
      parts.forEach(({ segment }, part) =>
        words.set(segmentWords(segment), (this.#segmentStride * k + SEGMENT_BYTE_LENGTH * part) / 4),
      ),
    );
    this.device.queue.writeBuffer(this.#segments, 0, words);
  }

  /**
   * The bind group of a dispatch, or the one that was made before.
   *
   * @param k which of the planned dispatches.
   * @param batch what it covers, in these or in other buffers.
   */
  get(k: number, batch: Batch<GPUBuffer>): GPUBindGroup {
    return this.#bindGroups.get(rangesOf(batch), String(k), () =>
      this.#create(batch, k, this.prepared.kernels[k]!),
    );
  }

  /** As {@link get}, for steps that leave some parts of the batch as they are. */
  getWithout(k: number, batch: Batch<GPUBuffer>, isLeftOut: readonly boolean[]): GPUBindGroup {
    const key = `${k} but ${isLeftOut.flatMap((leftOut, part) => (leftOut ? [part] : [])).join(' ')}`;
    const segments = this.#partialSegments.get(key, batch, isLeftOut);
    return this.#bindGroups.get(rangesOf(batch), key, () =>
      this.#create(batch, k, this.prepared.kernels[k]!, segments),
    );
  }

  /** A bind group for one part of a batch by itself; it is not kept. */
  createAlone(alone: Batch<GPUBuffer>, kernel: Kernel): GPUBindGroup {
    return this.#create(alone, 0, kernel);
  }

  destroy(): void {
    this.#partialSegments.destroy();
    this.#segments.destroy();
  }

  #create(
    { parts, access, state }: Batch<GPUBuffer>,
    k: number,
    kernel: Kernel,
    segments: GPUBufferBinding = {
      buffer: this.#segments,
      offset: this.#segmentStride * k,
      size: SEGMENT_BYTE_LENGTH * parts.length,
    },
  ): GPUBindGroup {
    const resource = ({ role, tensor }: BindingDeclaration): GPUBufferBinding => {
      const part = parts[tensor]!;
      if (role === 'segment') return segments;
      if (role === 'data') return { ...part.data };
      if (role === 'grad') return { ...part.grad! };
      if (role === 'rows') return { ...part.rows! };
      if (role === 'tensor') return this.tensorPass!.recordBinding(part.parameterIndex);
      const { bufferIndex, offset, size } = state;
      return { buffer: this.state.buffer(role.slice('state:'.length), bufferIndex), offset, size };
    };
    return this.device.createBindGroup({
      label: `${this.label} buffers ${k}`,
      layout: kernel.buffersLayout,
      entries: declareBindings(this.prepared.group.rule, access).map((declared, binding) => ({
        binding,
        resource: resource(declared),
      })),
    });
  }
}

function segmentStride({ limits }: GPUDevice, batches: readonly Batch<GPUBuffer>[]): number {
  const most = batches.reduce((largest, { parts }) => Math.max(largest, parts.length), 1);
  return alignUp(SEGMENT_BYTE_LENGTH * most, limits.minUniformBufferOffsetAlignment);
}

/** All that a batch's bind group holds of the caller's. */
const rangesOf = ({ parts }: Batch<GPUBuffer>): GPUBufferBinding[] =>
  parts.flatMap(({ data, grad }) => (grad ? [data, grad] : [data]));
