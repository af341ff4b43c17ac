import type { Segment } from '../../kernel/segment.js';
import type { AccessVariant } from '../../kernel/variant.js';

/** A range of some buffer; generic over the buffer, so that planning needs no GPU. */
export interface Piece<B> {
  readonly buffer: B;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** The device limits that decide how a tensor is cut. Byte lengths but for the last. */
export interface PlanLimits {
  readonly maxStorageBufferBindingSize: number;
  readonly minStorageBufferOffsetAlignment: number;
  readonly maxBufferSize: number;
}

/** A binding of a buffer: offset aligned as the device demands. */
export interface PlannedBinding<B> {
  readonly buffer: B;
  readonly offset: number;
  readonly size: number;
}

/** Where the optimizer state of a chunk lies: the same place in the buffers of every slot. */
export interface StateRegion {
  /** Which of a slot's buffers. */
  readonly bufferIndex: number;
  /** First byte; congruent to the chunk's weights modulo 16, so that one vec4 index serves both. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** One dispatch: its kernel variant, what it binds and what it covers. */
export interface PlannedDispatch<B> {
  /** Which of the tensors it belongs to; the first, if it covers neighbours. */
  readonly parameterIndex: number;
  readonly access: AccessVariant;
  readonly segment: Segment;
  readonly data: PlannedBinding<B>;
  /** Absent if the gradient is reached through the data binding. */
  readonly grad?: PlannedBinding<B>;
  /** The list of rows, if only these are stepped. */
  readonly rows?: PlannedBinding<B>;
  /** Index of the state buffer, and the binding in it. */
  readonly state: { readonly bufferIndex: number; readonly offset: number; readonly size: number };
}

/** A stretch of a tensor, or of neighbours, that bindings can cover, gradients of all its elements. */
export interface PlannedChunk<B> {
  /** As {@link PlannedDispatch}'s. */
  readonly parameterIndex: number;
  readonly data: Piece<B>;
  readonly grad: Piece<B>;
  readonly state: StateRegion;
}

/** The plan for a list of tensors. */
export interface Plan<B> {
  /** Dispatches in order; those of a tensor are together. */
  readonly dispatches: readonly PlannedDispatch<B>[];
  /** What the dispatches cover; the chunks of a tensor are together, in order. */
  readonly chunks: readonly PlannedChunk<B>[];
  /** Per parameter, the state regions of its elements, in order. */
  readonly stateRegions: readonly (readonly StateRegion[])[];
  /** Byte lengths of the buffers that each state slot needs. */
  readonly stateByteLengths: readonly number[];
}
