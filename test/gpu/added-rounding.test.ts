/** Stochastic rounding follows from a tensor's name, whenever it joins, and whoever had its place before. */
import { expect, inject } from 'vitest';
import { Optimizer, ReferenceOptimizer, adam } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { makeHalves, roundedTo } from '../support/halves.js';
import { exactRule } from '../support/life-pair.js';
import { makeBuffer } from '../support/tensors.js';

gpuTest('tensors that join are rounded as their twins', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const rule = exactRule(device, adam({ lr: 0.1 }));
  const settings = { stochasticRounding: true, seed: 7 } as const;
  for (const dtype of ['f16', 'bf16'] as const) {
    for (const isWaiting of [true, false]) {
      const tensorOf = (name: string) => {
        const data = roundedTo(dtype, random.weights(257));
        const gradients = random.gradients(257);
        const parameter = {
          name,
          dtype,
          length: 257,
          data: makeHalves(device, track, dtype, data),
          grad: makeBuffer(device, track, gradients),
        };
        return { parameter, gradients, data };
      };
      const [first, gone, late] = ['first', 'gone', 'late'].map(tensorOf);
      const optimizer = track(
        await Optimizer.create(device, { rule, params: [first!.parameter], ...settings }),
      );
      const join = async (params: (typeof first & {})['parameter'][]) => {
        if (isWaiting) await optimizer.addGroup({ params });
        else optimizer.addGroupSync({ params });
      };
      await join([gone!.parameter]);
      optimizer.remove(['gone']);
      // It has the index of the one that is gone.
      await join([late!.parameter]);
      const twin = new ReferenceOptimizer({
        rule,
        ...settings,
        precision: 'f32',
        params: [first!, late!].map(({ parameter: { name }, data }) => ({ name, dtype, data })),
      });
      for (let step = 0; step < 2; step++) {
        optimizer.step();
        twin.step({ first: first!.gradients, late: late!.gradients });
      }
      for (const name of ['first', 'late']) {
        const want = Float32Array.from(twin.readParam(name));
        expect(bitDifference(await optimizer.readParam(name), want), `${dtype} ${name}`).toBeUndefined();
      }
    }
  }
});
