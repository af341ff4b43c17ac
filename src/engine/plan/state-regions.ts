import { alignUp } from '../../kernel/alignment.js';
import type { StateRegion } from './planned.js';
import type { RunMember } from './runs.js';

/** Packs state regions one behind the other into as few buffers as the device's limit allows. */
export class StateAllocator {
  readonly byteLengths: number[] = [];

  constructor(
    private readonly maxBufferSize: number,
    private readonly alignment: number,
  ) {}

  allocate(byteLength: number, phase: number): StateRegion {
    const last = this.byteLengths.length - 1;
    const byteOffset = last < 0 ? 0 : alignUp(this.byteLengths[last]!, this.alignment) + phase;
    if (last >= 0 && byteOffset + byteLength <= this.maxBufferSize) {
      this.byteLengths[last] = byteOffset + byteLength;
      return { bufferIndex: last, byteOffset, byteLength };
    }
    this.byteLengths.push(phase + byteLength);
    return { bufferIndex: last + 1, byteOffset: phase, byteLength };
  }
}

/** The parts of a run's regions that are a member's. */
export function regionsOf({ start, byteLength }: RunMember, regions: readonly StateRegion[]): StateRegion[] {
  const own: StateRegion[] = [];
  let done = 0;
  for (const region of regions) {
    const from = Math.max(start - done, 0);
    const to = Math.min(start + byteLength - done, region.byteLength);
    if (from < to) own.push({ ...region, byteOffset: region.byteOffset + from, byteLength: to - from });
    done += region.byteLength;
  }
  return own;
}
