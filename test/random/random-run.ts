import { mulberry32, Random } from '../../proof/random.js';
import type { Case } from './calls.js';
import { drawCase } from './draw-case.js';
import { describeCall } from './perform.js';
import { drawPalette } from './plans.js';
import { type Outcome, type Unhandled, runCase } from './run-case.js';
import { shrink } from './shrink.js';

/** What `npm run random` was asked for. */
export interface RandomRunOptions {
  readonly minutes: number;
  readonly seed: number;
  /** Only this one, if given. */
  readonly only?: number | undefined;
  readonly gpu: GPU;
  readonly log: (line: string) => void;
}

/** A device keeps each kernel that it ever compiled, so that it is changed now and then. */
const CASES_PER_DEVICE = 400;
/** Cases in a row with the same rules and settings. */
const CASES_PER_PALETTE = 60;
const REPORT_MS = 60_000;
/** Who fails more often than this has one cause, and need not look for it any further. */
const MOST_FAILURES = 20;

/**
 * Runs cases until time is over.
 *
 * @returns how many failed.
 */
export async function randomRun({ minutes, seed, only, gpu, log }: RandomRunOptions): Promise<number> {
  const unhandled = noteUnhandled();
  const devices = new Devices(gpu);
  const end = performance.now() + 60_000 * minutes;
  let nextReport = performance.now() + REPORT_MS;
  let [cases, calls, failed] = [0, 0, 0];
  const report = () =>
    log(`${new Date().toISOString()} seed ${seed}: ${cases} cases, ${calls} calls, ${failed} failures`);
  for (let k = only ?? 0; only === undefined ? performance.now() < end : k === only; k++) {
    const drawn = caseOf(seed, k);
    const outcome = await devices.run(drawn, (device) => runCase(drawn, drawn.calls, device, unhandled));
    cases++;
    calls += outcome.callCount;
    if (outcome.failures.length > 0) {
      failed++;
      await explain(drawn, outcome, devices, unhandled, log);
      if (failed >= MOST_FAILURES) break;
    }
    if (performance.now() < nextReport) continue;
    report();
    nextReport += REPORT_MS;
  }
  report();
  devices.destroy();
  return failed;
}

/** The case of a number: each is drawn by itself, so that one may be run alone. */
function caseOf(seed: number, k: number): Case {
  const turn = Math.floor(k / CASES_PER_PALETTE);
  // Not all runs begin with the same rules.
  const palette = drawPalette(randomOf(seed, -1 - turn), turn + (seed % 21));
  return drawCase(randomOf(seed, k), palette, `--seed ${seed} --case ${k}`);
}

/** Neighbouring numbers give sequences that have nothing to do with each other. */
function randomOf(seed: number, k: number): Random {
  const mixed = mulberry32(seed ^ Math.imul(k, 0x9e3779b1));
  return new Random(Math.floor(mixed() * 2 ** 32));
}

async function explain(
  drawn: Case,
  { failures }: Outcome,
  devices: Devices,
  unhandled: Unhandled,
  log: (line: string) => void,
): Promise<void> {
  log(`FAILED ${drawn.title}\n  ${failures.join('\n  ')}`);
  for (const plan of drawn.plans) log(`  optimizer ${JSON.stringify(plan)}`);
  const short = await shrink(drawn, (calls) =>
    devices.run(drawn, (device) => runCase(drawn, calls, device, unhandled)),
  );
  if (!short) {
    log(`  not again; it was made of\n    ${drawn.calls.map((call) => describeCall(call)).join('\n    ')}`);
    return;
  }
  log(`  shortest calls:\n    ${short.calls.map((call) => describeCall(call)).join('\n    ')}`);
  log(`  which fail so:\n    ${short.failures.join('\n    ')}`);
}

/** Devices for cases: one for many of them, and one each for those that lose it. */
class Devices {
  #shared: GPUDevice | undefined;
  #uses = 0;

  constructor(private readonly gpu: GPU) {}

  async run({ losesDevice }: Case, use: (device: GPUDevice) => Promise<Outcome>): Promise<Outcome> {
    if (losesDevice) {
      const own = await this.#request();
      try {
        return await use(own);
      } finally {
        own.destroy();
      }
    }
    if (this.#uses++ >= CASES_PER_DEVICE) this.destroy();
    this.#shared ??= await this.#request();
    return use(this.#shared);
  }

  destroy(): void {
    this.#shared?.destroy();
    this.#shared = undefined;
    this.#uses = 0;
  }

  async #request(): Promise<GPUDevice> {
    const adapter = await this.gpu.requestAdapter();
    if (!adapter)
      throw new Error('requestAdapter() gave null: Node found no Vulkan driver that Dawn can use.');
    // Rules with the most state, and all averages, need more than every device has.
    const { maxStorageBuffersPerShaderStage } = adapter.limits;
    return adapter.requestDevice({
      label: 'random run',
      requiredLimits: { maxStorageBuffersPerShaderStage },
    });
  }
}

function noteUnhandled(): Unhandled {
  const errors: string[] = [];
  process.on('unhandledRejection', (reason) =>
    errors.push(reason instanceof Error ? (reason.stack ?? '') : String(reason)),
  );
  return { take: () => errors.splice(0) };
}
