import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../../errors.js';
import { copyGiven } from '../../given.js';

/**
 * The shape of the step kernels, where the choice by adapter class is not wanted. Results are the same bits whatever
 * the shape; only the time differs. `bench/shapes.ts` sweeps it.
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
const KEYS = ['workgroupSize', 'lanesPerInvocation', 'consecutive'] satisfies (keyof KernelOptions)[];

/**
 * A frozen copy of what was given.
 *
 * @throws OptimizerError `invalid-option` on an unknown name or a value out of range, quoting it.
 */
export function resolveKernelOptions(kernel: unknown = {}): Readonly<KernelOptions> {
  if (!isRecord(kernel)) {
    fail(`is ${quote(kernel)}; give { workgroupSize, lanesPerInvocation, consecutive }, or some of them`);
  }
  const given = copyGiven(kernel, KEYS);
  rejectUnknownKeys(given, KEYS, 'kernel', 'invalid-option');
  const { workgroupSize, lanesPerInvocation, consecutive } = given;
  checkCount('workgroupSize', workgroupSize, Infinity);
  checkCount('lanesPerInvocation', lanesPerInvocation, MAX_LANES_PER_INVOCATION);
  if (consecutive !== undefined && typeof consecutive !== 'boolean') {
    fail(`consecutive is ${quote(consecutive)}; give true or false`);
  }
  return Object.freeze({
    ...(workgroupSize !== undefined && { workgroupSize }),
    ...(lanesPerInvocation !== undefined && { lanesPerInvocation }),
    ...(consecutive !== undefined && { consecutive }),
  });
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

function checkCount(name: string, value: unknown, most: number): asserts value is number | undefined {
  if (value === undefined) return;
  if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most) return;
  fail(`${name} is ${quote(value)}; give an integer from 1${most === Infinity ? '' : ` to ${most}`}`);
}

function fail(complaint: string): never {
  throw new OptimizerError('invalid-option', `kernel: ${complaint}.`);
}
