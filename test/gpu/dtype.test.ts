/** Weights and gradients of 2 bytes: every rule, wherever its tensors lie, and all that becomes of them. */
import { expect, inject } from 'vitest';
import { bf16 } from '../../src/codecs/bf16.js';
import { f16 } from '../../src/codecs/f16.js';
import { Optimizer, ReferenceOptimizer, sgd } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { checkParity } from '../../proof/parity.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { aroundMiddles, makeHalves } from '../support/halves.js';
import { makeBuffer } from '../support/tensors.js';
import { checkTogether } from '../support/together.js';

const DTYPES = ['f32', 'f16', 'bf16'] as const;
const PAIRS = DTYPES.flatMap((dtype) => DTYPES.map((gradDtype) => ({ dtype, gradDtype }))).slice(1);
const LENGTHS = [1, 3, 4, 5, 63, 64, 65, 255, 256, 257, 1023, 4099];
const PLACES = [false, true].flatMap((oneBuffer) =>
  [0, 1, 2, 3].map((offset) => ({ oneBuffer, dataOffset: offset, gradOffset: (offset + 1) % 4 })),
);

// A part of them by the seed: each compiles kernels of its own.
gpuTest('every rule steps weights and gradients of 2 bytes as its twin does', async ({ device, track }) => {
  const cases = drawn(
    ruleFactories.flatMap(([name, factory], k) => {
      const dtypes = PAIRS[(k + inject('seed')) % PAIRS.length]!;
      const places = PLACES.filter(({ oneBuffer }) => !oneBuffer || dtypes.dtype === dtypes.gradDtype);
      const seed = k % 2 === 1 && dtypes.dtype !== 'f32' ? { seed: 2 ** 52 + k } : {};
      return drawn(places, places.length).map((place) => ({
        name,
        factory,
        dtypes: { ...dtypes, ...seed },
        place,
      }));
    }),
    4,
  );
  await checkTogether(
    cases,
    ({ name, dtypes, place }) => `${name} ${JSON.stringify({ ...dtypes, ...place })}`,
    async ({ factory, dtypes, place: { oneBuffer, ...offsets } }) => {
      await checkParity({
        device,
        track,
        rule: factory(),
        averages: factory.declaration.evaluation ? {} : { ema: { decay: 0.5 } },
        ...dtypes,
        layouts: LENGTHS.map((length) => ({ length, ...offsets })),
        oneBuffer,
        steps: 3,
        random: new Random(inject('seed')),
        boundedElements: 8,
      });
    },
  );
});

gpuTest('whatever a weight becomes is rounded as its twin is', async ({ device, track }) => {
  for (const [dtype, codec, infinity, above] of [
    ['f16', f16, 0x7c00, 65536],
    ['bf16', bf16, 0x7f80, 2 ** 128],
  ] as const) {
    // What is no normal float32 is flushed by some adapters only.
    const values = Float32Array.from(drawn([...aroundMiddles(codec, infinity, above)], 16)).filter(
      (value) => !(Math.abs(value) < 2 ** -126),
    );
    for (const rounding of [{}, { stochasticRounding: true, seed: inject('seed') }]) {
      const config = { rule: sgd({ lr: 1 }), ...rounding };
      const data = makeHalves(device, track, dtype, new Float32Array(values.length));
      const grad = makeBuffer(
        device,
        track,
        values.map((value) => -value),
      );
      const params = [{ name: 'w', dtype, data, grad, length: values.length }];
      const optimizer = track(await Optimizer.create(device, { ...config, params }));
      const twin = new ReferenceOptimizer({
        ...config,
        precision: 'f32',
        params: [{ name: 'w', dtype, data: new Float32Array(values.length) }],
      });
      optimizer.step();
      twin.step([values.map((value) => -value)]);
      const want = Float32Array.from(twin.readParam('w'));
      expect(bitDifference(await optimizer.readParam('w'), want), dtype).toBeUndefined();
    }
  }
});
