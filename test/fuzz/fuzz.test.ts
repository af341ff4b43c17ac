/** Calls that are drawn, awaited by nobody, against a model on the CPU: what `npm run fuzz` does, for a while. */
import { afterAll, expect, inject, test } from 'vitest';
import { Devices } from './run/devices.js';
import { fuzzPalette } from './run/fuzz-palette.js';
import { watchUnhandled } from '../support/unhandled.js';

const CASES_EACH = 90;
/** Kernels take longer to compile than cases to run. */
const PALETTES = inject('takesTurns') ? 1 : 2;
/** A case that fails is run again, many times. */
const LIMIT_MS = 900_000;

const devices = new Devices(navigator.gpu);
const unhandled = watchUnhandled();
afterAll(() => {
  devices.destroy();
  unhandled.destroy();
});

test.each(Array.from({ length: PALETTES }, (_, k) => (inject('seed') + k) >>> 0))(
  'cases of seed %i',
  async (seed) => {
    const run = await fuzzPalette({ seed, caseCount: CASES_EACH, devices, unhandled });
    expect(run.failure ?? '').toBe('');
    expect(run.caseCount).toBe(CASES_EACH);
  },
  LIMIT_MS,
);
