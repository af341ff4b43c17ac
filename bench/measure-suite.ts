import { createRandom } from '../lab/random.js';
import { median, pairedRatio, round } from '../lab/measuring/statistics.js';
import { type Measured, measureContestants } from './measure-contestants.js';
import { Progress } from './progress.js';
import type { Session } from './session/session.js';
import type { Heat, StepCosts, SuitePage, SuiteResults, SuiteRow } from './suite.js';

/** What is the same for all heats of a suite. */
export interface SuiteRun {
  readonly suite: string;
  readonly rounds: number;
  readonly minMeasurementMs: number;
  readonly seed: number;
}

/** Measures the heats of a suite, with progress on stderr. */
export async function measureSuite<Request>(
  page: Session<SuitePage<Request>>,
  heats: readonly Heat<Request>[],
  { suite, rounds, minMeasurementMs, seed }: SuiteRun,
): Promise<SuiteResults> {
  const environment = await page.call('open');
  const progress = new Progress(heats.length);
  const uniform = createRandom(seed);
  const rows: SuiteRow[] = [];
  for (const [index, heat] of heats.entries()) {
    progress.begin(index, heat.case);
    const names = Object.keys(heat.contestants);
    for (const name of names) await page.call('add', heat.contestants[name]!);
    const measured = await measureContestants(names, {
      measure: (name, steps, _counts, clock) =>
        clock.observe(name, steps, () => page.call('measure', names.indexOf(name), steps)),
      readCpuMs: () => page.gpuProcessCpuMs(),
      rounds,
      minMeasurementMs,
      uniform,
      onProgress: (share) => progress.advance(share),
    });
    const costs: StepCosts[] = [];
    for (const id of names.keys()) costs.push(await page.call('count', id));
    rows.push(...makeSuiteRows(heat, measured, costs));
    await page.call('release');
  }
  progress.stop();
  const date = new Date().toISOString();
  const names = [...new Set(heats.flatMap(({ baselines }) => baselines))];
  // Of many baselines, the name says which one was taken by its ratio of 1.
  const baseline = names.length === 1 ? names[0]! : 'the best of the baselines';
  return { suite, ...environment, date, seed, rounds, baseline, rows };
}

/** The rows of a heat. */
export function makeSuiteRows(
  heat: Pick<Heat<unknown>, 'case' | 'contestants' | 'baselines'>,
  { times, cpuMs }: Measured<string>,
  costs: readonly StepCosts[],
): SuiteRow[] {
  const leastOf = (name: string): number => Math.min(...times.get(name)!);
  const baseline = heat.baselines.reduce((best, name) => (leastOf(name) < leastOf(best) ? name : best));
  return Object.keys(heat.contestants).map((name, id) => {
    const own = times.get(name)!;
    const cpu = cpuMs.get(name);
    return {
      case: heat.case,
      contestant: name,
      medianMs: round(median(own)),
      minMs: round(leastOf(name)),
      cpuMs: cpu !== undefined && Number.isFinite(cpu) ? round(cpu) : null,
      timesBaseline: round(pairedRatio(own, times.get(baseline)!)),
      ...costs[id]!,
      hostMs: round(costs[id]!.hostMs),
    };
  });
}
