/** Weights of 2 bytes that are copies of more exact ones: every rule, wherever its tensors lie. */
import { expect, inject } from 'vitest';
import { ruleFactories } from '../../src/rules/registry.js';
import { checkParity } from '../../proof/parity.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { checkTogether } from '../support/together.js';

const KINDS = [
  { masterWeights: 'f32', dtype: 'f16' },
  { masterWeights: 'f32', dtype: 'bf16' },
  { masterWeights: 'split', dtype: 'bf16' },
] as const;
const LENGTHS = [1, 3, 4, 5, 63, 64, 65, 255, 256, 257, 1023, 4099];
const PLACES = [false, true].flatMap((oneBuffer) =>
  [0, 1, 2, 3].map((offset) => ({ oneBuffer, dataOffset: offset, gradOffset: (offset + 1) % 4 })),
);

// A part of them by the seed: each compiles kernels of its own.
gpuTest('every rule steps them as its twin does', async ({ device, track }) => {
  const cases = drawn(
    ruleFactories.flatMap(([name, factory], k) =>
      drawn(PLACES, 4).map((place) => ({
        name,
        factory,
        kind: KINDS[(k + inject('seed')) % KINDS.length]!,
        gradDtype: place.oneBuffer ? undefined : (['f32', 'f16', 'bf16'] as const)[k % 3]!,
        place,
      })),
    ),
    6,
  );
  await checkTogether(
    cases,
    ({ name, kind, gradDtype, place }) => `${name} ${JSON.stringify({ ...kind, gradDtype, ...place })}`,
    async ({ factory, kind, gradDtype = kind.dtype, place: { oneBuffer, ...offsets } }) => {
      const result = await checkParity({
        device,
        track,
        rule: factory(),
        averages: factory.declaration.evaluation ? {} : { ema: { decay: 0.5 } },
        ...kind,
        gradDtype,
        layouts: LENGTHS.map((length) => ({ length, ...offsets })),
        oneBuffer,
        steps: 3,
        random: new Random(inject('seed')),
        boundedElements: 8,
      });
      expect(result.ofBound).toBeLessThan(1);
    },
  );
});
