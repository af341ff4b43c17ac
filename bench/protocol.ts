/** What the Node side and the measured page say to each other: plain data only, it crosses the debugger's wire. */
import type { KernelShape } from '../src/kernel/shape.js';
import type { BenchCase } from './cases.js';

/** Everything that can be measured, in the order of the table. */
export const PEER_NAMES = [
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
  readonly browser: string;
}

/** A prepared heat. */
export interface Heat {
  /** Those of the requested peers that have the rule and can hold the case. */
  readonly peers: readonly PeerName[];
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
export interface StepCounts {
  readonly dispatches: number;
  readonly submits: number;
  /** Buffers, textures, bind groups, layouts, modules, pipelines and query sets; not encoders and passes. */
  readonly newObjects: number;
}

/** The page's side, as `globalThis.bench`. */
export interface BenchPage {
  open(): Promise<Surroundings>;
  /** Prepares a heat; the one before must be released. */
  prepare(request: HeatRequest): Promise<Heat>;
  /** Milliseconds that `steps` steps of a peer take, from the first call until the GPU is done. */
  measure(peer: PeerName, steps: number): Promise<number>;
  count(peer: PeerName): Promise<StepCounts>;
  release(): Promise<void>;
}
