/** What a step that leaves tensors out measures, counts, saves and refuses. */
import { describe, expect, inject } from 'vitest';
import { Optimizer, type OptimizerConfig, ParameterArena, adam, lars, sgd } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { LAYOUTS, type Layout, layOut } from '../support/left-out.js';
import { makeWords } from '../support/sparse-run.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

async function makeThree(
  device: GPUDevice,
  track: Track,
  layout: Layout,
  config: Omit<OptimizerConfig, 'params' | 'groups'>,
) {
  const weights = [Float32Array.of(1, 1), Float32Array.of(2, 2, 2), Float32Array.of(3)];
  const tensors = await layOut(layout, device, track, weights);
  const params = tensors.map(({ parameter }) => parameter);
  return { tensors, optimizer: track(await Optimizer.create(device, { ...config, params })) };
}

for (const layout of LAYOUTS) {
  gpuTest(
    `the gradient of a tensor that is left out is not measured (${layout})`,
    async ({ device, track }) => {
      const config = { rule: sgd({ lr: 1 }), maxGradNorm: 10, skipNonFinite: true };
      const { tensors, optimizer } = await makeThree(device, track, layout, config);
      tensors[0]!.upload(Float32Array.of(3, 0));
      tensors[1]!.upload(Float32Array.of(NaN, Infinity, 1e30));
      tensors[2]!.upload(Float32Array.of(4));
      optimizer.step({ skip: ['t1'] });
      const first = optimizer.stats();
      optimizer.step();
      const second = optimizer.stats();
      tensors[1]!.upload(Float32Array.of(0, 12, 0));
      const encoder = device.createCommandEncoder();
      optimizer.encode(encoder, { skip: new Set(['t0', 't2']) });
      device.queue.submit([encoder.finish()]);
      const third = optimizer.stats();
      expect(await first).toMatchObject({ step: 1, skipped: 0, gradNorm: 5, clipFactor: 1 });
      expect(await second).toMatchObject({ step: 1, skipped: 1 });
      const { gradNorm, clipFactor } = await third;
      expect(gradNorm).toBe(12);
      expect(clipFactor).toBeCloseTo(10 / 12, 5);
      expect([...(await optimizer.readParam('t0'))]).toEqual([-2, 1]);
      expect([...(await optimizer.readParam('t2'))]).toEqual([-1]);
      const [, moved] = await optimizer.readParam('t1');
      expect(moved).toBeCloseTo(2 - 10, 3);
      const counts = await Promise.all(['t0', 't1', 't2'].map((name) => optimizer.readState(name, 'step')));
      expect(counts.map(([count]) => count)).toEqual([1, 1, 1]);
    },
  );

  gpuTest(`a dynamic loss scale knows nothing of what is left out (${layout})`, async ({ device, track }) => {
    const config = { rule: sgd({ lr: 1 }), lossScale: { init: 4, growthInterval: 2 } };
    const { tensors, optimizer } = await makeThree(device, track, layout, config);
    tensors[0]!.upload(Float32Array.of(Infinity, NaN));
    for (let step = 0; step < 2; step++) optimizer.step({ skip: ['t0'] });
    expect(await optimizer.stats()).toMatchObject({ step: 2, skipped: 0, lossScale: 8 });
    expect([...(await optimizer.readParam('t0'))]).toEqual([1, 1]);
  });
}

gpuTest('a step that leaves all out changes nothing', async ({ device, track }) => {
  for (const layout of LAYOUTS) {
    for (const config of [{}, { maxGradNorm: 1, skipNonFinite: true }]) {
      const { tensors, optimizer } = await makeThree(device, track, layout, {
        rule: adam(),
        ema: { decay: 0.5 },
        ...config,
      });
      tensors.forEach(({ weights, upload }) => upload(new Float32Array(weights.length).fill(1)));
      optimizer.step();
      const before = await optimizer.stateDict();
      const weights = await optimizer.readParam('t1');
      optimizer.step({ skip: ['t0', 't1', 't2'] });
      expect((await optimizer.stateDict()).state).toEqual(before.state);
      expect(bitDifference(await optimizer.readParam('t1'), weights)).toBeUndefined();
      expect([...(await optimizer.readState('t2', 'step'))]).toEqual([1]);
    }
  }
});

gpuTest('a table that is left out keeps every row', async ({ device, track }) => {
  for (const config of [{}, { maxGradNorm: 1e6, skipNonFinite: true }]) {
    const grad = {
      indices: makeWords(device, track, [1, 0, 1]),
      values: makeBuffer(device, track, [NaN, 1, 1, 1, 1, 1]),
    };
    const table = { name: 'table', data: makeBuffer(device, track, [1, 2, 3, 4]), rowLength: 2, grad };
    const params = [makeParameter(device, track, 'dense', [0], [1]), table];
    const optimizer = track(await Optimizer.create(device, { rule: adam({ lr: 1 }), params, ...config }));
    optimizer.step({ skip: ['table'] });
    const left = optimizer.readParam('table');
    const moments = optimizer.readState('table', 'exp_avg');
    device.queue.writeBuffer(grad.values, 0, Float32Array.of(1));
    optimizer.step({ skip: ['dense'] });
    expect([...(await left)]).toEqual([1, 2, 3, 4]);
    expect([...(await moments)]).toEqual([0, 0, 0, 0]);
    // The first step of Adam, corrected by its own count: one learning rate.
    expect([...(await optimizer.readParam('table'))]).toEqual([0, 1, 2, 3].map((w) => expect.closeTo(w, 4)));
    expect([...(await optimizer.readParam('dense'))]).toEqual([expect.closeTo(-1, 4)]);
  }
});

