/**
 * `npx tsx bench/dispatches.ts`: where the time of a thousand small dispatches goes. Ways to step 996 tensors of 1000
 * elements that differ in one thing each, interleaved.
 */
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import type { AdapterChoice } from '../scripts/browsers.js';
import { openBrowserSession } from './session/browser-session.js';
import { CpuClock } from './cpu-clock.js';
import { interleave } from './interleave.js';
import type { DispatchPage } from './kernel-protocol.js';
import { createRandom } from '../lab/random.js';
import { median } from './statistics.js';

const SEED = 1;

const options = new Command('npx tsx bench/dispatches.ts')
  .option('--rounds <n>', 'rounds that count', '15')
  .addOption(new Option('--adapter <kind>').choices(['software', 'default']).default('software'))
  .parse(process.argv)
  .opts<{ readonly rounds: string; readonly adapter: AdapterChoice }>();

const session = await openBrowserSession<DispatchPage>('dispatches.html', options.adapter);
try {
  const { adapter, browser, experiments } = await session.call('open');
  const clock = new CpuClock<string>(() => session.gpuProcessCpuMs());
  const encodedMs = new Map<string, number[]>(experiments.map((name) => [name, []]));
  const measure = async (name: string, steps: number): Promise<number> => {
    const times = await clock.observe(name, steps, () =>
      session.call('measure', experiments.indexOf(name), steps),
    );
    encodedMs.get(name)!.push(times.encodedMs / steps);
    return times.doneMs;
  };
  const times = await interleave(experiments, measure, {
    rounds: Number(options.rounds),
    minMeasurementMs: 100,
    uniform: createRandom(SEED),
  });
  const cpuMs = clock.meansMs();
  const table = new Table({
    head: ['experiment', 'median ms', 'min ms', 'cpu ms', 'JavaScript ms'],
    style: { compact: true, head: [], border: [] },
  });
  for (const name of experiments) {
    const row = [
      median(times.get(name)!),
      Math.min(...times.get(name)!),
      cpuMs.get(name)!,
      median(encodedMs.get(name)!),
    ];
    table.push([name, ...row.map((value) => value.toPrecision(3))]);
  }
  console.log(`${adapter}, ${browser}: 996 tensors × 1000 elements, ${options.rounds} rounds`);
  console.log(table.toString());
} finally {
  await session.close();
}
