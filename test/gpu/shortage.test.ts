/** Memory that runs out where nobody looks for it. */
import { describe, expect } from 'vitest';
import { Optimizer, OptimizerError, adam, saveCheckpoint, sgd } from '../../src/index.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { microtasks } from '../support/live-buffers.js';
import { expectShortage, makeParams } from '../support/short-calls.js';
import { runShort } from '../support/shortage.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

describe('a change or a reading', () => {
  const calls: Record<string, (optimizer: Optimizer, late: ReturnType<typeof makeParameter>) => unknown> = {
    addGroup: (optimizer, late) => optimizer.addGroup({ params: [late] }),
    addGroupSync: (optimizer, late) => optimizer.addGroupSync({ params: [late] }),
    stateDict: (optimizer) => optimizer.stateDict(),
    readParam: (optimizer) => optimizer.readParam('a'),
    readState: (optimizer) => optimizer.readState('a', 'exp_avg'),
    stats: (optimizer) => optimizer.stats(),
    norms: (optimizer) => optimizer.norms(),
    swapEma: (optimizer) => {
      optimizer.swapEma();
      optimizer.swapEma();
    },
    zeroGrad: (optimizer) => optimizer.zeroGrad(),
    'freeze and unfreeze': (optimizer) => {
      optimizer.freeze(['a']);
      optimizer.unfreeze(['a']);
    },
    rebind: (optimizer, late) => optimizer.rebind({ a: { grad: late.grad } }),
    'a switch of the rule': (optimizer) => optimizer.groups[0]!.set({ weightDecay: 0.1 }),
    writeState: (optimizer) => optimizer.writeState('a', 'exp_avg', new Float32Array(9).fill(0.5)),
    resetState: (optimizer) => optimizer.resetState({ slots: ['ema', 'exp_avg'] }),
    'rows of the state': (optimizer) => optimizer.resetState({ names: ['a'], rows: [0, 2] }),
    loadStateDict: async (optimizer) => optimizer.loadStateDictSync(await optimizer.stateDict()),
    saveCheckpoint: (optimizer) => saveCheckpoint(optimizer, 'bytes'),
  };
  for (const [name, call] of Object.entries(calls)) {
    gpuTest(`that finds no memory says so, and the run goes on: ${name}`, async ({ device, track }) => {
      const config = { rule: adam({ lr: 0.1 }), ema: { decay: 0.5 }, skipNonFinite: true };
      const run = async (isShort: boolean, index: number) => {
        const [a, late] = makeParams(device, track, ['a', 'late']);
        const params = [{ ...a!, rowLength: 3 }];
        const optimizer = track(await Optimizer.create(device, { ...config, params }));
        optimizer.step();
        const shortage = isShort ? runShort(device, (_, k) => k === index) : undefined;
        let error: unknown;
        try {
          await call(optimizer, late!);
        } catch (thrown) {
          error = thrown;
        }
        const withheld = shortage?.withheld ?? 0;
        shortage?.destroy();
        return { optimizer, error, withheld };
      };
      for (let index = 0; ; index++) {
        const { optimizer, error, withheld } = await run(true, index);
        if (withheld === 0) break;
        const what = `buffer ${index}`;
        if (error !== undefined) {
          expectShortage(error, device, what);
        }
        await device.queue.onSubmittedWorkDone();
        await microtasks(20);
        // Made at once, it is known at the next call; then there is no step, and nobody claims one.
        let later: unknown;
        try {
          optimizer.step();
        } catch (thrown) {
          later = thrown;
        }
        if (later !== undefined) {
          expectShortage(later, device, what);
          continue;
        }
        const want = (await run(false, 0)).optimizer;
        if (error !== undefined && name.startsWith('addGroup')) {
          expect(optimizer.groups.length, what).toBe(1);
        }
        want.step();
        expect(await optimizer.readParam('a'), what).toEqual(await want.readParam('a'));
        expect(await optimizer.readEma('a'), what).toEqual(await want.readEma('a'));
        expect((await optimizer.stats()).step, what).toBe(2);
      }
    });
  }
});

gpuTest(
  'a group whose norms find no memory leaves none of it to those that come after',
  async ({ device, track }) => {
    const [a, b] = makeParams(device, track, ['a', 'b']);
    const large = makeParameter(
      device,
      track,
      'large',
      new Float32Array(70_000),
      new Float32Array(70_000).fill(1),
    );
    const optimizer = track(
      await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [a!], maxGradNorm: 1e9 }),
    );
    for (const what of ['reduction', 'step records']) {
      // So many that they need other records.
      const params = what === 'reduction' ? [large] : manyParams(device, track, 300);
      const shortage = track(runShort(device, ({ label }) => label!.includes(what)));
      expect((await errorOf(() => optimizer.addGroup({ params }))).code, what).toBe('out-of-memory');
      expect(shortage.withheld, what).toBe(1);
      shortage.destroy();
    }
    await optimizer.addGroup({ params: [b!, large, ...manyParams(device, track, 300)] });
    const [before] = await Promise.all([optimizer.readParam('large'), optimizer.readParam('b')]);
    optimizer.step();
    expect((await optimizer.readParam('large'))[69_999]).toBe(before[69_999]! - 1);
    expect((await optimizer.readParam('m299'))[0]).toBe(-1);
  },
);

function manyParams(device: GPUDevice, track: Track, count: number) {
  const data = makeBuffer(device, track, new Float32Array(count));
  const grad = makeBuffer(device, track, new Float32Array(count).fill(1));
  return Array.from({ length: count }, (_, k) => ({
    name: `m${k}`,
    data: { buffer: data, offset: 4 * k, size: 4 },
    grad: { buffer: grad, offset: 4 * k, size: 4 },
  }));
}

gpuTest(
  'steps beyond what the ring can grow to are made, or nobody counts them',
  async ({ device, track }) => {
    for (const config of [{}, { maxGradNorm: 1e9 }]) {
      const params = [makeParameter(device, track, 'w', [0], [-1])];
      const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params, ...config }));
      optimizer.step();
      const shortage = track(runShort(device, () => true));
      const encoder = device.createCommandEncoder();
      let encoded = 0;
      let refused: OptimizerError | undefined;
      while (encoded < 3200 && !refused) {
        try {
          optimizer.encode(encoder);
          encoded++;
        } catch (error) {
          if (!(error instanceof OptimizerError)) throw error;
          refused = error;
        }
      }
      // What was encoded over a buffer that does not exist is an error of the caller's encoder; there is no other witness.
      device.pushErrorScope('validation');
      device.queue.submit([encoder.finish()]);
      const invalid = await device.popErrorScope();
      shortage.destroy();
      if (shortage.withheld === 0) expect(invalid).toBeNull();
      else expect(refused?.code ?? 'out-of-memory').toBe('out-of-memory');
      await microtasks(20);
      try {
        optimizer.step();
        const { step } = await optimizer.stats();
        expect([...(await optimizer.readParam('w'))]).toEqual([step]);
        expect(step).toBeGreaterThan(1);
      } catch (error) {
        if (!(error instanceof OptimizerError)) throw error;
        expect(error.code).toBe('out-of-memory');
        expect((await errorOf(() => optimizer.step())).code).toBe('out-of-memory');
      }
    }
  },
);
