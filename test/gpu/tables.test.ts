import { inject } from 'vitest';
import { adam, momentum } from '../../src/index.js';
import { Random } from '../../proof/random.js';
import { type TableLayout, checkTableParity } from '../../proof/table-parity.js';
import { gpuTest } from '../support/device.js';
import { checkTogether } from '../support/together.js';

/** Structs of a Gaussian: a position, a quaternion, an opacity, colours. */
const STRUCTS: readonly TableLayout[] = [
  { rowLength: 3, dataGap: 0, gradGap: 1 },
  { rowLength: 4, dataGap: 1, gradGap: 0 },
  { rowLength: 1, dataGap: 0, gradGap: 2 },
  { rowLength: 7, dataGap: 2, gradGap: 0 },
];

for (const oneBuffer of [false, true]) {
  gpuTest(
    `columns of structs, ${oneBuffer ? 'gradients among them' : 'gradients apart'}`,
    ({ device, track }) =>
      checkTogether(
        [1, 2, 63, 130],
        (rowCount) => `${rowCount} rows`,
        async (rowCount) => {
          const random = new Random(inject('seed') + rowCount);
          const table = { tables: STRUCTS, rowCount, oneBuffer, steps: 3, random };
          await checkTableParity({ device, track, rule: adam({ lr: 0.01 }), ...table });
        },
      ),
  );
}

/** Each thing that is said of rows by itself, and all of them together. */
const FEATURES: Record<string, Partial<TableLayout>> = {
  limits: { constraint: { min: -0.5, max: 0.25 } },
  'unit rows': { constraint: 'unit-rows' },
  'a mask': { masked: 0.4 },
  'rates per column': { isScaled: true },
  'all of it': { masked: 0.4, isScaled: true, constraint: 'unit-rows' },
  'all but unit rows': { masked: 0.4, isScaled: true, constraint: { max: 0.5 } },
};

/** Columns of structs, rows without gaps, and weights alone as columns of structs. */
const PLACES: readonly TableLayout[] = [
  { rowLength: 6, dataGap: 0, gradGap: 1 },
  { rowLength: 4 },
  { rowLength: 1, dataGap: 2 },
];

for (const [what, feature] of Object.entries(FEATURES)) {
  gpuTest(what, async ({ device, track }) => {
    const tables = PLACES.map((place) => ({ ...place, ...feature }));
    const random = new Random(inject('seed'));
    const rule = momentum({ lr: 0.3, weightDecay: 0.1, weightDecayMode: 'decoupled', nesterov: true });
    await checkTableParity({ device, track, rule, tables, rowCount: 37, oneBuffer: false, steps: 4, random });
  });
}

/** Lanes of an invocation side by side, as on CPU adapters, and a workgroup apart, as on GPUs. */
const SHAPES = [
  { workgroupSize: 32, lanesPerInvocation: 16, consecutive: true },
  { workgroupSize: 64, lanesPerInvocation: 2, consecutive: false },
];

for (const constraint of [undefined, 'unit-rows'] as const) {
  gpuTest(
    `a mask that lets few rows through, or none, ${constraint ?? 'rows without limits'}`,
    ({ device, track }) =>
      checkTogether(
        SHAPES.flatMap((kernel) => [0.9, 0.99, 1].map((masked) => ({ kernel, masked }))),
        ({ kernel, masked }) => `${masked} masked, consecutive ${kernel.consecutive}`,
        async ({ kernel, masked }) => {
          const random = new Random(inject('seed'));
          // Lanes that several rows have a part of, one or two, and rows of whole lanes.
          const tables = [1, 2, 3, 4, 5, 59, 64].map((rowLength) => ({
            rowLength,
            masked,
            ...(constraint && { constraint }),
          }));
          const run = { tables, rowCount: 259, oneBuffer: false, steps: 2, kernel, random };
          await checkTableParity({ device, track, rule: momentum({ lr: 0.3, nesterov: true }), ...run });
        },
      ),
  );
}
