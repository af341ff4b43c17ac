/**
 * `npx tsx bench/jax.ts`: Adam on jax-js's arrays, by webgpu-optim/jax and by optax's equations in one jit'ed function,
 * interleaved in one page: the step alone, and the training step of a small network.
 */
import { Command, Option } from 'commander';
import type { AdapterChoice } from '../scripts/browsers.js';
import { openBrowserSession } from './session/browser-session.js';
import { resultName, saveFiles, toJson } from './session/save-results.js';
import { interleave } from './interleave.js';
import type { JaxCase, JaxContestant, JaxPage } from './jax-protocol.js';
import { createRandom } from '../lab/random.js';
import { median, pairedRatio } from './statistics.js';

const SEED = 1;
const CONTESTANTS: readonly JaxContestant[] = ['ours', 'optax'];
const CASES: Readonly<Record<string, JaxCase>> = {
  '1e6': { kind: 'step', tensorCount: 1, elementsPerTensor: 1e6 },
  '100x1e4': { kind: 'step', tensorCount: 100, elementsPerTensor: 1e4 },
  'training 64-256-256-10': { kind: 'training', layers: [64, 256, 256, 10], batchSize: 32 },
};

const options = new Command('npx tsx bench/jax.ts')
  .option('--rounds <n>', 'rounds that count', '15')
  .option('--save', 'also write JSON to bench/results')
  .addOption(new Option('--adapter <kind>').choices(['software', 'default']).default('software'))
  .parse(process.argv)
  .opts<{ rounds: string; save?: boolean; adapter: AdapterChoice }>();

const session = await openBrowserSession<JaxPage>('jax.html', options.adapter);
try {
  const { adapter, browser } = await session.call('open');
  console.log(`${adapter}, ${browser}: Adam`);
  const rows: object[] = [];
  for (const [name, benchCase] of Object.entries(CASES)) {
    const indices: number[] = [];
    for (const contestant of CONTESTANTS) indices.push(await session.call('add', contestant, benchCase));
    const times = await interleave(indices, (index, steps) => session.call('measure', index, steps), {
      rounds: Number(options.rounds),
      minMeasurementMs: 200,
      uniform: createRandom(SEED),
    });
    const ours = times.get(indices[0]!)!;
    for (const [k, contestant] of CONTESTANTS.entries()) {
      const own = times.get(indices[k]!)!;
      if ((await session.call('weights', indices[k]!)).some((weight) => !Number.isFinite(weight))) {
        throw new Error(`${name}: the weights of ${contestant} are no numbers.`);
      }
      const calls = await session.call('count', indices[k]!);
      const [min, middle, ratio] = [Math.min(...own), median(own), pairedRatio(own, ours)];
      rows.push({
        case: name,
        contestant,
        minMs: min,
        medianMs: middle,
        timesOurs: ratio,
        ...calls,
        ms: own,
      });
      const cells = [min, middle, ratio].map((value) => value.toPrecision(3));
      console.log(
        `| ${name} | ${contestant} | min ${cells[0]} ms | median ${cells[1]} ms | × ours ${cells[2]} | ` +
          `${calls.dispatches} dispatches | ${calls.newObjects} new objects |`,
      );
    }
  }
  const results = { date: new Date().toISOString(), adapter, browser, rule: 'adam', rows };
  if (options.save) saveFiles({ [`jax-${resultName(results)}.json`]: toJson(results) });
} finally {
  await session.close();
}
