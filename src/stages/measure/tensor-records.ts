import type { ByteRange } from '../../gpu/readback.js';
export class TensorRecords { constructor(..._: unknown[]) {} binding(_: number): GPUBufferBinding { throw new Error('stub'); } slotRange(_s: string, _t: number): ByteRange { throw new Error('stub'); } destroy(): void {} }
