/** What the kernel experiments (`shapes.ts`, `variants.ts`) and their page say to each other. */
import type { KernelShape } from '../src/kernel/shape.js';

/** A kernel over the arrays of an experiment. */
export interface KernelRequest {
  /** `ours`: the library's kernel; `limit`: the traffic limit; `wgsl`: given source, with the interface of ours. */
  readonly source: 'ours' | 'limit' | { readonly wgsl: string };
  readonly shape: KernelShape;
}

/** The arrays that all kernels of an experiment work on. */
export interface ArraysRequest {
  readonly rule: string;
  readonly elementCount: number;
}

/** The page's side, as `globalThis.bench`. */
export interface KernelPage {
  open(): Promise<{ adapter: string; browser: string }>;
  /** Makes the arrays anew; kernels added before are gone. */
  prepare(request: ArraysRequest): Promise<void>;
  /** Compiles a kernel; returns its number. */
  add(request: KernelRequest): Promise<number>;
  /** Milliseconds that `steps` dispatches take, each submitted by itself. */
  measure(kernel: number, steps: number): Promise<number>;
}

/** The page of `dispatches.ts`, as `globalThis.bench`. */
export interface DispatchPage {
  /** Makes the experiments and checks that those which should move weights do. */
  open(): Promise<{ adapter: string; browser: string; experiments: string[] }>;
  /** Milliseconds until `steps` steps are encoded and submitted, and until the GPU is done with them. */
  measure(experiment: number, steps: number): Promise<{ encodedMs: number; doneMs: number }>;
}
