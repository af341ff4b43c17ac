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
