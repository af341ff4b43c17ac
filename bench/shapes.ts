/**
 * `npx tsx bench/shapes.ts`: sweeps the kernel shape for the library's kernel and for the limit kernel, interleaved,
 * and prints the time of each relative to the best limit. CPU_SHAPE and GPU_SHAPE in src/kernel/shape.ts come from it.
 */
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { SingleBar } from 'cli-progress';
import type { AdapterChoice } from '../scripts/browsers.js';
import type { KernelShape } from '../src/kernel/shape.js';
import { parseElements } from './cases.js';
import { WARMUP_MEASUREMENTS, interleave } from './interleave.js';
import type { KernelPage } from './kernel-protocol.js';
import { openBrowserSession } from './session/browser-session.js';
import type { Session } from './session/session.js';
import { createRandom } from '../lab/random.js';

const WORKGROUP_SIZES = [32, 64, 128, 256];
const LANES_PER_INVOCATION = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const SOURCES = ['ours', 'limit'] as const;
const SEED = 1;

interface Candidate {
  readonly source: (typeof SOURCES)[number];
  readonly shape: KernelShape;
  readonly kernel: number;
}

interface ShapesOptions {
  readonly sizes: string;
  readonly rule: string;
  readonly workgroups: string;
  readonly lanes: string;
  readonly adapter: AdapterChoice;
  readonly rounds: string;
}

const options = new Command('npx tsx bench/shapes.ts')
  .option('--sizes <list>', 'numbers of elements', '1e6,1e7')
  .option('--rule <name>', 'whose kernel', 'adam')
  .option('--workgroups <list>', 'workgroup sizes', WORKGROUP_SIZES.join(','))
  .option('--lanes <list>', 'lanes per invocation', LANES_PER_INVOCATION.join(','))
  .option('--rounds <n>', 'rounds that count', '15')
  .addOption(new Option('--adapter <kind>').choices(['software', 'default']).default('software'))
  .parse(process.argv)
  .opts<ShapesOptions>();

const session = await openBrowserSession<KernelPage>('kernels.html', options.adapter);
try {
  const { adapter, browser } = await session.call('open');
  console.log(`${adapter}, ${browser}: ${options.rule}, least of ${options.rounds} rounds / best limit`);
  for (const size of options.sizes.split(',')) await sweep(session, size, options);
} finally {
  await session.close();
}

async function sweep(
  page: Session<KernelPage>,
  size: string,
  { rule, workgroups, lanes, rounds }: ShapesOptions,
): Promise<void> {
  const elementCount = parseElements(size);
  await page.call('prepare', { rule, elementCount });
  const candidates: Candidate[] = [];
  for (const shape of shapes(workgroups.split(',').map(Number), lanes.split(',').map(Number))) {
    for (const source of SOURCES) {
      candidates.push({ source, shape, kernel: await page.call('add', { source, shape }) });
    }
  }
  const bar = new SingleBar({ format: `${size} {bar} {percentage}%`, stream: process.stderr });
  bar.start(candidates.length * (Number(rounds) + WARMUP_MEASUREMENTS), 0);
  const measure = ({ kernel }: Candidate, steps: number) => page.call('measure', kernel, steps);
  const times = await interleave(candidates, measure, {
    rounds: Number(rounds),
    minMeasurementMs: 20,
    uniform: createRandom(SEED),
    onProgress: () => bar.increment(),
  });
  bar.stop();
  print(size, candidates, times);
}

/** All shapes; with one lane per invocation there is nothing to be consecutive. */
function shapes(workgroupSizes: readonly number[], laneCounts: readonly number[]): KernelShape[] {
  return [true, false].flatMap((consecutive) =>
    workgroupSizes.flatMap((workgroupSize) =>
      laneCounts
        .filter((lanesPerInvocation) => lanesPerInvocation > 1 || !consecutive)
        .map((lanesPerInvocation) => ({ workgroupSize, lanesPerInvocation, consecutive })),
    ),
  );
}

function print(
  size: string,
  candidates: readonly Candidate[],
  times: ReadonlyMap<Candidate, readonly number[]>,
): void {
  // The minimum: other load only ever adds time, and no shape is helped by it.
  const minOf = (candidate: Candidate) => Math.min(...times.get(candidate)!);
  const fastest = (source: Candidate['source']) =>
    candidates
      .filter((candidate) => candidate.source === source)
      .reduce((best, candidate) => (minOf(candidate) < minOf(best) ? candidate : best));
  const limitMs = minOf(fastest('limit'));
  const describe = (candidate: Candidate) => {
    const { workgroupSize, lanesPerInvocation, consecutive } = candidate.shape;
    const order = consecutive ? 'consecutive' : 'a workgroup apart';
    return `${workgroupSize}×${lanesPerInvocation} ${order}, ${minOf(candidate).toPrecision(3)} ms`;
  };
  console.log(
    `\n${size}: best limit ${describe(fastest('limit'))}; best of ours ${describe(fastest('ours'))}`,
  );
  const laneCounts = [...new Set(candidates.map(({ shape }) => shape.lanesPerInvocation))].toSorted(
    (a, b) => a - b,
  );

  const table = new Table({
    head: ['kernel', 'lanes', 'workgroup', ...laneCounts.map(String)],
    style: { compact: true, head: [], border: [] },
  });
  for (const source of SOURCES) {
    for (const consecutive of [true, false]) {
      for (const workgroupSize of new Set(candidates.map(({ shape }) => shape.workgroupSize))) {
        const cells = laneCounts.map((lanesPerInvocation) => {
          const found = candidates.find(
            (candidate) =>
              candidate.source === source &&
              candidate.shape.consecutive === consecutive &&
              candidate.shape.workgroupSize === workgroupSize &&
              candidate.shape.lanesPerInvocation === lanesPerInvocation,
          );
          return found ? (minOf(found) / limitMs).toFixed(2) : '';
        });
        table.push([source, consecutive ? 'consecutive' : 'apart', workgroupSize, ...cells]);
      }
    }
  }
  console.log(table.toString());
}
