import { describe, expect, inject } from 'vitest';
import { Optimizer, adam } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { Random } from '../../proof/random.js';
import { makeParameter } from '../support/tensors.js';

describe('the kernel shape', () => {
  gpuTest('can be given, and does not change a bit', async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const [weights, gradients] = [random.weights(70_003), random.gradients(70_003)];
    const run = async (kernel: object): Promise<Float32Array> => {
      const param = makeParameter(device, track, 'w', weights, gradients);
      const config = { rule: adam(), params: [param], kernel, maxGradNorm: 1 };
      const optimizer = track(await Optimizer.create(device, config));
      for (let k = 0; k < 3; k++) optimizer.step();
      return optimizer.readParam('w');
    };
    const want = await run({});
    for (const kernel of [
      { workgroupSize: 1, lanesPerInvocation: 65_536 },
      { workgroupSize: 32, lanesPerInvocation: 3, consecutive: true },
      { workgroupSize: 100, lanesPerInvocation: 7, consecutive: false },
      { workgroupSize: 256, lanesPerInvocation: 1 },
      { consecutive: false },
    ]) {
      expect(bitDifference(await run(kernel), want), JSON.stringify(kernel)).toBeUndefined();
    }
  });

  for (const [kernel, code, complaint] of [
    [{ workgroupSize: 0 }, 'invalid-option', 'workgroupSize is 0'],
    [{ workgroupSize: 1.5 }, 'invalid-option', 'workgroupSize is 1.5'],
    [{ workgroupSize: 1e6 }, 'limit-exceeded', 'workgroupSize is 1000000, but the device allows 256'],
    [{ lanesPerInvocation: 1e6 }, 'invalid-option', 'lanesPerInvocation is 1000000'],
    [{ consecutive: 1 }, 'invalid-option', 'consecutive is 1'],
    [{ lanes: 1 }, 'invalid-option', 'unknown option "lanes"'],
    ['fast', 'invalid-option', 'kernel: is "fast"'],
  ] as const) {
    gpuTest(`${JSON.stringify(kernel)} is refused`, async ({ device, track }) => {
      const params = [makeParameter(device, track, 'w', [1], [1])];
      const config = { rule: adam(), params, kernel } as never;
      const error = await errorOf(() => Optimizer.create(device, config));
      expect([error.code, error.message]).toEqual([code, expect.stringContaining(complaint)]);
    });
  }
});
