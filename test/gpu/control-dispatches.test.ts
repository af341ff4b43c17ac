import { expect, vi } from 'vitest';
import { Optimizer, adam } from '../../src/index.js';
import { gpuTest } from '../support/device.js';
import { makeParameter } from '../support/tensors.js';

const TENSORS = 1000;
const ELEMENTS = 1000;

gpuTest(
  'clipping a thousand tensors in buffers of their own takes few dispatches',
  async ({ device, track }) => {
    const gradient = new Float32Array(ELEMENTS).fill(1);
    const params = Array.from({ length: TENSORS }, (_, k) =>
      makeParameter(device, track, `w${k}`, new Float32Array(ELEMENTS), gradient),
    );
    const optimizer = track(
      await Optimizer.create(device, { rule: adam({ lr: 0.5 }), params, maxGradNorm: 10 }),
    );
    const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
    optimizer.step();
    expect(dispatch.mock.calls.length).toBeLessThanOrEqual(400);
    dispatch.mockRestore();
    expect((await optimizer.stats()).gradNorm).toBe(1000);
    for (const k of [0, 517, TENSORS - 1]) {
      const weights = await optimizer.readParam(`w${k}`);
      expect(weights.every((w) => Math.abs(w + 0.5) < 1e-4)).toBe(true);
    }
  },
);
