/** The runs of PyTorch's in which parameters rest and options change, by `freeze`, `unfreeze` and `group.set`. */
import { expect } from 'vitest';
import { Optimizer, ReferenceOptimizer } from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { LIFE, changingOptions, lifeRule, restingAt } from '../support/life-runs.js';
import { makeParameter } from '../support/tensors.js';

for (const run of drawn(LIFE.runs, 2)) {
  gpuTest(`${run.rule} ${JSON.stringify(run.options)}, ${LIFE.source}`, async ({ device, track }) => {
    // The twin, whose formula the unit tests hold against PyTorch's numbers, has the bits of SwiftShader.
    expect(isSwiftShader(device)).toBe(true);
    const names = Object.keys(LIFE.start);
    const params = names.map((name) =>
      makeParameter(device, track, name, LIFE.start[name]!, LIFE.start[name]!),
    );
    const optimizer = track(await Optimizer.create(device, { rule: lifeRule(run), params }));
    const twin = new ReferenceOptimizer({
      rule: lifeRule(run, changingOptions(run)),
      params: names.map((name) => ({ name, data: Float64Array.from(LIFE.start[name]!) })),
      precision: 'f32',
    });
    const [group] = optimizer.groups;
    for (const [step, gradients] of LIFE.grads.entries()) {
      const resting = restingAt(step);
      optimizer.freeze(resting);
      optimizer.unfreeze(names.filter((name) => !resting.includes(name)));
      group!.set(run.changes[step] ?? {});
      for (const [i, name] of names.entries())
        device.queue.writeBuffer(params[i]!.grad, 0, Float32Array.from(gradients[name]!));
      optimizer.step();
      twin.step(
        names.map((name) => Float32Array.from(gradients[name]!)),
        { skip: resting },
      );
    }
    for (const name of names) {
      const want = Float32Array.from(twin.readParam(name));
      expect(bitDifference(await optimizer.readParam(name), want), name).toBeUndefined();
    }
  });
}
