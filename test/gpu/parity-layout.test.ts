import { inject } from 'vitest';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { gpuTest } from '../support/device.js';
import { isTurn, takesAll } from '../support/draw.js';
import { checkParity } from '../../proof/parity.js';
import { Random } from '../../proof/random.js';
import { checkTogether } from '../support/together.js';

const LENGTHS = [1, 3, 4, 5, 63, 64, 65, 255, 256, 257, 1023, 4095, 4097, 8191];
const OFFSETS = [0, 1, 2, 3];
const PLACES = [false, true].flatMap((oneBuffer) =>
  OFFSETS.flatMap((dataOffset) => OFFSETS.map((gradOffset) => ({ oneBuffer, dataOffset, gradOffset }))),
);

type Place = (typeof PLACES)[number];

const slotCounts = ruleFactories.map(([, factory]) => layoutOf(factory()).slots.length);
const random = new Random(inject('seed'));

for (const [index, [name, factory]] of ruleFactories.entries()) {
  const count = slotCounts[index]!;
  // One rule for each number of bindings goes everywhere in four runs; an index that shifts mixes offsets and buffers. The
  // others go to one place that the seed draws: the way to an element is the template's, and the rules share it.
  const everywhere = PLACES.filter((_, k) => isTurn(k + (k >> 1) + (k >> 3), 4));
  const places = takesAll || slotCounts.indexOf(count) === index ? everywhere : [random.pick(PLACES)];
  const nameOf = ({ oneBuffer, dataOffset, gradOffset }: Place) =>
    `data +${dataOffset}, grad +${gradOffset} in ${oneBuffer ? 'one buffer' : 'two buffers'}`;
  gpuTest(`${name}, every length, ${places.length} places`, ({ device, track }) =>
    checkTogether(places, nameOf, async ({ oneBuffer, dataOffset, gradOffset }) => {
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
    }),
  );
}
