/** Every rule of matrices with its options, against the reference. */
import { inject } from 'vitest';
import { type MatrixCase, matrixParitySuite } from '../../proof/matrix-parity.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { checkTogether } from '../support/together.js';

const { single, combined, kept, large } = matrixParitySuite(inject('seed'));

const test = (title: string, cases: readonly MatrixCase[], steps: number) =>
  gpuTest(`${title}: ${cases.length}`, ({ device, track }) =>
    checkTogether(
      cases,
      (each) => each.title,
      async (each) => {
        await each.check(device, track, steps);
      },
    ),
  );

test('each setting of each option', drawn(single, 3), 4);
test('settings combined', drawn(combined, 4), 3);
test('other dtypes, averages and clips', drawn(kept, 2), 4);
test('matrices of several tiles', large, 2);
