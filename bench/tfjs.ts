/**
 * `npx tsx bench/tfjs.ts`: an optimizer step in TensorFlow.js, its own and ours, interleaved on one device; and training
 * with both, from the same weights on the same batches.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { digitsPlugin } from '../demo/digits-plugin.js';
import { mobyDickPlugin } from '../demo/moby-dick-plugin.js';
import type { AdapterChoice, BrowserKind } from '../scripts/browsers.js';
import { CpuClock } from './cpu-clock.js';
import { interleave } from './interleave.js';
import { openBrowserSession } from './session/browser-session.js';
import { createRandom, shuffled } from '../lab/random.js';
import { median, pairedRatio } from './statistics.js';
import type { TfjsContestant, TfjsPage, TfjsRule, TrainingRequest, TrainingRun } from './tfjs-protocol.js';

const SEED = 1;
const RULES: readonly TfjsRule[] = ['adam', 'rmsprop', 'momentum'];
const CONTESTANTS: readonly TfjsContestant[] = ['FusedOptimizer', 'tf.train'];

const options = new Command('npx tsx bench/tfjs.ts')
  .option('--models <names>', 'which models, by commas', 'dense-1e6,digits-cnn')
  .option('--train <names>', 'which models are trained, by commas', 'digits-cnn')
  .option('--rules <names>', 'which rules, by commas', RULES.join(','))
  .option('--steps <n>', 'steps of a training run', '40')
  .option('--runs <n>', 'training runs of each', '3')
  .option('--rounds <n>', 'rounds that count', '9')
  .option('--save', 'write results to bench/results')
  .addOption(new Option('--adapter <kind>').choices(['software', 'default']).default('software'))
  .addOption(new Option('--browser <kind>').choices(['chrome', 'firefox']).default('chrome'))
  .parse(process.argv)
  .opts<{
    models: string;
    train: string;
    rules: string;
    steps: string;
    runs: string;
    rounds: string;
    save?: true;
    adapter: AdapterChoice;
    browser: BrowserKind;
  }>();

const session = await openBrowserSession<TfjsPage>('tfjs.html', options.adapter, {
  browser: options.browser,
  plugins: [digitsPlugin(), mobyDickPlugin()],
});
// Firefox tells that work is done at its next tick, 100 ms apart.
const minMeasurementMs = options.browser === 'firefox' ? 2000 : 200;
const uniform = createRandom(SEED);
const rules = RULES.filter((rule) => listOf(options.rules).includes(rule));
const round = (value: number) => Number(value.toPrecision(4));
try {
  const environment = await session.call('open');
  console.log(`${environment.adapter}, ${environment.browser}, TensorFlow.js ${environment.tfjs}`);
  const steps = [];
  for (const model of listOf(options.models)) {
    for (const rule of rules) steps.push(...(await measureSteps(model, rule)));
  }
  const training = [];
  for (const model of listOf(options.train)) {
    for (const rule of rules) training.push(await measureTraining(model, rule));
  }
  if (options.save) {
    const date = new Date().toISOString();
    const file = `${date.slice(0, 19).replaceAll(':', '')}-tfjs-${environment.adapter.replaceAll(/\W+/g, '-')}.json`;
    const folder = new URL('results/', import.meta.url);
    mkdirSync(folder, { recursive: true });
    const results = { ...environment, date, rounds: Number(options.rounds), steps, training };
    writeFileSync(new URL(file, folder), `${JSON.stringify(results, undefined, 1)}\n`);
    console.error(`Saved bench/results/${file}`);
  }
} finally {
  await session.close();
}

function listOf(names: string): string[] {
  return names.split(',').filter(Boolean);
}

/** Both contestants' optimizer steps, on gradients that stay. */
async function measureSteps(model: string, rule: TfjsRule) {
  const ids = new Map<TfjsContestant, number>();
  for (const contestant of CONTESTANTS) {
    ids.set(contestant, await session.call('add', { model, rule, contestant }));
  }
  const clock = new CpuClock<TfjsContestant>(() => session.gpuProcessCpuMs());
  const times = await interleave(
    CONTESTANTS,
    (contestant, count) =>
      clock.observe(contestant, count, () => session.call('measure', ids.get(contestant)!, count)),
    { rounds: Number(options.rounds), minMeasurementMs, uniform },
  );
  const cpu = clock.meansMs();
  const rows = [];
  for (const contestant of CONTESTANTS) {
    const own = times.get(contestant)!;
    rows.push({
      model,
      rule,
      contestant,
      medianMs: round(median(own)),
      minMs: round(Math.min(...own)),
      cpuMs: round(cpu.get(contestant)!),
      timesOurs: round(pairedRatio(own, times.get('FusedOptimizer')!)),
      ...(await session.call('count', ids.get(contestant)!)),
    });
    await session.call('release', ids.get(contestant)!);
  }
  console.table(rows);
  return rows;
}

/** Both contestants' training, from the same weights on the same batches. */
async function measureTraining(model: string, rule: TfjsRule) {
  const runs = new Map<TfjsContestant, TrainingRun[]>(CONTESTANTS.map((contestant) => [contestant, []]));
  // The first round compiles, and does not count.
  for (let k = 0; k <= Number(options.runs); k += 1) {
    for (const contestant of shuffled(CONTESTANTS, uniform)) {
      const run = await trainOnce({ model, rule, contestant });
      if (k > 0) runs.get(contestant)!.push(run);
    }
  }
  const [ours, theirs] = CONTESTANTS.map((contestant) => runs.get(contestant)!) as [
    TrainingRun[],
    TrainingRun[],
  ];
  const msOf = (list: readonly TrainingRun[]) => list.map(({ ms }) => ms);
  const [own, other] = [ours[0]!.losses, theirs[0]!.losses];
  const difference = Math.max(...own.map((loss, k) => Math.abs(loss - other[k]!)));
  const summary = {
    model,
    rule,
    steps: own.length,
    oursMs: round(median(msOf(ours))),
    theirsMs: round(median(msOf(theirs))),
    timesOurs: round(pairedRatio(msOf(theirs), msOf(ours))),
    firstLoss: round(own[0]!),
    oursLastLoss: round(own.at(-1)!),
    theirsLastLoss: round(other.at(-1)!),
    largestLossDifference: round(difference),
  };
  console.table([summary]);
  return { ...summary, oursLosses: own.map(round), theirsLosses: other.map(round) };
}

async function trainOnce(request: TrainingRequest): Promise<TrainingRun> {
  const id = await session.call('add', request);
  const run = await session.call('train', id, Number(options.steps));
  await session.call('release', id);
  return run;
}
