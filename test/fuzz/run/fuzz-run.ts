import { Devices } from './devices.js';
import { fuzzPalette } from './fuzz-palette.js';
import { watchUnhandled } from '../../support/unhandled.js';

/** What `npm run fuzz` was asked for. */
export interface FuzzOptions {
  readonly cases: number;
  readonly minutes: number;
  /** Unsigned, 32 bits. */
  readonly seed: number;
  /** Only this case, or one that it was shrunk to. */
  readonly path?: string | undefined;
  readonly gpu: GPU;
  readonly log: (line: string) => void;
}

/** Cases in a row with the same rules and settings. */
const CASES_PER_PALETTE = 60;
const REPORT_MS = 60_000;
/** Who fails more often than this has one cause, and need not look for it any further. */
const MOST_FAILURES = 20;

/**
 * Runs cases until there were enough of them, or time is over. Each palette has a seed of its own, one after the other from that which
 * was given, so that the failing one may be run alone.
 *
 * @returns how many failed.
 */
export async function fuzz({ cases, minutes, seed, path, gpu, log }: FuzzOptions): Promise<number> {
  const unhandled = watchUnhandled();
  const devices = new Devices(gpu);
  const end = performance.now() + 60_000 * minutes;
  let nextReport = performance.now() + REPORT_MS;
  let [caseCount, callCount, failed] = [0, 0, 0];
  const report = () =>
    log(
      `${new Date().toISOString()} seed ${seed}: ${caseCount} cases, ${callCount} calls, ${failed} failures`,
    );
  for (let turn = 0; caseCount < cases && performance.now() < end && failed < MOST_FAILURES; turn++) {
    const run = await fuzzPalette({
      seed: (seed + turn) >>> 0,
      caseCount: Math.min(CASES_PER_PALETTE, cases - caseCount),
      path,
      devices,
      unhandled,
    });
    caseCount += run.caseCount;
    callCount += run.callCount;
    if (run.failure !== undefined) {
      failed++;
      log(run.failure);
    }
    if (path !== undefined) break;
    if (performance.now() < nextReport) continue;
    report();
    nextReport += REPORT_MS;
  }
  report();
  devices.destroy();
  unhandled.destroy();
  return failed;
}
