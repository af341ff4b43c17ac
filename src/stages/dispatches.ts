import type { StepContext } from './stage.js';

/** A dispatch of a kernel that reads one row, from bind group 1. */
export interface RowDispatch {
  readonly pipeline: GPUComputePipeline;
  readonly row: number;
  readonly grid: readonly [number, number];
  /** Bind group 0; another one after `rebind`. */
  bindGroup: GPUBindGroup;
}

/**
 * Encodes dispatches, each with the page that its row is in.
 *
 * @param always whether also those of rows that take no part.
 */
export function encodeDispatches(
  pass: GPUComputePassEncoder,
  dispatches: readonly RowDispatch[],
  step: StepContext,
  rowsPerPage: number,
  always = false,
): void {
  let pipeline: GPUComputePipeline | undefined;
  let page = -1;
  // By index: the pairs of `entries()` would be an allocation per dispatch and step.
  for (let k = 0; k < dispatches.length; k++) {
    const dispatch = dispatches[k]!;
    const { row, grid } = dispatch;
    if (!always && !step.isActive(row)) continue;
    if (dispatch.pipeline !== pipeline) pass.setPipeline((pipeline = dispatch.pipeline));
    const pageOfRow = Math.floor(row / rowsPerPage);
    if (pageOfRow !== page) {
      pass.setBindGroup(1, step.pages, step.pageOffset(row), 0, 1);
      page = pageOfRow;
    }
    pass.setBindGroup(0, dispatch.bindGroup);
    pass.dispatchWorkgroups(grid[0], grid[1]);
  }
}

/** As `Stage.encodeProbe`, of dispatches: one workgroup of each, whose row takes no part. */
export function encodeProbes(
  pass: GPUComputePassEncoder,
  dispatches: readonly RowDispatch[],
  step: StepContext,
): void {
  for (const { pipeline, bindGroup, row } of dispatches) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.setBindGroup(1, step.pages, step.pageOffset(row), 0, 1);
    pass.dispatchWorkgroups(1);
  }
}
