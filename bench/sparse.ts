/**
 * `npx tsx bench/sparse.ts`: a step of a table whose gradient names 1 % of its rows, interleaved with the dense step of
 * the whole table, and with the same entries on a table of a tenth of the rows: what a step costs follows from the first.
 */
import { Command, Option } from 'commander';
import type { AdapterChoice } from '../scripts/browsers.js';
import { openBrowserSession } from './session/browser-session.js';
import { interleave } from './interleave.js';
import type { SparsePage, TableRequest } from './sparse-protocol.js';
import { createRandom } from '../lab/random.js';
import { median, pairedRatio } from './statistics.js';

const SEED = 1;

const options = new Command('npx tsx bench/sparse.ts')
  .option('--rows <n>', 'rows of the table', '156250')
  .option('--row-length <n>', 'elements per row', '64')
  .option('--named <n>', 'entries of the gradient', '1562')
  .option('--rule <name>', 'which rule', 'adam')
  .option('--rounds <n>', 'rounds that count', '15')
  .addOption(new Option('--adapter <kind>').choices(['software', 'default']).default('software'))
  .parse(process.argv)
  .opts<Record<'rows' | 'rowLength' | 'named' | 'rule' | 'rounds', string> & { adapter: AdapterChoice }>();

const rowCount = Number(options.rows);
const entryCount = Number(options.named);
const dense: TableRequest = { rule: options.rule, rowCount, rowLength: Number(options.rowLength) };
const requests: [string, TableRequest][] = [
  ['dense, the whole table', dense],
  [`${entryCount} entries`, { ...dense, entryCount }],
  [
    `${entryCount} entries, a tenth of the rows`,
    { ...dense, entryCount, rowCount: Math.ceil(rowCount / 10) },
  ],
];

const session = await openBrowserSession<SparsePage>('sparse.html', options.adapter);
try {
  const { adapter, browser } = await session.call('open');
  const names = new Map<number, string>();
  for (const [name, request] of requests) names.set(await session.call('add', request), name);
  const times = await interleave([...names.keys()], (table, steps) => session.call('measure', table, steps), {
    rounds: Number(options.rounds),
    minMeasurementMs: 200,
    uniform: createRandom(SEED),
  });
  console.log(`${adapter}, ${browser}: ${options.rule}, ${rowCount} rows of ${options.rowLength}`);
  const baseline = times.get(0)!;
  for (const [table, name] of names) {
    const own = times.get(table)!;
    const cells = [Math.min(...own), median(own), pairedRatio(own, baseline)].map((x) => x.toPrecision(3));
    console.log(`| ${name} | min ${cells[0]} ms | median ${cells[1]} ms | × dense ${cells[2]} |`);
  }
} finally {
  await session.close();
}
