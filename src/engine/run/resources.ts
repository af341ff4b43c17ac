import type { BindGroups } from '../../gpu/bind-groups.js';
import { paddingOf } from '../../gpu/arena-buffers.js';
import type { RowLayout } from '../../kernel/row.js';
import type { KernelShape } from '../../kernel/shape.js';
import type { ClippedCopies } from '../../stages/norms/clipped-copies.js';
import type { PlanLimits } from '../../plan/pieces.js';
import type { StretchFacts } from '../../plan/stretch.js';
import type { Overflows } from '../../stages/update/overflows.js';

/** What all that is made for an optimizer is made with. */
export interface Resources {
  readonly device: GPUDevice;
  /** The layout of the rows of its rule. */
  readonly row: RowLayout;
  readonly facts: StretchFacts<GPUBuffer>;
  /** Whether gradients are clamped by value. */
  readonly isClamped: boolean;
  /** Copies of gradients, if the norm of each is limited. */
  readonly clipped: ClippedCopies | undefined;
  /** Counts weights that become infinite by rounding. */
  readonly overflows: Overflows;
  /** What of the kernels' shape is not to be chosen. */
  readonly shape: Partial<KernelShape>;
  readonly bindGroups: BindGroups;
  /** Layout of bind group 1 of kernels that read one row. */
  readonly pagesLayout: GPUBindGroupLayout;
  /** Of tensors by their index, from its reservation on: what is planned for those that are to join needs them, too. */
  readonly names: string[];
  readonly nameOf: (tensor: number) => string;
  readonly label: string;
}

/** Stands for buffers that are not there yet: kernels do not depend on which they are. */
export const NO_BUFFER = {} as GPUBuffer;

/** What planning must know of a device and its buffers. */
export function factsOf({
  limits: {
    maxStorageBufferBindingSize,
    minStorageBufferOffsetAlignment,
    maxBufferSize,
    maxStorageBuffersPerShaderStage,
    maxComputeWorkgroupsPerDimension,
  },
}: GPUDevice): StretchFacts<GPUBuffer> {
  // Copied: a device takes its time to tell, and each is asked for many times per tensor.
  const limits: PlanLimits = {
    maxStorageBufferBindingSize,
    minStorageBufferOffsetAlignment,
    maxBufferSize,
    maxStorageBuffersPerShaderStage,
    maxComputeWorkgroupsPerDimension,
  };
  return { limits, paddingOf };
}
