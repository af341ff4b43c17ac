/** Norms of parameters and gradients, on demand. */
import { expect, inject } from 'vitest';
import { Optimizer, type ParameterNorms, adam, sgd } from '../../src/index.js';
import { Random } from '../../proof/random.js';
import { NORM_TOLERANCE, exactNorm, makeTensors } from '../support/control-tensors.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeWords } from '../support/sparse-run.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

/** The norms are near those, in float64. */
function expectNear(got: ParameterNorms, param: number, grad: number): void {
  expect(Math.abs(got.param / param - 1)).toBeLessThan(NORM_TOLERANCE);
  expect(Math.abs(got.grad / grad - 1)).toBeLessThan(NORM_TOLERANCE);
}

gpuTest('of every parameter, as it was at the call', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const gradients = [1, 3, 255, 4099, 20_001].map((length) => random.gradients(length));
  const tensors = makeTensors(device, track, gradients, random);
  const params = tensors.map(({ parameter }) => parameter);
  const optimizer = track(
    await Optimizer.create(device, { rule: adam(), params, lossScale: { init: 8 }, gradScale: 0.5 }),
  );
  const before = optimizer.norms();
  const again = optimizer.norms();
  optimizer.step();
  optimizer.gradScale = 1;
  const other = random.gradients(gradients[1]!.length);
  tensors[1]!.upload(other);
  const after = optimizer.norms();
  const norms = await before;
  expect(Object.keys(norms)).toEqual(params.map(({ name }) => name));
  expect(await again).toEqual(norms);
  for (const [k, { weights }] of tensors.entries()) {
    expectNear(norms[`w${k}`]!, exactNorm([weights]), exactNorm([gradients[k]!]) / 16);
  }
  const weights = await optimizer.readParam('w1');
  expectNear((await after)['w1']!, exactNorm([weights]), exactNorm([other]) / 8);
  // A group that joins, and a buffer that is another one.
  await optimizer.addGroup({ params: [makeParameter(device, track, 'late', [3, 4], [0, 0])] });
  optimizer.rebind({ w0: { grad: makeBuffer(device, track, [7]) } });
  const grown = await optimizer.norms();
  expect(grown['late']).toEqual({ param: 5, grad: 0 });
  expect(grown['w0']!.grad).toBe(7 / 8);
  optimizer.destroy();
  expect((await errorOf(() => optimizer.norms())).code).toBe('destroyed');
});

gpuTest('of all magnitudes, and of what is not finite', async ({ device, track }) => {
  const params = [
    makeParameter(device, track, 'extreme', [3e30, 4e30], [3e-30, 4e-30]),
    makeParameter(device, track, 'mixed', [3e38, 3e38], [1e-30, 5]),
    makeParameter(device, track, 'bad', [1, Infinity], [NaN, Infinity]),
  ];
  const optimizer = track(await Optimizer.create(device, { rule: sgd(), params }));
  const { extreme, mixed, bad } = await optimizer.norms();
  expectNear(extreme!, 5e30, 5e-30);
  // Beyond what a float32 holds.
  expectNear(mixed!, 3e38 * Math.SQRT2, 5);
  expect(bad).toEqual({ param: Infinity, grad: NaN });
});

gpuTest('of a sparse gradient, that of the sums of its rows', async ({ device, track }) => {
  const optimizer = track(
    await Optimizer.create(device, {
      rule: sgd(),
      params: [
        {
          name: 'table',
          data: makeBuffer(device, track, new Float32Array(12).fill(2)),
          rowLength: 2,
          grad: {
            // Row 1 twice; the last entry does not count, and row 9 is not there.
            indices: makeWords(device, track, [1, 9, 1, 4]),
            values: makeBuffer(device, track, [1, 2, 50, 50, 2, 2, 70, 70]),
            count: makeWords(device, track, [3]),
          },
        },
      ],
    }),
  );
  expect(await optimizer.norms()).toEqual({ table: { param: Math.sqrt(48), grad: 5 } });
});
