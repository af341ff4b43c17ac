import type { BenchCase } from '../../lab/measuring/cases.js';
import { WARMUP_MEASUREMENTS, interleave } from '../../lab/measuring/interleave.js';
import type { BenchPage, Heat, StepCounts } from '../../lab/measuring/protocol.js';
import { type Results, type Row, describeShape, makeRows, reasonOf } from '../../lab/measuring/rows.js';
import { createRandom } from '../../lab/random.js';
import { whenVisible } from '../site/visibility.js';
import { GpuLostError, isAborted, lossIsKnown } from '../site/webgpu.js';
import type { DemoPeer } from './peers.js';

/** Sizes that are tried in turn when the largest that fits is asked for. */
export const LADDER: readonly number[] = [1e4, 1e5, 1e6, 3e6, 1e7, 3e7, 1e8, 3e8, 1e9];

/** A size that took longer than this to measure is the last: the next takes several times as long. */
const LONG_MS = 15_000;

/** The reason to abort a measurement with that keeps what is measured so far. */
export const STOPPED = new Error('The measurement was stopped.');

/** What to measure. */
export interface MeasurementRequest {
  /** One after the other. */
  readonly rules: readonly string[];
  /** Elements of the tensor, one size after the other. */
  readonly sizes: readonly number[];
  readonly peers: readonly DemoPeer[];
  readonly rounds: number;
  /** A measurement takes as many steps as fill about this time. */
  readonly minMeasurementMs: number;
  readonly seed: number;
}

/** What is heard on the way. */
export interface MeasurementListener {
  /** A size is being prepared: compiled, filled, its first step checked. */
  preparing(text: string): void;
  /** It is ready, for those who have the rule and can hold it; each is measured `measurements` times. */
  prepared(peers: readonly DemoPeer[], measurements: number): void;
  /** A peer was measured once: milliseconds per step. */
  measured(peer: DemoPeer, elements: number, msPerStep: number): void;
  /** A size is done. */
  finished(rows: readonly Row[]): void;
}

/** Why the sizes ended before the last one that was asked for. */
export type EndReason =
  | 'all measured'
  | 'stopped'
  | 'too large for the memory'
  | 'a larger size would take long';

/** What the page shows and copies: the same as the benchmark's `--json`. */
export interface Measurement {
  readonly results: Results;
  readonly end: EndReason;
}

/**
 * Measures rules in turn, and sizes of each until one does not fit or the steps get slow, with the benchmark's own code.
 *
 * @param signal ends the measurement: with the sizes done so far if its reason is {@link STOPPED}, else with its reason.
 * @throws Error if not even the first size fits, and the signal's reason.
 */
export async function measureSizes(
  page: BenchPage,
  request: MeasurementRequest,
  listener: MeasurementListener,
  signal: AbortSignal,
): Promise<Measurement> {
  const { adapter, browser } = await page.open();
  const { rules, sizes, rounds, seed } = request;
  const rows: Row[] = [];
  const shapes = new Map<string, Results['shapes'][number]>();
  let end: EndReason = 'all measured';
  /** Of these rules, larger sizes are left out. */
  const ended = new Set<string>();
  const turns = rules.flatMap((name) => sizes.map((size) => [name, size] as const));
  for (const [rule, elements] of turns) {
    if (ended.has(rule)) continue;
    const benchCase = caseOf(elements);
    try {
      listener.preparing(`${rule}, ${benchCase.text}`);
      const start = performance.now();
      const heat = await page.prepare({ benchCase, rule, peers: request.peers, seed });
      if (heat.cannotHold.includes('ours')) {
        if (rows.length === 0) throw new Error(doesNotFit(elements));
        end = 'too large for the memory';
        ended.add(rule);
        continue;
      }
      const found = await measureHeat(page, request, rule, benchCase, heat, listener, signal);
      rows.push(...found);
      shapes.set(benchCase.text, {
        case: benchCase.text,
        ours: describeShape(heat.shape),
        why: reasonOf(heat.shape),
        hand: null,
        limit: heat.limitShape ? describeShape(heat.limitShape) : null,
      });
      listener.finished(found);
      if (elements !== sizes.at(-1) && performance.now() - start > LONG_MS) {
        end = 'a larger size would take long';
        ended.add(rule);
      }
    } catch (error) {
      await lossIsKnown();
      if (!signal.aborted) throw isAborted(error) ? new GpuLostError(error.message) : error;
      if (signal.reason !== STOPPED) throw signal.reason;
      end = 'stopped';
      break;
    } finally {
      await page.release();
    }
  }
  return {
    results: {
      adapter,
      browser,
      date: new Date().toISOString(),
      seed,
      rounds,
      shapes: [...shapes.values()],
      rows,
    },
    end,
  };
}

async function measureHeat(
  page: BenchPage,
  { rounds, minMeasurementMs, seed }: MeasurementRequest,
  rule: string,
  benchCase: BenchCase,
  heat: Heat,
  listener: MeasurementListener,
  signal: AbortSignal,
): Promise<Row[]> {
  const measure = async (peer: DemoPeer, steps: number): Promise<number> => {
    for (;;) {
      await whenVisible();
      signal.throwIfAborted();
      const ms = await seenThroughout(() => page.measure(peer, steps));
      if (ms === undefined) continue;
      // A few steps may take no time on a browser's coarse clock.
      if (ms > 0) listener.measured(peer, benchCase.elementsPerTensor, ms / steps);
      return ms;
    }
  };
  const measured = heat.peers as readonly DemoPeer[];
  listener.prepared(measured, rounds + WARMUP_MEASUREMENTS);
  const times = await interleave(measured, measure, {
    rounds,
    minMeasurementMs,
    uniform: createRandom(seed),
  });
  const counts = new Map<DemoPeer, StepCounts>();
  for (const peer of measured) counts.set(peer, await page.count(peer));
  // On a lost device all of this takes no time, and succeeds.
  await lossIsKnown();
  signal.throwIfAborted();
  return makeRows(benchCase, rule, heat, times, counts);
}

/** The result, unless the page was hidden meanwhile: a browser slows such a page down, or freezes it. */
async function seenThroughout<T>(measure: () => Promise<T>): Promise<T | undefined> {
  let wasHidden = false;
  const hide = (): unknown => (wasHidden = true);
  document.addEventListener('visibilitychange', hide);
  try {
    const result = await measure();
    return wasHidden ? undefined : result;
  } finally {
    document.removeEventListener('visibilitychange', hide);
  }
}

const doesNotFit = (elements: number): string =>
  `${elements.toLocaleString('en')} elements do not fit into the GPU's memory. Choose fewer, or close what else uses the GPU.`;

function caseOf(elements: number): BenchCase {
  return {
    text: elements.toExponential().replace('e+', 'e'),
    tensorCount: 1,
    elementsPerTensor: elements,
  };
}
