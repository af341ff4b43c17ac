import type { KernelShape } from './shape.js';

/**
 * How a tensor's lanes are shared out when it is measured, on every adapter: the tree of the sum, and so its bits,
 * follow from it. 8192 elements a workgroup keep GPUs busy from a million elements on, and leave CPU adapters few
 * workgroups.
 */
export const MEASURE_SHAPE: KernelShape = { workgroupSize: 64, lanesPerInvocation: 32, consecutive: false };

/** Lanes of one workgroup, and so of one partial sum. */
export const LANES_PER_PARTIAL = MEASURE_SHAPE.workgroupSize * MEASURE_SHAPE.lanesPerInvocation;

/** How many of these workgroups one of a CPU adapter does, an invocation each: enough to fill its vectors, few enough for all cores to have some. */
export const WORKGROUPS_ALONE = 8;
