import { OptimizerError, isRecord, quote } from '../../../errors.js';
import { type OptionSpec, boolean, integer, resolveOptions } from '../../../rules/options/options.js';

/**
 * The shape of the step kernels, where the choice by adapter class is not wanted. Results are the same bits whatever
 * the shape; only the time differs. `bench/shapes.ts` sweeps it. Products of matrices go through workgroup memory where `consecutive` is false. Where `stateDtype` is `'int8'` or `'int4'`, an invocation takes blocks of
 * 16 lanes: as many lanes as are said, or up to 15 more, and neighbours.
 */
export interface KernelOptions {
  /** Invocations per workgroup, ≥ 1, up to the device's `maxComputeInvocationsPerWorkgroup`. */
  workgroupSize?: number;
  /** Lanes, of four elements each, per invocation, from 1 to 65,536. */
  lanesPerInvocation?: number;
  /** Whether an invocation's lanes are neighbours (best on CPU adapters) or a workgroup apart (coalesced, for GPUs). */
  consecutive?: boolean;
}

const MAX_LANES_PER_INVOCATION = 65_536;

/** An option that need not be given. */
function optional<T>(spec: OptionSpec<T>): OptionSpec<T | undefined> {
  return { ...spec, default: undefined, accepts: (value) => value === undefined || spec.accepts(value) };
}

const SPECS = {
  workgroupSize: optional(integer(1, 1)),
  lanesPerInvocation: optional(integer(1, 1, MAX_LANES_PER_INVOCATION)),
  consecutive: optional(boolean(true)),
};

/**
 * A frozen copy of what was given.
 *
 * @throws OptimizerError `invalid-option` on an unknown name or a value out of range, quoting it.
 */
export function resolveKernelOptions(kernel: unknown = {}): Readonly<KernelOptions> {
  if (!isRecord(kernel)) {
    throw new OptimizerError(
      'invalid-option',
      `kernel: is ${quote(kernel)}; give { workgroupSize, lanesPerInvocation, consecutive }, or some of them.`,
    );
  }
  const options = Object.entries(resolveOptions('kernel', SPECS, kernel));
  return Object.freeze(Object.fromEntries(options.filter(([, value]) => value !== undefined)));
}

/** @throws OptimizerError `limit-exceeded` if the device has no workgroups of that size. */
export function checkKernelLimits({ limits }: GPUDevice, { workgroupSize = 1 }: KernelOptions): void {
  const largest = Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX);
  if (workgroupSize <= largest) return;
  throw new OptimizerError(
    'limit-exceeded',
    `kernel: workgroupSize is ${workgroupSize}, but the device allows ${largest}; give less, or request the device with ` +
      'larger requiredLimits.maxComputeInvocationsPerWorkgroup and maxComputeWorkgroupSizeX.',
  );
}
