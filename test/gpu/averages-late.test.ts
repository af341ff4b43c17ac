/** Averages past 2²⁴ steps, where a float32 no longer counts. */
import { expect } from 'vitest';
import {
  type AverageOptions,
  Optimizer,
  ReferenceOptimizer,
  type Rule,
  type StateDict,
  sgd,
} from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { gpuTest } from '../support/device.js';
import { makeParameter } from '../support/tensors.js';

const LIMIT = 2 ** 24;
const STEPS = 9;

/** The options, and at which of the steps behind the limit the average moves. */
const CASES: readonly (readonly [AverageOptions, string, readonly number[]])[] = [
  [{ lookahead: { every: 3, alpha: 0.5 } }, 'slow', [2, 5, 8]],
  [{ swa: { start: LIMIT - 1, period: 3 } }, 'swa', [2, 5, 8]],
  [{ ema: { decay: 0.999, warmup: true, startStep: LIMIT } }, 'ema', [1, 2, 3, 4, 5, 6, 7, 8]],
];

for (const [averages, slot, moves] of CASES) {
  gpuTest(`${slot} goes on past 2²⁴ steps`, async ({ device, track }) => {
    const config = { rule: sgd({ lr: 1 }) as Rule, ...averages };
    const param = makeParameter(device, track, 'w', [0, 0.5], [-1, -1]);
    const optimizer = track(await Optimizer.create(device, { ...config, params: [param] }));
    const data = Float32Array.of(0, 0.5);
    const twin = new ReferenceOptimizer({ ...config, precision: 'f32', params: [{ name: 'w', data }] });
    // An average of weights that have not moved yet, so that every step after it shows.
    const dict = { ...twin.stateDict(), step: LIMIT - 1 } as StateDict;
    dict.state['w']![slot]!.set(data);
    await optimizer.loadStateDict(dict);
    twin.loadStateDict(dict);
    const seen: number[] = [];
    let before = twin.readState('w', slot);
    for (let step = 0; step < STEPS; step++) {
      optimizer.step();
      twin.step([[-1, -1]]);
      const got = await optimizer.readState('w', slot);
      const want = Float32Array.from(twin.readState('w', slot));
      if (isSwiftShader(device)) expect(bitDifference(got, want), `step ${step}`).toBeUndefined();
      else got.forEach((value, i) => expect(value).toBeCloseTo(want[i]!, 5));
      // The first step that averages may start from the weights themselves.
      if (step > 0 && bitDifference(want, Float32Array.from(before)) !== undefined) seen.push(step);
      before = twin.readState('w', slot);
    }
    expect(seen).toEqual(moves);
  });
}
