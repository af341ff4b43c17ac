/** Norms of parameters and gradients, on demand. */
import { expect, inject, vi } from 'vitest';
import { Optimizer, type Parameter, type ParameterNorms, adam, sgd } from '../../src/index.js';
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
  const values = makeBuffer(device, track, [1, 2, 50, 50, 2, 2, 70, 70]);
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
            values,
            count: makeWords(device, track, [3]),
          },
        },
      ],
    }),
  );
  expect(await optimizer.norms()).toEqual({ table: { param: Math.sqrt(48), grad: 5 } });
  // Others, without a step.
  device.queue.writeBuffer(values, 0, Float32Array.of(4, 10));
  expect(await optimizer.norms()).toEqual({ table: { param: Math.sqrt(48), grad: Math.hypot(6, 12) } });
});

gpuTest(
  'of columns of structs, without the gradients of rows that a mask leaves alone',
  async ({ device, track }) => {
    const column = (buffer: GPUBuffer, offset: number) => ({ buffer, offset, size: 4 * 7, byteStride: 16 });
    const words = [3, 4, NaN, NaN, 12, 0, NaN, 5];
    const structs = makeBuffer(device, track, [...words, 0, 0]);
    const params: Parameter[] = [
      // Rows 3, 4 and 12, 0, of which the first is left alone.
      {
        name: 'column',
        data: { ...column(structs, 0), size: 4 * 6 },
        grad: { ...column(makeBuffer(device, track, words), 0), size: 4 * 6 },
        rowLength: 2,
        rowMask: makeWords(device, track, [0, 9]),
      },
      {
        name: 'dense',
        data: makeBuffer(device, track, [1, 2, 2, 4, 4, 7]),
        grad: makeBuffer(device, track, [NaN, NaN, 3, 4, NaN, NaN]),
        rowLength: 2,
        rowMask: makeWords(device, track, [0, 1, 0]),
      },
    ];
    const optimizer = track(await Optimizer.create(device, { rule: sgd(), params }));
    expect(await optimizer.norms()).toEqual({
      column: { param: 13, grad: 12 },
      dense: { param: Math.sqrt(90), grad: 5 },
    });
  },
);

gpuTest('of parameters that rest, move, come and go', async ({ device, track }) => {
  const make = (name: string, weights: number[], gradients: number[]): Parameter => ({
    ...makeParameter(device, track, name, weights, gradients),
    rowLength: 2,
  });
  const params = [make('a', [3, 4, 0, 0], [1, 0, 0, 0]), make('b', [0, 5, 12, 0], [0, 2, 0, 0])];
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params }));
  optimizer.freeze(['a', 'b']);
  const frozen = optimizer.norms();
  optimizer.unfreeze(['b']);
  optimizer.step();
  const stepped = optimizer.norms();
  void optimizer.mapRows(['a'], { from: Uint32Array.of(0), rowCount: 1 });
  const mapped = optimizer.norms();
  optimizer.remove(['b']);
  const removed = optimizer.norms();
  const adding = optimizer.addGroup({ params: [make('c', [8, 0], [0, 0])] });
  expect(await frozen).toEqual({ a: { param: 5, grad: 1 }, b: { param: 13, grad: 2 } });
  expect(await stepped).toEqual({ a: { param: 5, grad: 1 }, b: { param: Math.sqrt(153), grad: 2 } });
  expect(await mapped).toEqual(await stepped);
  expect(await removed).toEqual({ a: { param: 5, grad: 1 } });
  await adding;
  const last = optimizer.norms();
  optimizer.destroy();
  expect(await last).toEqual({ a: { param: 5, grad: 1 }, c: { param: 8, grad: 0 } });
});

gpuTest(
  'of hundreds of parameters with one copy to be read, and no end if a buffer is gone',
  async ({ device, track }) => {
    const params = Array.from({ length: 300 }, (_, k) =>
      makeParameter(device, track, `w${k}`, new Float32Array(5).fill(k), [k, 0, 0, 0, 0]),
    );
    const optimizer = track(await Optimizer.create(device, { rule: sgd(), params }));
    const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
    const submit = vi.spyOn(GPUQueue.prototype, 'submit');
    const map = vi.spyOn(GPUBuffer.prototype, 'mapAsync');
    const norms = await optimizer.norms();
    // One per seven or eight buffers.
    expect(dispatch.mock.calls.length).toBeLessThanOrEqual(600 / 7 + 2);
    expect([submit, map].map(({ mock }) => mock.calls.length)).toEqual([2, 1]);
    for (const spy of [dispatch, submit, map]) spy.mockRestore();
    expect(norms['w0']).toEqual({ param: 0, grad: 0 });
    for (const k of [1, 157, 299]) expectNear(norms[`w${k}`]!, Math.sqrt(5) * k, k);
    (params[7]!.grad as GPUBuffer).destroy();
    const error = await errorOf(() => optimizer.norms());
    expect([error.code, error.message]).toEqual(['invalid-parameter', expect.stringContaining('norms()')]);
    optimizer.rebind({ w7: { grad: makeBuffer(device, track, [8, 0, 0, 0, 0]) } });
    optimizer.step();
    expect((await optimizer.norms())['w7']!.grad).toBe(8);
  },
);
