import fc from 'fast-check';
import type { Case } from '../case/calls.js';
import { cases } from '../draw/cases.js';
import { paletteOf } from '../draw/palettes.js';
import type { Devices } from './devices.js';
import { type Outcome, runCase } from './run-case.js';
import { writeTestFile } from './test-file.js';
import type { Unhandled } from '../../support/unhandled.js';

/** Runs of one case until it is as short as it gets. */
const MOST_SHRINKS = 1500;
const SHRINK_MS = 240_000;
/** Runs of the shortest case, to know whether it fails each time. */
const REPEATS = 5;

/** What became of the cases of a palette. */
export interface PaletteRun {
  readonly caseCount: number;
  readonly callCount: number;
  /** What is to be said of the case that failed, if one did. */
  readonly failure: string | undefined;
}

/** Cases of one palette. */
export interface PaletteOptions {
  /** Of the palette and all its cases; unsigned, 32 bits. */
  readonly seed: number;
  readonly caseCount: number;
  /** Of fast-check, for one case again, or one that it was shrunk to. */
  readonly path?: string | undefined;
  readonly devices: Devices;
  readonly unhandled: Unhandled;
}

/** Runs cases until one fails, which is made as short as it gets. */
export async function fuzzPalette({
  seed,
  caseCount,
  path,
  devices,
  unhandled,
}: PaletteOptions): Promise<PaletteRun> {
  const counts = { cases: 0, calls: 0 };
  let original: { readonly failures: readonly string[]; readonly end: number } | undefined;
  let shrinksLeft = MOST_SHRINKS;
  const run = (given: Case): Promise<Outcome> => runCase(given, devices, unhandled);
  const property = fc.asyncProperty(cases(paletteOf(seed)), async (given) => {
    // A shorter one is looked for no longer.
    if (original && (shrinksLeft-- <= 0 || performance.now() > original.end)) return;
    const { failures, callCount } = await run(given);
    if (!original) {
      counts.cases++;
      counts.calls += callCount;
    }
    if (failures.length === 0) return;
    original ??= { failures, end: performance.now() + SHRINK_MS };
    throw new Error(failures.join('\n'));
  });
  const details = await fc.check(property, {
    // As fast-check has it.
    seed: seed | 0,
    numRuns: caseCount,
    ...(path !== undefined && { path }),
  });
  const [shortest] = details.counterexample ?? [];
  if (!shortest) return { caseCount: counts.cases, callCount: counts.calls, failure: undefined };
  const again: string[][] = [];
  for (let k = 0; k < REPEATS; k++) again.push([...(await run(shortest)).failures]);
  const failed = again.filter((failures) => failures.length > 0);
  const how =
    failed.length === REPEATS
      ? 'It fails each time.'
      : `It fails in ${failed.length} of ${REPEATS} more runs: a matter of time, of which the case below may be a part only.`;
  const failure = [
    `FAILED, replayed by: npm run fuzz -- --seed ${seed} --path ${details.counterexamplePath}`,
    `  first: ${original!.failures.join('\n  ')}`,
    `  shortest, after ${details.numShrinks} of its shorter ones failed, too: ${(failed[0] ?? [(details.errorInstance as Error).message]).join('\n  ')}`,
    `  ${how}`,
    'As a test, to be saved as test/gpu/found.test.ts; npx vitest run --project node test/gpu/found.test.ts:',
    '',
    writeTestFile(shortest, `seed ${seed}, path ${details.counterexamplePath}`),
  ].join('\n');
  return { caseCount: counts.cases, callCount: counts.calls, failure };
}
