import type { NumericsRow } from '../../proof/numerics.js';

/** Limits that the record tells: those that a run of ours comes up against. */
export const LIMITS = [
  'maxStorageBuffersPerShaderStage',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeInvocationsPerWorkgroup',
] as const;

/** Features that the record tells, if an adapter has them. */
export const FEATURES = ['shader-f16', 'subgroups', 'timestamp-query'] as const;

/** How steps of a rule came out against the reference in float64. */
export interface RuleRecord {
  /** The rule and what it was run with, e.g. `adamw, clipped`. */
  readonly title: string;
  /** Largest distance of a weight, in ULP of the float64 value. */
  readonly maxUlp: number;
  /** The same as a fraction of what a conforming WGSL implementation may be off; over 1 is a failure. */
  readonly maxOfBound: number;
  /** Whether weights and state have the bits of the float32 twin, which are SwiftShader's. */
  readonly sameBits: boolean;
}

/** What the program found out in a runtime: plain data, for JSON. */
export interface RuntimeRecord {
  /** The adapter by what it says of itself; `unnamed` if that is nothing. */
  readonly adapter: string;
  /** The adapter's own limits, in their units: numbers, and bytes where the name says Size. */
  readonly limits: Readonly<Record<(typeof LIMITS)[number], number>>;
  /** Those of {@link FEATURES} that the adapter has. */
  readonly features: readonly (typeof FEATURES)[number][];
  /** The first weight behind the README's example; null if it failed. */
  readonly example: number | null;
  /** What float32 arithmetic does where WGSL leaves it open. */
  readonly arithmetic: readonly NumericsRow[];
  readonly rules: readonly RuleRecord[];
  /** What a resumed run was read from, each with the bits of a run that never stopped. */
  readonly resumed: readonly string[];
  /** What did not come out as it should; empty is good. */
  readonly failures: readonly string[];
}
