import { expect, inject } from 'vitest';
import { Optimizer, ReferenceOptimizer } from '../../src/index.js';
import { paritySuite } from '../../proof/parity-suite.js';
import { gpuTest } from '../support/device.js';
import { softSign } from '../support/own-rule.js';
import { makeBuffer } from '../support/tensors.js';
import { checkTogether } from '../support/together.js';

const { single, combined } = paritySuite(inject('seed'), [['softSign', softSign]]);

gpuTest(
  `a rule of a user's own is proved as the library's are: ${single.length + combined.length} settings`,
  async ({ device, track }) => {
    expect(single.map(({ title }) => title)).toContain('softSign: floored true');
    await checkTogether(
      [...single, ...combined],
      ({ title }) => title,
      async ({ check }) => {
        await check(device, track, 10);
      },
    );
  },
);

gpuTest('it has groups, an average, clipping and state dicts', async ({ device, track }) => {
  const settings = { rule: softSign({ lr: 0.5, start: 2 }), maxGradNorm: 1, ema: { decay: 0.5 } };
  const groups = [
    { params: [{ name: 'a', values: [1, -2, 3], gradients: [0.5, 0, -1] }] },
    { params: [{ name: 'b', values: [-4, 5], gradients: [2, 2] }], beta: 0.5, floored: true },
  ];
  const make = async () =>
    track(
      await Optimizer.create(device, {
        ...settings,
        groups: groups.map(({ params, ...options }) => ({
          ...options,
          params: params.map(({ name, values, gradients }) => ({
            name,
            data: makeBuffer(device, track, values),
            grad: makeBuffer(device, track, gradients),
          })),
        })),
      }),
    );
  const twin = new ReferenceOptimizer({
    ...settings,
    precision: 'f32',
    groups: groups.map(({ params, ...options }) => ({
      ...options,
      params: params.map(({ name, values, gradients }) => ({
        name,
        data: Float32Array.from(values),
        grad: gradients,
      })),
    })),
  });
  const first = await make();
  expect(() => first.groups[0]!.set({ start: 1 })).toThrow('start says how the state begins');
  for (let step = 0; step < 3; step++) twin.step();
  first.step();
  first.step();
  const dict = await first.stateDict();
  expect(Object.keys(dict.state['a']!)).toEqual(['mean', 'ema']);
  const second = await make();
  await second.loadStateDict(dict);
  first.step();
  second.step();
  for (const name of ['a', 'b']) {
    const mean = await first.readState(name, 'mean');
    expect(await second.readState(name, 'mean')).toEqual(mean);
    twin.readState(name, 'mean').forEach((value, k) => expect(mean[k]).toBeCloseTo(value, 5));
    twin.readState(name, 'ema').forEach((value, k) => expect(value, `${name} ${k}`).not.toBe(0));
  }
});
