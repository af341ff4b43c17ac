/** What the Node side and the measured page say to each other: plain data only, it crosses the debugger's wire. */
import type { KernelShape } from '../../src/kernel/shape.js';
import type { BenchCase } from './cases.js';

/** This library with weights, gradients and state of fewer bits. */
const FEWER_BITS = ['ours-bf16', 'ours-bf16-state', 'ours-int8-state', 'ours-int4-state'] as const;

/** What keeps all in float32. */
export const FLOAT_PEERS = [
  'ours',
  'ours-arena',
  'ours-clip-skip',
  'tfjs',
  'jax-js',
  'hand',
  'naive',
  'limit',
  'copy',
  'cpu',
] as const;

/** Everything that can be measured, in the order of the table. */
export const PEER_NAMES = [...FLOAT_PEERS, ...FEWER_BITS] as const;

/** The name of a peer. */
export type PeerName = (typeof PEER_NAMES)[number];

/** What is prepared together and measured in turns: one case and rule, by all the peers that have it. */
export interface HeatRequest {
  readonly benchCase: BenchCase;
  readonly rule: string;
  readonly peers: readonly PeerName[];
  readonly seed: number;
}

/** Where the page runs. */
export interface Surroundings {
  readonly adapter: string;
  /** Name and version of the browser, or of Node and its WebGPU. */
  readonly browser: string;
  /** Bytes that the adapter can bind as one storage buffer. */
  readonly adapterLimit: number;
  /** The peers that can run here. */
  readonly peers: readonly PeerName[];
}

/** A prepared heat. */
export interface Heat {
  /** Those of the requested peers that have the rule and can hold the case. */
  readonly peers: readonly PeerName[];
  /** Those that the case is too large for: it does not fit one buffer, or into memory. */
  readonly cannotHold: readonly PeerName[];
  /** Storage buffers that a fused step reads, and writes, once each. */
  readonly arraysRead: number;
  readonly arraysWritten: number;
  /** The shape that the library chose for each tensor. */
  readonly shape: KernelShape;
  /** The shapes found best for the hand-written and the limit kernel, if they take part. */
  readonly handShape?: KernelShape;
  readonly limitShape?: KernelShape;
}

/** WebGPU calls made by one step. */
export interface CallCounts {
  readonly dispatches: number;
  readonly submits: number;
  /** Buffers, textures, bind groups, layouts, modules, pipelines and query sets; not encoders and passes. */
  readonly newObjects: number;
}

/** What one step asks of the host. */
export interface StepCounts extends CallCounts {
  /** Least milliseconds until the call returns, while the GPU is idle; the page's clock has steps of 0.1. */
  readonly hostMs: number;
}

/** The page's side, as `globalThis.bench`. */
export interface BenchPage {
  open(): Promise<Surroundings>;
  /** Prepares a heat; the one before must be released. */
  prepare(request: HeatRequest): Promise<Heat>;
  /** Milliseconds that `steps` steps of a peer take, from the first call until the GPU is done. */
  measure(peer: PeerName, steps: number): Promise<number>;
  /**
   * Milliseconds of the GPU's own clock that `steps` steps of a peer take, submitted at once; null where there are no
   * timestamps, or the peer has a device of its own. Weights are not to be read afterwards.
   */
  measureOnGpu(peer: PeerName, steps: number): Promise<number | null>;
  count(peer: PeerName): Promise<StepCounts>;
  release(): Promise<void>;
}
