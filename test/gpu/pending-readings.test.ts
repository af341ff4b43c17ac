/** Readings that are under way when what they read goes away. */
import { expect, inject } from 'vitest';
import { Optimizer, ParameterArena, adam } from '../../src/index.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { microtasks, watchBuffers } from '../support/live-buffers.js';
import { outcomeOf } from '../support/outcome-of.js';
import { makeParameter } from '../support/tensors.js';

for (const [title, config] of Object.entries({
  plain: { ema: { decay: 0.5 } },
  controlled: { ema: { decay: 0.5 }, maxGradNorm: 1, skipNonFinite: true },
})) {
  gpuTest(
    `destroy() behind a reading: its true values or one error (${title})`,
    async ({ device, track }) => {
      const random = new Random(inject('seed'));
      const [weights, gradients] = [random.weights(70), random.gradients(70)];
      for (const [reading, read] of Object.entries({
        stateDict: (o: Optimizer) => o.stateDict(),
        readParam: (o: Optimizer) => o.readParam('w'),
        readState: (o: Optimizer) => o.readState('w', 'exp_avg'),
        step: (o: Optimizer) => o.readState('w', 'step'),
        readEma: (o: Optimizer) => o.readEma('w'),
        stats: (o: Optimizer) => o.stats(),
      })) {
        for (const wait of [0, 1, 2, 3, 5, 8, 13]) {
          const params = [makeParameter(device, track, 'w', weights, gradients)];
          const optimizer = track(await Optimizer.create(device, { rule: adam(), params, ...config }));
          optimizer.step();
          optimizer.step();
          const want = await read(optimizer);
          const pending: Promise<unknown> = read(optimizer);
          await microtasks(wait);
          optimizer.destroy();
          const outcome = await outcomeOf(pending);
          if ('code' in outcome) expect(outcome.code, `${reading} ${wait}`).toBe('destroyed');
          else expect(outcome.value, `${reading} ${wait}`).toEqual(want);
        }
      }
    },
  );
}

gpuTest('many readings at once settle, and leave no buffer behind destroy()', async ({ device, track }) => {
  const params = Array.from({ length: 9 }, (_, k) => makeParameter(device, track, `w${k}`, [k, 1], [1, 1]));
  const live = track(watchBuffers(device));
  const optimizer = await Optimizer.create(device, { rule: adam(), params, skipNonFinite: true });
  const pending: Promise<unknown>[] = [];
  for (let k = 0; k < 12; k++) {
    optimizer.step();
    pending.push(optimizer.stateDict(), optimizer.stats(), optimizer.readParam(`w${k % 9}`));
  }
  optimizer.destroy();
  for (const outcome of await Promise.all(pending.map((promise) => outcomeOf(promise)))) {
    if ('code' in outcome) expect(outcome.code).toBe('destroyed');
  }
  expect(live.labels).toEqual([]);
});

gpuTest(
  'a weight that its owner destroys behind the call is read all the same',
  async ({ device, track }) => {
    const param = makeParameter(device, track, 'w', [1, 2, 3], [0, 0, 0]);
    const optimizer = track(await Optimizer.create(device, { rule: adam(), params: [param] }));
    const pending = optimizer.readParam('w');
    param.data.destroy();
    expect([...(await pending)]).toEqual([1, 2, 3]);
  },
);

gpuTest('an arena destroyed behind a reading gives the values or one error', async ({ device }) => {
  for (const wait of [0, 1, 2, 4]) {
    const arena = await ParameterArena.create(device, { w: { shape: [2], init: 'ones' } });
    const reads = [arena.read('w'), arena.readGrad('w')];
    await microtasks(wait);
    arena.destroy();
    for (const [k, read] of reads.entries()) {
      const outcome = await outcomeOf(read);
      if ('code' in outcome) expect(outcome.code).toBe('destroyed');
      else expect([...outcome.value]).toEqual(k === 0 ? [1, 1] : [0, 0]);
    }
  }
});
