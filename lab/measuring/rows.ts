import {
  CPU_MAX_LANES_PER_INVOCATION,
  CPU_MIN_LANES_PER_INVOCATION,
  CPU_MIN_WORKGROUPS,
  CPU_SMALL_LANES_PER_INVOCATION,
  type KernelShape,
} from '../../src/kernel/shape.js';
import { type BenchCase, totalElements } from './cases.js';
import type { Heat, PeerName, StepCounts } from './protocol.js';
import { median, pairedRatio, round } from './statistics.js';

/** One line of the results: a peer, a rule and a case. Times are per step. */
export interface Row extends StepCounts {
  readonly peer: PeerName;
  readonly rule: string;
  readonly case: string;
  readonly medianMs: number;
  readonly minMs: number;
  readonly elementsPerSecond: number;
  /** What a fused step must read and write, over the median time, whatever the peer moves in fact. */
  readonly gbPerSecond: number;
  /**
   * Mean CPU time of the browser's GPU process, in Node of the whole process. On a software adapter the kernels run
   * there, and other load on the machine hardly changes it. Null for the peer that does without, or where it is not known.
   */
  readonly cpuMs: number | null;
  /**
   * Median milliseconds by timestamps of the GPU around many steps in one submit: the step without the host's part.
   * Null where the device has no timestamps, and for peers that do not use it; absent from older results.
   */
  readonly gpuMs?: number | null;
  /** Median over rounds of the limit's time over this peer's; null if the limit was not measured. */
  readonly fractionOfLimit: number | null;
}

/** What a step costs a peer: `fixedMs` + `nsPerElement` × elements / 10⁶, in milliseconds. */
export interface CostCurve {
  readonly peer: PeerName;
  readonly rule: string;
  /** Milliseconds that any step takes, 0 or more. */
  readonly fixedMs: number;
  /** Nanoseconds that each element adds, 0 or more. */
  readonly nsPerElement: number;
  /** How far a measured time is from the line at most, as a fraction of the time. */
  readonly worstError: number;
}

/** Everything that `--json` prints. */
export interface Results {
  readonly adapter: string;
  readonly browser: string;
  readonly date: string;
  /** Per case, the kernel shapes as workgroupSize×lanesPerInvocation, `c` for consecutive lanes. */
  readonly shapes: readonly {
    readonly case: string;
    readonly ours: string;
    /** Why the library chose that shape. */
    readonly why: string;
    readonly hand: string | null;
    readonly limit: string | null;
  }[];
  readonly seed: number;
  readonly rounds: number;
  readonly rows: readonly Row[];
  /** Of a run with `--curve`. */
  readonly curve?: readonly CostCurve[];
}

/** Makes the rows of a heat from its measured times. */
export function makeRows(
  benchCase: BenchCase,
  rule: string,
  heat: Heat,
  times: ReadonlyMap<PeerName, readonly number[]>,
  counts: ReadonlyMap<PeerName, StepCounts>,
  cpuMs: ReadonlyMap<PeerName, number> = new Map(),
  gpuTimes: ReadonlyMap<PeerName, readonly number[]> = new Map(),
): Row[] {
  const elements = totalElements(benchCase);
  const bytes = 4 * elements * (heat.arraysRead + heat.arraysWritten);
  const limitTimes = times.get('limit');
  return heat.peers.map((peer) => {
    const peerTimes = times.get(peer)!;
    const medianMs = median(peerTimes);
    return {
      peer,
      rule,
      case: benchCase.text,
      medianMs: round(medianMs),
      minMs: round(Math.min(...peerTimes)),
      elementsPerSecond: Math.round((elements / medianMs) * 1000),
      cpuMs: peer !== 'cpu' && cpuMs.has(peer) ? round(cpuMs.get(peer)!) : null,
      gpuMs: gpuTimes.get(peer)?.length ? round(median(gpuTimes.get(peer)!)) : null,
      gbPerSecond: round(bytes / medianMs / 1e6),
      fractionOfLimit: limitTimes ? round(pairedRatio(limitTimes, peerTimes)) : null,
      ...roundHost(counts.get(peer)!),
    };
  });
}

const roundHost = (counts: StepCounts): StepCounts => ({ ...counts, hostMs: round(counts.hostMs) });

/** A shape in short: `64×256c`, `c` for consecutive lanes. */
export function describeShape({ workgroupSize, lanesPerInvocation, consecutive }: KernelShape): string {
  return `${workgroupSize}×${lanesPerInvocation}${consecutive ? 'c' : ''}`;
}

/** Why the library chose a shape, for people. */
export function reasonOf({ lanesPerInvocation, consecutive }: KernelShape): string {
  if (!consecutive) return 'GPU: many invocations, neighbours at neighbouring addresses';
  if (lanesPerInvocation === CPU_SMALL_LANES_PER_INVOCATION) {
    return 'CPU adapter: a workgroup is one core’s work, so that a small tensor is given several';
  }
  return (
    `CPU adapter: of ${CPU_MIN_LANES_PER_INVOCATION} to ${CPU_MAX_LANES_PER_INVOCATION} lanes per invocation the most ` +
    `that leave ${CPU_MIN_WORKGROUPS} workgroups`
  );
}
