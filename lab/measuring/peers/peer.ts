import type { KernelShape } from '../../../src/kernel/shape.js';
import type { Rule } from '../../../src/rules/rule.js';
import type { BenchCase } from '../cases.js';
import type { Workload } from '../page/workload.js';

/** What a peer is prepared for. */
export interface PeerContext {
  readonly device: GPUDevice;
  readonly benchCase: BenchCase;
  readonly rule: Rule;
  /** Weights and gradients on the device, shared by the peers that update buffers in place. */
  readonly workload: Workload;
}

/** A peer, ready to step. */
export interface Contestant {
  /** Encodes and submits one step (or computes it, on the CPU); need not wait. */
  step(): void;
  /** Resolves when all steps so far are done. */
  finish(): Promise<void>;
  /** The last tensor's weights as they are now, all or the sample of them that is checked; absent where there are none. */
  weights?(): Promise<Float32Array>;
  /** Steps after which every weight with a gradient must differ. Default 1. */
  readonly stepsToChange?: number;
  /** The kernel shape that it was found fastest in; absent where none was searched for. */
  readonly shape?: KernelShape;
  destroy(): void;
}

/** Makes a contestant, or nothing if the peer lacks the rule or cannot hold the case. */
export type Peer = (context: PeerContext) => Promise<Contestant | undefined>;
