import { resolveCase } from '../lab/measuring/cases.js';
import { fitCurves } from '../lab/measuring/fit.js';
import type { BenchOptions } from './options.js';
import { MAX_STEPS_PER_SUBMIT } from '../lab/measuring/page/gpu-clock.js';
import type { BenchPage, PeerName, StepCounts } from '../lab/measuring/protocol.js';
import { type Results, type Row, describeShape, makeRows, reasonOf } from '../lab/measuring/rows.js';
import { measureContestants } from './measure-contestants.js';
import { Progress } from './progress.js';
import type { Session } from './session/session.js';
import { createRandom } from '../lab/random.js';

/** The GPU's clock starts with the work and stops with it, so fewer steps tell as much as on the wall's. */
const GPU_CLOCK_SHARE = 0.25;

/**
 * Measures everything that was asked for, with progress and remarks on stderr.
 *
 * @throws Error if none of the peers runs in the session.
 */
export async function measureAll(page: Session<BenchPage>, options: BenchOptions): Promise<Results> {
  const { heats, rounds, seed, minMeasurementMs } = options;
  const { adapter, browser, adapterLimit, peers: available } = await page.call('open');
  const [peers, absent] = [true, false].map((wanted) =>
    options.peers.filter((peer) => available.includes(peer) === wanted),
  ) as [PeerName[], PeerName[]];
  if (absent.length > 0) console.error(`Left out, since they need a browser: ${absent.join(', ')}.`);
  if (peers.length === 0) throw new Error('None of the peers is left to measure.');

  const progress = new Progress(heats.length);
  const uniform = createRandom(seed);
  const rows: Row[] = [];
  const shapes = new Map<string, Results['shapes'][number]>();
  for (const [done, { request, rule }] of heats.entries()) {
    const benchCase = resolveCase(request, adapterLimit);
    const heading = `${benchCase.text} ${rule}`;
    progress.begin(done, heading);
    const heat = await page.call('prepare', { benchCase, rule, peers, seed });
    if (heat.cannotHold.length > 0) {
      console.error(`${heading}: too large for ${heat.cannotHold.join(', ')} on this device, left out.`);
    }
    const gpuTimes = new Map<PeerName, number[]>(heat.peers.map((peer) => [peer, []]));
    const { times, cpuMs } = await measureContestants<PeerName>(heat.peers, {
      measure: async (peer, steps, counts, clock) => {
        const ms = await clock.observe(peer, steps, () => page.call('measure', peer, steps));
        if (!counts) return ms;
        const gpuSteps = Math.min(Math.ceil(GPU_CLOCK_SHARE * steps), MAX_STEPS_PER_SUBMIT);
        const gpuMs = await page.call('measureOnGpu', peer, gpuSteps);
        if (gpuMs !== null) gpuTimes.get(peer)!.push(gpuMs / gpuSteps);
        return ms;
      },
      readCpuMs: () => page.gpuProcessCpuMs(),
      rounds,
      minMeasurementMs,
      uniform,
      onProgress: (share) => progress.advance(share),
    });
    const counts = new Map<PeerName, StepCounts>();
    for (const peer of heat.peers) counts.set(peer, await page.call('count', peer));
    rows.push(...makeRows(benchCase, rule, heat, times, counts, cpuMs, gpuTimes));
    if (heat.peers.length > 0) {
      shapes.set(benchCase.text, {
        case: benchCase.text,
        ours: describeShape(heat.shape),
        why: reasonOf(heat.shape),
        // Tuned for each rule anew; the last stands for all.
        // Of Adam, the only rule it has.
        hand: heat.handShape ? describeShape(heat.handShape) : (shapes.get(benchCase.text)?.hand ?? null),
        limit: heat.limitShape ? describeShape(heat.limitShape) : null,
      });
    }
    await page.call('release');
  }
  warnOfTheImpossible(rows);
  progress.stop();
  return {
    adapter,
    browser,
    date: new Date().toISOString(),
    seed,
    rounds,
    shapes: [...shapes.values()],
    rows,
    ...(options.curve && { curve: fitCurves(rows) }),
  };
}

/** These may be faster than the limit: they are it, move fewer bytes, or have a cache of their own. */
const NO_GPU_STEPS: readonly PeerName[] = ['limit', 'copy', 'cpu'];

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
