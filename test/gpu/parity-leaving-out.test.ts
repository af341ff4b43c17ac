import { inject } from 'vitest';
import { paritySuite } from '../../proof/parity-suite.js';
import { gpuTest } from '../support/device.js';

for (const { title, check } of paritySuite(inject('seed')).leavingOut) {
  gpuTest(title, async ({ device, track }) => {
    await check(device, track);
  });
}
