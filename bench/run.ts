/** `npm run bench`: see bench/README.md. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { SingleBar } from 'cli-progress';
import { type BrowserSession, openBrowserSession } from './browser-session.js';
import { CpuClock } from './cpu-clock.js';
import { WARMUP_MEASUREMENTS, interleave } from './interleave.js';
import { type BenchOptions, readOptions } from './options.js';
import type { BenchPage, PeerName, StepCounts } from './protocol.js';
import { type Results, type Row, describeShape, makeRows } from './rows.js';
import { seededUniform } from './statistics.js';
import { formatTable } from './table.js';

/** These may be faster than the limit: they are it, move fewer bytes, or have a cache of their own. */
const NO_GPU_STEPS: readonly PeerName[] = ['limit', 'copy', 'cpu'];

const options = readOptions(process.argv);
const session = await openBrowserSession<BenchPage>('index.html', options.adapter);
try {
  const results = await measureAll(session, options);
  if (options.save) save(results);
  if (options.json) console.log(JSON.stringify(results));
  else console.log(formatTable(results, process.stdout.isTTY));
} finally {
  await session.close();
}

async function measureAll(page: BrowserSession<BenchPage>, chosen: BenchOptions): Promise<Results> {
  const { cases, rules, peers, rounds, seed, minMeasurementMs } = chosen;
  const { adapter, browser } = await page.call('open');
  const heats = cases.flatMap((benchCase) => rules.map((rule) => ({ benchCase, rule })));
  const bar = new SingleBar({
    format: '{bar} {percentage}% | {heat} | {duration_formatted}',
    stream: process.stderr,
    hideCursor: true,
  });
  bar.start(heats.length, 0, { heat: '' });
  const uniform = seededUniform(seed);
  const rows: Row[] = [];
  const shapes = new Map<string, Results['shapes'][number]>();
  for (const [done, { benchCase, rule }] of heats.entries()) {
    // Without a terminal there is no bar, and a silent run of minutes looks dead.
    if (!process.stderr.isTTY) console.error(`${done + 1}/${heats.length} ${benchCase.text} ${rule}`);
    bar.update(done, { heat: `${benchCase.text} ${rule}` });
    const heat = await page.call('prepare', { benchCase, rule, peers, seed });
    const measurements = heat.peers.length * (rounds + WARMUP_MEASUREMENTS);
    const clock = new CpuClock<PeerName>(() => page.gpuProcessCpuMs());
    const measure = (peer: PeerName, steps: number) =>
      clock.observe(peer, steps, () => page.call('measure', peer, steps));
    const times = await interleave(heat.peers, measure, {
      rounds,
      minMeasurementMs,
      uniform,
      onProgress: () => bar.increment(1 / measurements),
    });
    const counts = new Map<PeerName, StepCounts>();
    for (const peer of heat.peers) counts.set(peer, await page.call('count', peer));
    rows.push(...makeRows(benchCase, rule, heat, times, counts, clock.meansMs()));
    shapes.set(benchCase.text, {
      case: benchCase.text,
      ours: describeShape(heat.shape),
      // Tuned for each rule anew; the last stands for all.
      // Of Adam, the only rule it has.
      hand: heat.handShape ? describeShape(heat.handShape) : (shapes.get(benchCase.text)?.hand ?? null),
      limit: heat.limitShape ? describeShape(heat.limitShape) : null,
    });
    await page.call('release');
  }
  warnOfTheImpossible(rows);
  bar.update(heats.length, { heat: 'done' });
  bar.stop();
  const date = new Date().toISOString();
  return { adapter, browser, date, seed, rounds, shapes: [...shapes.values()], rows };
}

/** A fused or unfused step that beats the mere traffic by far has not done its work, or was not waited for. */
function warnOfTheImpossible(rows: readonly Row[]): void {
  for (const row of rows.filter(({ peer }) => !NO_GPU_STEPS.includes(peer))) {
    const limitRow = rows.find((r) => r.peer === 'limit' && r.case === row.case && r.rule === row.rule);
    if (!limitRow || limitRow.minMs < 1.5 * row.minMs) continue;
    console.error(
      `Do not believe ${row.peer} at ${row.case} ${row.rule}: ${row.minMs} ms, limit ${limitRow.minMs}.`,
    );
  }
}

function save(results: Results): void {
  const folder = new URL('results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const name = `${results.date.slice(0, 16).replaceAll(':', '')}-${results.adapter.replaceAll(/\W+/g, '-')}.json`;
  writeFileSync(new URL(name, folder), `${JSON.stringify(results, undefined, 1)}\n`);
  console.error(`Saved bench/results/${name}`);
}
