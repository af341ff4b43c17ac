import { expect } from 'vitest';
import { Optimizer, sgd } from '../../src/index.js';
import { OuterOptimizer, averageDeltas, inspectDelta, nesterov } from '../../src/outer/index.js';
import { gpuTest } from '../support/device.js';
import { makeParameter } from '../support/tensors.js';

// Heavy ball would move by ηΔ at first.
gpuTest(
  'the first outer step of a constant delta is η(1+β)Δ, as Nesterov has it',
  async ({ device, track }) => {
    const params = [makeParameter(device, track, 'w', [1, 2], [0.5, -1])];
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params }));
    const rule = nesterov({ lr: 0.5, momentum: 0.5 });
    const outer = track(await OuterOptimizer.create(optimizer, { every: 1, rule }));
    expect(outer.isDue).toBe(false);
    optimizer.step();
    expect(outer.isDue).toBe(true);
    const delta = await outer.delta({ samples: 3, peer: 'a' });
    expect(await inspectDelta(delta)).toMatchObject({
      round: 0,
      samples: 3,
      peer: 'a',
      elementCount: 2,
      norm: Math.hypot(0.5, 1),
    });
    await outer.apply(await averageDeltas([delta]));
    expect([...(await optimizer.readParam('w'))]).toEqual([1 - 0.75 * 0.5, 2 + 0.75]);
    expect(outer.round).toBe(1);
    optimizer.step();
    await outer.apply([await outer.delta()]);
    // m = 0.5·m + Δ = 1.5Δ; the step is η(Δ + βm) = 0.5·1.75Δ.
    expect([...(await optimizer.readParam('w'))]).toEqual([1 - 0.375 - 0.875 * 0.5, 2 + 0.75 + 0.875]);
  },
);
