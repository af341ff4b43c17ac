import { Optimizer } from '../../src/index.js';
import type { GoldenCase } from '../fixtures/golden/types.js';
import { goldenCases } from '../fixtures/golden/index.js';
import { BoundedRun } from '../../proof/bounded-run.js';
import { checkWithinBound } from '../../proof/compare.js';
import { ruleOfShape } from '../../proof/rule-of-shape.js';
import { gpuTest } from '../support/device.js';
import { allRuleFactories } from '../support/all-rules.js';
import { drawn } from '../support/draw.js';
import { goldenGradients, goldenRule } from '../support/golden.js';
import type { Track } from '../../proof/track.js';
import { makeBuffer } from '../support/tensors.js';
import { checkTogether } from '../support/together.js';

async function checkGolden(golden: GoldenCase, device: GPUDevice, track: Track): Promise<void> {
  const rule = goldenRule(golden, golden.options);
  const { shape } = golden;
  const own = ruleOfShape(rule, shape);
  const data = makeBuffer(device, track, golden.param);
  const grad = makeBuffer(device, track, golden.param);
  const optimizer = track(
    await Optimizer.create(device, { rule, params: [{ name: 'w', data, grad, ...(shape && { shape }) }] }),
  );
  // From the unrounded numbers: what rounding them to float32 costs is part of the bound.
  const bounded = new BoundedRun(own, golden.param, 0.5, {}, {}, undefined, shape);
  const reads: Promise<void>[] = [];
  for (const [k, gradient] of goldenGradients(golden).entries()) {
    device.queue.writeBuffer(grad, 0, Float32Array.from(gradient));
    optimizer.step();
    bounded.step(gradient);
    for (const { step, param: want, tolerance } of golden.expected) {
      if (step !== k + 1) continue;
      const allowed = want.map((value, i) => ({ value, error: tolerance + bounded.weights[i]!.error }));
      const what = `${golden.source}, step ${step}`;
      reads.push(optimizer.readParam('w').then((got) => void checkWithinBound(got, allowed, what)));
    }
  }
  await Promise.all(reads);
}

for (const [name] of allRuleFactories) {
  const ofRule = goldenCases.filter(({ rule }) => rule === name);
  // Published numbers tell of the formula, which is the same on every device; the reference is held against all of them.
  const cases = drawn(ofRule, 4);
  if (cases.length === 0) continue;
  gpuTest(`published numbers on the GPU: ${name}, ${cases.length} runs`, ({ device, track }) =>
    checkTogether(
      cases,
      (golden) => golden.name,
      (golden) => checkGolden(golden, device, track),
    ),
  );
}
