/** Past 65,535 workgroups, of which a dispatch has no more in one dimension: in the step, in measuring, in the reduction. */
import { expect } from 'vitest';
import { Optimizer, adagrad, lars, sgd } from '../../src/index.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { isTurn } from '../support/draw.js';
import { makeBuffer } from '../support/tensors.js';

/** The smallest workgroups there are here, with the least that each invocation can do. */
const KERNEL = { workgroupSize: 64, lanesPerInvocation: 1 };
/** One element more than 65,535 of them have, and a second row of workgroups beside. */
const LENGTH = 65_535 * 64 * 4 + 64 * 4 * 3 + 1;

/** A large buffer without an array of its size: zeros, and some values in it. */
function makeLarge(
  device: GPUDevice,
  track: Track,
  length: number,
  values: ReadonlyMap<number, number> = new Map(),
): GPUBuffer {
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const usage = STORAGE | COPY_SRC | COPY_DST;
  const buffer = track(device.createBuffer({ label: 'large', size: 4 * length, usage }));
  for (const [index, value] of values) device.queue.writeBuffer(buffer, 4 * index, Float32Array.of(value));
  return buffer;
}

/** The first element, those on both sides of the 65,535th workgroup, and the last ones. */
const PROBES = [0, 1, LENGTH >> 1, 65_535 * 256 - 1, 65_535 * 256, 65_535 * 256 + 5, LENGTH - 2, LENGTH - 1];

/** The weights that are not 0, by position. */
function nonZero(values: Float32Array): [number, number][] {
  const found: [number, number][] = [];
  for (let i = 0; i < values.length; i++) if (values[i] !== 0) found.push([i, values[i]!]);
  return found;
}

gpuTest('the step reaches every element once, and the norm has each of them', async ({ device, track }) => {
  const gradients = new Map(PROBES.map((index, k) => [index, 2 ** k]));
  const params = [
    { name: 'w', data: makeLarge(device, track, LENGTH), grad: makeLarge(device, track, LENGTH, gradients) },
  ];
  const optimizer = track(
    await Optimizer.create(device, { rule: sgd({ lr: 1 }), params, maxGradNorm: 1e6, kernel: KERNEL }),
  );
  optimizer.step();
  optimizer.step();
  const stats = optimizer.stats();
  const got = nonZero(await optimizer.readParam('w'));
  expect(got).toEqual(PROBES.map((index, k) => [index, -2 * 2 ** k]));
  const want = Math.sqrt(PROBES.reduce((sum, _, k) => sum + 4 ** k, 0));
  expect(Math.abs((await stats).gradNorm - want)).toBeLessThanOrEqual(want * 2 ** -22);
});

gpuTest('a NaN in the last element is found, and skips the step', async ({ device, track }) => {
  // Or among the first ones, whose partial is not the last that an invocation reads.
  for (const index of [LENGTH - 1, isTurn(0, 2) ? 65_535 * 256 : 7]) {
    const params = [
      {
        name: 'w',
        data: makeLarge(device, track, LENGTH),
        grad: makeLarge(
          device,
          track,
          LENGTH,
          new Map([
            [0, 1],
            [index, NaN],
          ]),
        ),
      },
    ];
    const optimizer = track(
      await Optimizer.create(device, { rule: sgd(), params, skipNonFinite: true, kernel: KERNEL }),
    );
    optimizer.step();
    expect(await optimizer.stats()).toMatchObject({ step: 0, skipped: 1 });
    optimizer.destroy();
    for (const { data, grad } of params) [data, grad].forEach((buffer) => buffer.destroy());
  }
});

gpuTest('the norms of a tensor have each of its elements', async ({ device, track }) => {
  // ‖w‖ = 5 and ‖g‖ = 13, each from elements on both sides.
  const last = LENGTH - 1;
  const weights = new Map([
    [0, 3],
    [last, 4],
  ]);
  const gradients = new Map([
    [1, 5],
    [65_535 * 256, 12],
  ]);
  const params = [
    {
      name: 'w',
      data: makeLarge(device, track, LENGTH, weights),
      grad: makeLarge(device, track, LENGTH, gradients),
    },
  ];
  const rule = lars({ lr: 1, momentum: 0, trustCoefficient: 0.5, weightDecay: 0 });
  const optimizer = track(await Optimizer.create(device, { rule, params, kernel: KERNEL }));
  optimizer.step();
  const got = nonZero(await optimizer.readParam('w'));
  const ratio = (0.5 * 5) / 13;
  expect(got).toEqual([
    [0, 3],
    [1, expect.closeTo(-5 * ratio, 5)],
    [65_535 * 256, expect.closeTo(-12 * ratio, 5)],
    [last, 4],
  ]);
});

gpuTest('a state that does not begin at 0 is filled to its end', async ({ device, track }) => {
  const length = 2 ** 20 + 70_003;
  const params = [
    {
      name: 'w',
      data: makeLarge(device, track, length),
      grad: makeLarge(device, track, length, new Map([[length - 1, 1]])),
    },
    { name: 'small', data: makeBuffer(device, track, [1]), grad: makeBuffer(device, track, [0]) },
  ];
  const rule = adagrad({ lr: 1, initialAccumulator: 3, eps: 0 });
  const optimizer = track(await Optimizer.create(device, { rule, params }));
  const fresh = optimizer.readState('w', 'sum');
  optimizer.step();
  const late = optimizer.readState('w', 'sum');
  expect((await fresh).findIndex((value) => value !== 3)).toBe(-1);
  expect((await late).findIndex((value) => value !== 3)).toBe(length - 1);
  expect((await late)[length - 1]).toBe(4);
  expect([...(await optimizer.readState('small', 'sum'))]).toEqual([3]);
  expect((await optimizer.readParam('w'))[length - 1]).toBe(-0.5);
});
