import type { RuntimeRecord } from './program/record.js';

/** The runtimes, in the order of the tables. */
export const RUNTIMES = ['chrome', 'firefox', 'deno', 'node', 'bun'] as const;
export type RuntimeName = (typeof RUNTIMES)[number];

/** What a runtime came to. */
export interface RuntimeReport {
  readonly name: RuntimeName;
  /** As it is called, with its version: `Deno 2.9.6`. */
  readonly title: string;
  /** The implementation of WebGPU, and where it comes from if not from the runtime itself. */
  readonly webgpu: string;
  readonly record: RuntimeRecord;
}
