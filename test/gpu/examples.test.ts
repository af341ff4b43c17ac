/** The examples of pages that need no browser's page; the others are in `test/e2e/examples.test.ts`. */
import { expect, inject, vi } from 'vitest';
import { paritySuite } from '../../proof/parity-suite.js';
import { readBuffer } from '../../proof/read-buffer.js';
import type { Optimizer, ParameterArena, RuleFactory } from '../../src/index.js';
import { testPages } from '../support/examples.js';

testPages(false, {
  'docs/guides/growing.md': {
    async after({ optimizer }: { optimizer: Optimizer }) {
      expect(await optimizer.readParam('means')).toHaveLength(3 * 1001);
      expect(await optimizer.readState('means', 'step')).toEqual(Float32Array.of(2));
    },
  },
  'docs/guides/many-tensors.md': {
    async after({ arena, optimizer }: { arena: ParameterArena; optimizer: Optimizer }) {
      const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
      optimizer.step();
      expect(dispatch).toHaveBeenCalledTimes(optimizer.groups.length);
      dispatch.mockRestore();
      expect(optimizer.groups).toHaveLength(2);
      expect((await arena.read('w1')).every((value) => value !== 0)).toBe(true);
    },
  },
  'docs/guides/own-rules.md': {
    async after({ softSign }: { softSign: RuleFactory }, { device, track }) {
      const { single } = paritySuite(inject('seed'), [['softSign', softSign]]);
      // The defaults, and other values of lr (two), weightDecay, weightDecayMode (two), maximize, beta and eps.
      expect(single).toHaveLength(9);
      for (const { check } of single.slice(-2)) await check(device, track, 5);
    },
  },
  'docs/guides/sparse.md': {
    async after(
      { indices, values, optimizer }: { indices: GPUBuffer; values: GPUBuffer; optimizer: Optimizer },
      { device },
    ) {
      device.queue.writeBuffer(indices, 0, new Uint32Array(512).fill(7));
      device.queue.writeBuffer(values, 0, new Float32Array(512 * 64).fill(1));
      optimizer.step();
      const weights = await optimizer.readParam('tokens');
      weights.forEach((value, i) => {
        if (value < 0 !== (i >= 7 * 64 && i < 8 * 64)) throw new Error(`element ${i} is ${value}`);
      });
    },
  },
  'docs/guides/structs.md': {
    async after(
      {
        splats,
        grads,
        visible,
        optimizer,
      }: { splats: GPUBuffer; grads: GPUBuffer; visible: GPUBuffer; optimizer: Optimizer },
      { device },
    ) {
      device.queue.writeBuffer(splats, 0, new Float32Array(80_000).fill(2));
      device.queue.writeBuffer(grads, 0, new Float32Array(70_000).fill(1));
      device.queue.writeBuffer(visible, 0, Uint32Array.of(0, 1));
      optimizer.step();
      const whole = new Float32Array((await readBuffer(device, splats)).buffer);
      // Behind the example's own step, whose gradients were zeros.
      const moved = (0.001 * (0.1 / (1 - 0.9 ** 2))) / Math.sqrt(0.001 / (1 - 0.999 ** 2));
      expect([...whole.subarray(0, 16)]).toEqual(
        [2, 2, 2, 2, 0.5, 0.5, 0.5, 0.5, 2 - moved, 2 - moved, 2 - moved / 2, 2, 0.5, 0.5, 0.5, 0.5].map(
          (x) => expect.closeTo(x, 6),
        ),
      );
    },
  },
});
