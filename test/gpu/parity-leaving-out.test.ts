import { inject } from 'vitest';
import { paritySuite } from '../../proof/parity-suite.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';

for (const { title, check } of drawn(paritySuite(inject('seed')).leavingOut, 5)) {
  gpuTest(title, async ({ device, track }) => {
    await check(device, track);
  });
}
