import { countCalls } from '../../lab/measuring/page/count-calls.js';
import type { Environment, SuitePage } from '../suite.js';

/** A contestant of a suite, ready to step. */
export interface SuiteContestant {
  /** Encodes and submits one step; what it returns is awaited before the next one. */
  readonly step: () => unknown;
  /** Resolves when all steps so far are done. */
  readonly finish: () => Promise<unknown>;
  /** Some weights as they are now; absent where a step changes none. */
  readonly weights?: () => Promise<ArrayLike<number>>;
  readonly destroy: () => void | Promise<void>;
}

/** Steps before one is counted: buffers that go round in circles do so by then. */
const WARMUP_STEPS = 20;

/** The page of a suite, made of what opens its device and what prepares a contestant. */
export function suitePage<Request>(
  open: () => Promise<Environment>,
  prepare: (request: Request) => Promise<SuiteContestant>,
): SuitePage<Request> {
  let contestants: (SuiteContestant & { hostMs: number })[] = [];
  return {
    open,
    add: async (request) => {
      const contestant = await prepare(request);
      await verify(contestant);
      return contestants.push({ ...contestant, hostMs: Infinity }) - 1;
    },
    measure: async (id, steps) => {
      const contestant = contestants[id]!;
      const { step, finish } = contestant;
      await finish();
      const start = performance.now();
      for (let k = 0; k < steps; k += 1) {
        const pending = step();
        if (pending instanceof Promise) await pending;
      }
      contestant.hostMs = Math.min(contestant.hostMs, (performance.now() - start) / steps);
      await finish();
      return performance.now() - start;
    },
    count: async (id) => {
      const { step, finish, hostMs } = contestants[id]!;
      for (let k = 0; k < WARMUP_STEPS; k += 1) await step();
      await finish();
      const counts = await countCalls(async () => {
        await step();
        await finish();
      });
      return { ...counts, hostMs };
    },
    release: async () => {
      for (const { finish, destroy } of contestants) {
        await finish();
        await destroy();
      }
      contestants = [];
    },
  };
}

/** Makes the first step, and sees that it did its work: a step that is dropped would look wonderfully fast. */
async function verify({ step, finish, weights }: SuiteContestant): Promise<void> {
  const before = weights && Array.from(await weights());
  await step();
  await finish();
  if (!weights) return;
  const after = Array.from(await weights());
  if (!after.every((weight) => Number.isFinite(weight))) throw new Error('Some weights are no numbers.');
  if (after.every((weight, k) => weight === before![k])) throw new Error('A step changes no weight.');
}
