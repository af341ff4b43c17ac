/** Runs that go on elsewhere: from the GPU to the CPU, and back. */
import { expect, inject } from 'vitest';
import { Optimizer, ReferenceOptimizer, type StateDict, adam } from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { makeParameter } from '../support/tensors.js';

const LENGTHS = [5, 130];
const CONFIG = { rule: adam({ lr: 0.1, amsgrad: true }), ema: { decay: 0.9 }, lossScale: 'dynamic' } as const;

gpuTest('a run moves between the GPU and the reference, counts, state and all', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const weights = LENGTHS.map((length) => random.weights(length));
  const gradients = LENGTHS.map((length) => random.gradients(length));
  const create = async (values: readonly ArrayLike<number>[]) => {
    const params = values.map((data, k) => makeParameter(device, track, `w${k}`, data, gradients[k]!));
    return track(await Optimizer.create(device, { ...CONFIG, params }));
  };
  const onCpu = (precision: 'f32' | 'f64', values: readonly ArrayLike<number>[]) =>
    new ReferenceOptimizer({
      ...CONFIG,
      precision,
      params: values.map((data, k) => ({ name: `w${k}`, data: Float64Array.from(data) })),
    });
  const names = LENGTHS.map((_, k) => `w${k}`);
  const optimizer = await create(weights);
  optimizer.step({ skip: ['w1'] });
  optimizer.step();
  const saved = await optimizer.stateDict();
  const read = await Promise.all(names.map((name) => optimizer.readParam(name)));
  const twin = onCpu('f32', read);
  twin.loadStateDict(saved);
  expect(twin.stateDict()).toEqual(saved);
  const double = onCpu('f64', read);
  double.loadStateDict(saved);
  // The float64 run is rounded on its way back.
  for (const source of [twin.stateDict(), double.stateDict()]) {
    const back = await create(read);
    await back.loadStateDict(source as StateDict);
    expect(await back.stateDict()).toEqual(saved);
  }
  optimizer.step();
  twin.step(gradients);
  for (const name of names) {
    const [got, want] = [await optimizer.readParam(name), Float32Array.from(twin.readParam(name))];
    if (isSwiftShader(device)) expect(bitDifference(got, want), name).toBeUndefined();
    else got.forEach((value, i) => expect(value).toBeCloseTo(want[i]!, 4));
    expect(await optimizer.readState(name, 'step')).toEqual(twin.readState(name, 'step'));
  }
});
