/**
 * `npx tsx bench/variants.ts`: Adam's kernel written in several ways that differ in one thing each, interleaved, as
 * ratios to the limit kernel in the same shape. What the library's kernel does was decided by it.
 */
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import type { AdapterChoice } from '../scripts/browsers.js';
import { CpuClock } from './cpu-clock.js';
import { interleave } from './interleave.js';
import type { KernelPage, KernelRequest } from './kernel-protocol.js';
import { openBrowserSession } from './session/browser-session.js';
import { createRandom } from '../lab/random.js';
import { median, pairedRatio } from './statistics.js';
import { variants } from './variant-kernels.js';

interface VariantsOptions {
  readonly size: string;
  readonly rounds: string;
  readonly workgroup: string;
  readonly lanes: string;
  readonly adapter: AdapterChoice;
}

const SEED = 1;

const options = new Command('npx tsx bench/variants.ts')
  .option('--size <n>', 'number of elements', '1e6')
  .option('--rounds <n>', 'rounds that count', '60')
  .option('--workgroup <n>', 'workgroup size', '64')
  .option('--lanes <n>', 'lanes per invocation', '128')
  .addOption(new Option('--adapter <kind>').choices(['software', 'default']).default('software'))
  .parse(process.argv)
  .opts<VariantsOptions>();

const shape = {
  workgroupSize: Number(options.workgroup),
  lanesPerInvocation: Number(options.lanes),
  consecutive: true,
};
const session = await openBrowserSession<KernelPage>('kernels.html', options.adapter);
try {
  const { adapter, browser } = await session.call('open');
  await session.call('prepare', { rule: 'adam', elementCount: Number(options.size) });
  const contestants: { name: string; prediction: string; kernel: number }[] = [];
  const add = async (name: string, prediction: string, source: KernelRequest['source']) => {
    contestants.push({ name, prediction, kernel: await session.call('add', { source, shape }) });
  };
  await add('limit', '', 'limit');
  await add('the library', '', 'ours');
  for (const { name, prediction, wgsl } of variants()) await add(name, prediction, { wgsl });

  const clock = new CpuClock<(typeof contestants)[number]>(() => session.gpuProcessCpuMs());
  const times = await interleave(
    contestants,
    (contestant, steps) =>
      clock.observe(contestant, steps, () => session.call('measure', contestant.kernel, steps)),
    { rounds: Number(options.rounds), minMeasurementMs: 30, uniform: createRandom(SEED) },
  );
  const cpuMs = clock.meansMs();
  const limit = contestants[0]!;
  const table = new Table({
    head: ['kernel', 'expected', 'median ms', 'cpu ms', '/ limit', '/ limit, cpu'],
    style: { compact: true, head: [], border: [] },
  });
  for (const contestant of contestants) {
    table.push([
      contestant.name,
      contestant.prediction,
      median(times.get(contestant)!).toPrecision(3),
      cpuMs.get(contestant)!.toPrecision(3),
      pairedRatio(times.get(contestant)!, times.get(limit)!).toFixed(2),
      (cpuMs.get(contestant)! / cpuMs.get(limit)!).toFixed(2),
    ]);
  }
  console.log(
    `${adapter}, ${browser}: Adam, ${options.size} elements, shape ${options.workgroup}×${options.lanes} ` +
      `consecutive, ${options.rounds} rounds`,
  );
  console.log(table.toString());
} finally {
  await session.close();
}
