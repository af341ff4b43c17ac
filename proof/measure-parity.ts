import { type SuiteCase, paritySuite } from './parity-suite.js';
import { matrixParitySuite } from './matrix-parity.js';
import { matrixRuleFactories } from '../src/rules/matrix-registry.js';
import { ruleFactories } from '../src/rules/registry.js';
import type { Destroyable } from './track.js';
import { largerDeviation } from './compare.js';
import { OptimizerError, type OptimizerErrorCode } from '../src/index.js';

/** How the cases of a rule came out on an adapter, float32. */
export interface ParityRow {
  readonly rule: string;
  /** Settings of options that were run. */
  readonly cases: number;
  readonly failed: number;
  /** Largest distance of a weight from float64, in ULP of the float64 value. */
  readonly maxUlp: number;
  /** Largest distance as a fraction of what a conforming WGSL implementation may be off. */
  readonly maxOfBound: number;
  /** Cases whose weights and state have the bits of the float32 twin. */
  readonly sameBits: number;
  /** What the first case that failed said; null if all passed. */
  readonly firstFailure: string | null;
}

/** Which part of the suite is run. */
export interface ParityOptions {
  readonly seed: number;
  /** Rules to run; absent: all. */
  readonly rules?: readonly string[] | undefined;
  /** Only each option by itself, for a few steps. */
  readonly quick: boolean;
  readonly onProgress?: (rule: string) => void;
  /** Called before each case, which waits for it; ends the suite by throwing. */
  readonly beforeCase?: () => Promise<void>;
}

const QUICK_STEPS = 3;
const ENDING_CODES: ReadonlySet<OptimizerErrorCode> = new Set(['out-of-memory', 'device-lost'] as const);

/**
 * Runs the parity suite on a device, rule by rule. A case that fails is counted, and the rest goes on.
 *
 * @throws OptimizerError `out-of-memory` or `device-lost`, or AbortError of a read: they say nothing about the rule.
 */
export async function measureParity(
  device: GPUDevice,
  { seed, rules, quick, onProgress, beforeCase }: ParityOptions,
): Promise<ParityRow[]> {
  const { single, combined, leavingOut, tables } = paritySuite(seed);
  const matrices = matrixParitySuite(seed);
  const all = quick
    ? [...single, ...matrices.single]
    : [...single, ...combined, ...leavingOut, ...tables, ...Object.values(matrices).flat()];
  const rows: ParityRow[] = [];
  for (const [name] of [...ruleFactories, ...matrixRuleFactories]) {
    if (rules && !rules.includes(name)) continue;
    onProgress?.(name);
    const ofRule = all.filter(({ rule }) => rule.name === name);
    rows.push(await measureRule(device, name, ofRule, quick ? QUICK_STEPS : undefined, beforeCase));
  }
  return rows;
}

/** A read is aborted where its device is lost, which may become known only later. */
function isTroubleOfDevice(error: unknown): boolean {
  return error instanceof OptimizerError
    ? ENDING_CODES.has(error.code)
    : error instanceof DOMException && error.name === 'AbortError';
}

async function measureRule(
  device: GPUDevice,
  rule: string,
  cases: readonly SuiteCase[],
  steps: number | undefined,
  beforeCase: ParityOptions['beforeCase'],
): Promise<ParityRow> {
  let largest = { ulp: 0, ofBound: 0 };
  let sameBits = 0;
  const failures: string[] = [];
  for (const { title, check } of cases) {
    await beforeCase?.();
    const resources: Destroyable[] = [];
    try {
      const result = await check(
        device,
        (resource) => {
          resources.push(resource);
          return resource;
        },
        steps,
      );
      largest = largerDeviation(largest, result);
      if (result.sameBits) sameBits += 1;
    } catch (error) {
      if (isTroubleOfDevice(error)) throw error;
      failures.push(`${title}: ${(error as Error).message}`);
    } finally {
      for (const resource of resources) resource.destroy();
    }
  }
  return {
    rule,
    cases: cases.length,
    failed: failures.length,
    maxUlp: largest.ulp,
    maxOfBound: largest.ofBound,
    sameBits,
    firstFailure: failures[0] ?? null,
  };
}
