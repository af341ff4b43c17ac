/**
 * The program that all runtimes run: the README's example, steps against the reference, a resumed run. The engine in it is the built
 * package's, as a user gets it; what it is compared with is proof/.
 */
import { probeNumerics } from '../../proof/numerics.js';
import { FEATURES, LIMITS, type RuleRecord, type RuntimeRecord } from './record.js';
import { type Storage, checkResume } from './resume.js';
import { SMOKE_TITLES, smoke } from './smoke.js';

/** The same values everywhere and always: records are compared with those of other runtimes and days. */
const SEED = 1;

/** What a runtime brings. */
export interface Given {
  /** Imports the README's example, which leaves what it made. */
  readonly example: () => Promise<{ first: number; device: GPUDevice }>;
  /** The number that the README says. */
  readonly promised: number;
  readonly storage: Storage;
}

/**
 * Runs everything, whatever fails on the way.
 *
 * @throws Error where `navigator.gpu` or an adapter is missing.
 */
export async function checkRuntime({ example, promised, storage }: Given): Promise<RuntimeRecord> {
  const gpu = (navigator as { gpu?: GPU }).gpu;
  const adapter = await gpu?.requestAdapter();
  if (!gpu || !adapter) throw new Error(gpu ? 'There is no WebGPU adapter.' : 'navigator.gpu is missing.');
  const failures: string[] = [];
  const attempt = async <T>(what: string, action: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await action();
    } catch (error) {
      failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };

  const first = await attempt('example', async () => {
    const made = await example();
    made.device.destroy();
    if (!(Math.abs(made.first - promised) < 1e-6)) throw new Error(`it gives ${made.first}, not ${promised}`);
    return made.first;
  });

  const limits = Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]]));
  const features = FEATURES.filter((name) => adapter.features.has(name));
  const { vendor, architecture, description } = adapter.info;
  const device = await adapter.requestDevice({ label: 'runtimes' });
  device.addEventListener('uncapturederror', ({ error }) => {
    failures.push(`uncaptured error: ${error.message}`);
  });
  const arithmetic = await attempt('arithmetic', () => probeNumerics(device, SEED));
  const rules: RuleRecord[] = [];
  for (const title of SMOKE_TITLES) {
    const record = await attempt(title, () => smoke(device, title, SEED));
    if (record) rules.push(record);
  }
  device.destroy();
  const resumed = await attempt('resume', () => checkResume(gpu, storage));
  return {
    adapter: description || `${vendor} ${architecture}`.trim() || 'unnamed',
    limits: limits as RuntimeRecord['limits'],
    features,
    example: first ?? null,
    arithmetic: arithmetic ?? [],
    rules,
    resumed: resumed ?? [],
    failures,
  };
}