describe('own counts are saved', () => {
  gpuTest('and a resumed run goes on, bit for bit', async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const rule = adam({ lr: 0.1, betas: [0.5, 0.75] });
    for (const layout of LAYOUTS) {
      for (const config of [{}, { skipNonFinite: true, ema: { decay: 0.5, warmup: true } }]) {
        const make = () => makeThree(device, track, layout, { rule, ...config });
        const [whole, resumed] = [await make(), await make()];
        const gradients = whole.tensors.map(({ weights }) => random.gradients(weights.length));
        for (const { tensors } of [whole, resumed]) tensors.forEach(({ upload }, k) => upload(gradients[k]!));
        whole.optimizer.step({ skip: ['t2', 't1'] });
        whole.optimizer.step({ skip: ['t2'] });
        whole.optimizer.step();
        const saving = whole.optimizer.stateDict();
        const reads = ['t0', 't1', 't2'].map((name) => whole.optimizer.readParam(name));
        const next = () => {
          for (const { optimizer } of [whole, resumed]) {
            optimizer.step({ skip: ['t0'] });
            optimizer.step();
          }
        };
        const dict = structuredClone(await saving);
        expect(dict.step).toBe(3);
        expect(dict.groups[0]!['steps']).toEqual([3, 2, 1]);
        expect(dict.groups[0]!.joinedAt).toBeUndefined();
        for (const [k, read] of reads.entries()) {
          const { data } = resumed.tensors[k]!.parameter;
          const { buffer, offset = 0 } =
            data instanceof GPUBuffer ? { buffer: data } : (data as GPUBufferBinding);
          device.queue.writeBuffer(buffer, offset, await read);
        }
        resumed.optimizer.loadStateDictSync(dict);
        next();
        expect(await resumed.optimizer.stateDict()).toEqual(await whole.optimizer.stateDict());
        for (const name of ['t0', 't1', 't2']) {
          const [got, want] = [
            await resumed.optimizer.readParam(name),
            await whole.optimizer.readParam(name),
          ];
          expect(bitDifference(got, want), `${layout} ${name}`).toBeUndefined();
        }
      }
    }
  });

  gpuTest('as joinedAt where all of a group lack the same steps', async ({ device, track }) => {
    const { tensors, optimizer } = await makeThree(device, track, 'arena', { rule: adam() });
    tensors.forEach(({ weights, upload }) => upload(new Float32Array(weights.length).fill(1)));
    optimizer.step();
    optimizer.addGroupSync({ params: [makeParameter(device, track, 'late', [1], [1])] });
    optimizer.step({ skip: ['late'] });
    optimizer.step();
    const { groups, step } = await optimizer.stateDict();
    expect(step).toBe(3);
    expect(groups.map(({ joinedAt, steps }) => [joinedAt, steps])).toEqual([
      [undefined, undefined],
      [2, undefined],
    ]);
  });
});

describe('what cannot be left out is refused', () => {
  gpuTest('and nothing is stepped', async ({ device, track }) => {
    const arena = track(await ParameterArena.create(device, { a: { shape: [2] }, b: { shape: [2] } }));
    for (const config of [{}, { skipNonFinite: true }]) {
      const optimizer = track(
        await Optimizer.create(device, { rule: lars(), params: arena.params, ...config }),
      );
      const encoder = device.createCommandEncoder();
      const bad: [string, unknown][] = [
        ['"c"', { skip: ['a', 'c'] }],
        ['"B"', { skip: new Set(['B']) }],
        ['"ab"', { skip: 'ab' }],
        ['"a"', { skip: 'a' }],
        ['7', { skip: 7 }],
        ['null', { skip: null }],
        ['null', { skip: ['a', null] }],
        ['Symbol(a)', { skip: [Symbol('a')] }],
        ['"skipped"', { skipped: ['a'] }],
        ['a Set', new Set(['b'])],
        ['["b"]', ['b']],
        ['"b"', 'b'],
        ['null', null],
      ];
      for (const [hint, options] of bad) {
        for (const call of [
          () => optimizer.step(options as never),
          () => optimizer.encode(encoder, options as never),
        ]) {
          expect((await errorOf(call)).message, hint).toContain(hint);
        }
      }
      const old = await errorOf(() => optimizer.encode(encoder, new Set(['b']) as never));
      expect(old.message).toContain('{ skip');
      expect((await errorOf(() => optimizer.step({ skip: ['c'] }))).message).toContain('"a", "b"');
      device.queue.submit([encoder.finish()]);
      expect((await optimizer.stats()).step).toBe(0);
      expect((await optimizer.stateDict()).step).toBe(0);
    }
  });

  gpuTest('but nothing to leave out, a name twice and a generator are fine', async ({ device, track }) => {
    const { tensors, optimizer } = await makeThree(device, track, 'arena', { rule: sgd({ lr: 1 }) });
    tensors.forEach(({ weights, upload }) => upload(new Float32Array(weights.length).fill(1)));
    optimizer.step({});
    optimizer.step({ skip: [] });
    optimizer.step({ skip: undefined } as never);
    optimizer.step({ skip: ['t1', 't1'] });
    optimizer.step({ skip: new Map([['t0', 1]]).keys() });
    expect([...(await optimizer.readParam('t0')), ...(await optimizer.readParam('t1'))]).toEqual([
      -3, -3, -2, -2, -2,
    ]);
  });
});
