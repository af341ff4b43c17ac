/** Memory that runs out while something is made. */
import { describe, expect } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  OptimizerError,
  ParameterArena,
  adam,
  lamb,
  scheduleFreeAdamw,
  sgd,
} from '../../src/index.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { microtasks, watchBuffers } from '../support/live-buffers.js';
import { expectShortage, forEachBuffer, makeParams } from '../support/short-calls.js';
import { makeWords } from '../support/sparse-run.js';
import { makeBuffer } from '../support/tensors.js';

/** Every kind of buffer that an optimizer may make. */
function makeConfigs(device: GPUDevice, track: Track): Record<string, OptimizerConfig> {
  const table = {
    name: 'table',
    data: makeBuffer(device, track, [0, 0, 0, 0]),
    rowLength: 2,
    grad: { indices: makeWords(device, track, [1]), values: makeBuffer(device, track, [1, 1]) },
  };
  const params = makeParams(device, track, ['a', 'b']);
  const micro = { ...params[0]!, microGrad: makeBuffer(device, track, new Float32Array(9)) };
  return {
    plain: { rule: adam(), params },
    controlled: { rule: sgd(), params: [...params, table], maxGradNorm: 1, lossScale: 'dynamic' },
    measured: { rule: lamb(), params, ema: { decay: 0.5 } },
    evaluated: { rule: scheduleFreeAdamw(), params: [micro, params[1]!] },
  };
}

describe('creation', () => {
  for (const title of ['plain', 'controlled', 'measured', 'evaluated']) {
    gpuTest(
      `says so whichever buffer is missing, and leaves nothing (${title})`,
      async ({ device, track }) => {
        const config = makeConfigs(device, track)[title]!;
        const live = track(watchBuffers(device));
        const made = await forEachBuffer(device, track, async (index, shortage) => {
          let optimizer: Optimizer | undefined;
          let error: unknown;
          try {
            optimizer = await Optimizer.create(device, config);
          } catch (thrown) {
            error = thrown;
          }
          if (optimizer) {
            // All buffers could be had.
            optimizer.step();
            optimizer.destroy();
          } else {
            expectShortage(error, device, `buffer ${index}`, shortage);
          }
          expect(live.labels, `buffer ${index}`).toEqual([]);
        });
        expect(made).toBeGreaterThan(1);
      },
    );
  }

  gpuTest('at once says so at a later call, and leaves nothing', async ({ device, track }) => {
    const { plain } = makeConfigs(device, track);
    const live = track(watchBuffers(device));
    await forEachBuffer(device, track, async (index, shortage) => {
      let optimizer: Optimizer;
      try {
        optimizer = Optimizer.createSync(device, plain!);
      } catch (error) {
        expectShortage(error, device, `buffer ${index}`, shortage);
        expect(live.labels, `buffer ${index}`).toEqual([]);
        return;
      }
      await device.queue.onSubmittedWorkDone();
      await microtasks(20);
      try {
        optimizer.zeroGrad();
      } catch (error) {
        expectShortage(error, device, `buffer ${index}`, shortage);
      }
      optimizer.destroy();
      expect(live.labels, `buffer ${index}`).toEqual([]);
    });
  });

  for (const init of ['ones', 'normal'] as const) {
    gpuTest(`of an arena of ${init} is whole, or refused and gone`, async ({ device, track }) => {
      const live = track(watchBuffers(device));
      await forEachBuffer(device, track, async (index, shortage) => {
        let arena: ParameterArena | undefined;
        try {
          arena = await ParameterArena.create(device, { w: { shape: [5], init }, v: { shape: [2], init } });
        } catch (error) {
          expectShortage(error, device, `buffer ${index}`, shortage);
        }
        if (arena) {
          for (const name of ['w', 'v']) {
            // If nothing of the arena was withheld, what reads it may be.
            const values = await arena.read(name).catch((error: OptimizerError) => error);
            if (values instanceof OptimizerError) expectShortage(values, device, `buffer ${index}`, shortage);
            else expect([...values], `buffer ${index}`).not.toContain(0);
          }
          arena.destroy();
        }
        expect(live.labels, `buffer ${index}`).toEqual([]);
      });
    });
  }
});
