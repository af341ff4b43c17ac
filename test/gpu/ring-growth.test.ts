/** Many steps on one encoder, and on many that wait: each keeps the numbers that it was encoded with. */
import { expect, inject } from 'vitest';
import { Optimizer, type OptimizerSettings, lamb, sgd } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { drawn, isTurn } from '../support/draw.js';
import { makeParameter } from '../support/tensors.js';

const CONTROLS: [title: string, config: OptimizerSettings][] = [
  ['plain', {}],
  ['clipped', { maxGradNorm: 1e9 }],
  ['with a dynamic loss scale', { lossScale: { init: 1, growthInterval: 1e6 } }],
];

/** Around the most steps that one encoder has places for at first, and far more. */
const COUNTS = [1023, 1025, 3074];

/** Σ k/1024 for k = 1…n; every partial sum is exact in float32 up to n = 3200. */
const sumOf = (n: number): number => (n * (n + 1)) / 2 / 1024;

for (const [index, [title, config]] of CONTROLS.entries()) {
  // Thousands of steps take seconds: by the seed, each number of them with another config.
  for (const count of COUNTS.filter((_, k) => isTurn(index + k, COUNTS.length))) {
    gpuTest(`${count} steps on one encoder, each with its own lr (${title})`, async ({ device, track }) => {
      const params = [makeParameter(device, track, 'w', [0], [-1])];
      const rule = sgd({ lr: (step) => (step + 1) / 1024 });
      const optimizer = track(await Optimizer.create(device, { rule, params, ...config }));
      const encoder = device.createCommandEncoder();
      for (let k = 0; k < count; k++) optimizer.encode(encoder);
      device.queue.submit([encoder.finish()]);
      const read = optimizer.readParam('w');
      const stats = optimizer.stats();
      // The places are free again: what was encoded before is done by then.
      optimizer.step();
      const again = device.createCommandEncoder();
      for (let k = 0; k < 20; k++) optimizer.encode(again);
      device.queue.submit([again.finish()]);
      expect([...(await read)]).toEqual([sumOf(count)]);
      expect((await stats).step).toBe(count);
      expect([...(await optimizer.readParam('w'))]).toEqual([sumOf(count + 21)]);
      expect((await optimizer.stats()).step).toBe(count + 21);
    });
  }

  if (!isTurn(index, CONTROLS.length)) continue;
  gpuTest(`steps between the encoding and the submission of many (${title})`, async ({ device, track }) => {
    const params = [makeParameter(device, track, 'w', [0], [-1])];
    const rule = sgd({ lr: (step) => (step + 1) / 1024 });
    const optimizer = track(await Optimizer.create(device, { rule, params, ...config }));
    const encoders: GPUCommandEncoder[] = [];
    for (let round = 0; round < 60; round++) {
      const encoder = device.createCommandEncoder();
      for (let k = 0; k < 15; k++) optimizer.encode(encoder);
      encoders.push(encoder);
      for (let k = 0; k < 15; k++) optimizer.step();
    }
    // In the order of a stack.
    for (const encoder of encoders.toReversed()) device.queue.submit([encoder.finish()]);
    expect([...(await optimizer.readParam('w'))]).toEqual([sumOf(1800)]);
    expect((await optimizer.stats()).step).toBe(1800);
  });
}

gpuTest(
  'one encoder over several groups, some of which are left out now and then',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const count = 1100;
    const skips = Array.from({ length: count }, () => ['a', 'b', 'c'].filter(() => random.uniform() < 0.25));
    for (const config of drawn([{}, { maxGradNorm: 1e30 }], 2)) {
      const weights = random.weights(5);
      const make = (name: string) => makeParameter(device, track, name, weights, [1, -1, 0.5, 2, 0]);
      // Which reads the numbers of a step twice: its norms want them, too.
      const rule = lamb({ lr: 1e-3 });
      const groups = [{ params: [make('a'), make('b')] }, { params: [make('c')], lr: 0.5 }];
      const optimizer = track(await Optimizer.create(device, { rule, groups, ...config }));
      const encoder = device.createCommandEncoder();
      for (const skip of skips) optimizer.encode(encoder, { skip });
      device.queue.submit([encoder.finish()]);
      // The same, but that each step is submitted by itself.
      const alike = [{ params: [make('a'), make('b')] }, { params: [make('c')], lr: 0.5 }];
      const twin = track(await Optimizer.create(device, { rule, groups: alike, ...config }));
      for (const skip of skips) twin.step({ skip });
      for (const name of ['a', 'b', 'c']) {
        const [got, want] = [await optimizer.readParam(name), await twin.readParam(name)];
        expect(bitDifference(got, want), name).toBeUndefined();
      }
    }
  },
);

gpuTest('a group joins between thousands of steps on one encoder', async ({ device, track }) => {
  for (const config of drawn([{}, { maxGradNorm: 1e9 }], 2)) {
    const make = (name: string) => makeParameter(device, track, name, [0], [-1]);
    const optimizer = track(
      await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [make('a')], ...config }),
    );
    const encoder = device.createCommandEncoder();
    for (let k = 0; k < 1500; k++) optimizer.encode(encoder);
    optimizer.addGroupSync({ params: [make('b')], lr: 2 });
    for (let k = 0; k < 1500; k++) optimizer.encode(encoder);
    device.queue.submit([encoder.finish()]);
    expect([...(await optimizer.readParam('a'))]).toEqual([3000]);
    expect([...(await optimizer.readParam('b'))]).toEqual([3000]);
  }
});
