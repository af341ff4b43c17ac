import { bindBuffers, createLayout } from '../gpu/bind-groups.js';
import { pageLayout } from '../kernel/compose-rule.js';
import type { RowLayout } from '../kernel/row.js';

/** The layout of bind group 1 of kernels that read one row: its page, at a dynamic offset. */
export function createPagesLayout(device: GPUDevice, row: RowLayout, label: string): GPUBindGroupLayout {
  return createLayout(device, `${label} rows`, pageLayout(row));
}

/** Binds the pages of a buffer. */
export function bindPages(
  device: GPUDevice,
  row: RowLayout,
  layout: GPUBindGroupLayout,
  buffer: GPUBuffer,
  label: string,
): GPUBindGroup {
  const size = row.struct.byteLength * row.rowsPerPage;
  return bindBuffers(device, `${label} rows`, layout, [{ buffer, size }]);
}
