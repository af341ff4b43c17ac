import { inject } from 'vitest';
import { ruleFactories } from '../../src/rules/registry.js';
import { gpuTest } from '../support/device.js';
import { checkParity } from '../support/parity.js';
import { Random } from '../support/random.js';

const LENGTHS = [1, 3, 4, 5, 63, 64, 65, 255, 256, 257, 1023, 4095, 4097, 8191];
const OFFSETS = [0, 1, 2, 3];

for (const [name, factory] of ruleFactories) {
  for (const oneBuffer of [false, true]) {
    for (const dataOffset of OFFSETS) {
      for (const gradOffset of OFFSETS) {
        const where = oneBuffer ? 'in one buffer' : 'in two buffers';
        gpuTest(
          `${name}, every length, data +${dataOffset}, grad +${gradOffset} ${where}`,
          async ({ device, track }) => {
            await checkParity({
              device,
              track,
              rule: factory(),
              layouts: LENGTHS.map((length) => ({ length, dataOffset, gradOffset })),
              oneBuffer,
              steps: 3,
              random: new Random(inject('seed') + 16 * dataOffset + gradOffset),
              boundedElements: 8,
            });
          },
        );
      }
    }
  }
}
