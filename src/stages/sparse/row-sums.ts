import type { Planned } from '../../gpu/pipelines.js';
export interface RowSums { summed: GPUBuffer; rows: GPUBuffer; encodeProbe(p: GPUComputePassEncoder): void; destroy(): void }
export function planRowSums(..._: unknown[]): Planned<RowSums> { throw new Error('stub'); }
