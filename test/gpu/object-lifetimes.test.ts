/** What lives beside the state, how long, and what is left when all is over. */
import { describe, expect, inject, vi } from 'vitest';
import {
  Optimizer,
  type OptimizerSettings,
  type Parameter,
  type Rule,
  OptimizerError,
  ParameterArena,
  adafactor,
  adam,
  adamw,
  lamb,
  muon,
  scheduleFreeAdamw,
  sgd,
} from '../../src/index.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { getTestAdapter, gpuTest } from '../support/device.js';
import { isTurn } from '../support/draw.js';
import { errorOf } from '../support/error-of.js';
import { microtasks, watchBuffers } from '../support/live-buffers.js';
import { makeWords } from '../support/sparse-run.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

const MEBIBYTE = 2 ** 20;

/** So many tensors of four elements, each in ranges of two shared buffers: what an adapter of a framework may bring. */
function makeMany(device: GPUDevice, track: Track, count: number) {
  const [data, grad] = [
    makeBuffer(device, track, new Float32Array(64 * count)),
    makeBuffer(device, track, new Float32Array(64 * count).fill(1)),
  ];
  return Array.from({ length: count }, (_, k) => {
    const range = { offset: 256 * k, size: 16 };
    return { name: `w${k}`, data: { buffer: data, ...range }, grad: { buffer: grad, ...range } };
  });
}

describe('beside the state there is at most a mebibyte', () => {
  for (const [title, config] of Object.entries<OptimizerSettings & { rule: Rule }>({
    plain: { rule: adam() },
    controlled: { rule: adam(), maxGradNorm: 1, skipNonFinite: true },
    measured: { rule: lamb() },
  })) {
    gpuTest(`for 465 groups of 4 elements (${title})`, async ({ device, track }) => {
      const params = makeMany(device, track, 465);
      const live = track(watchBuffers(device));
      const groups = params.map((param) => ({ params: [param] }));
      const optimizer = track(await Optimizer.create(device, { ...config, groups }));
      optimizer.step();
      const state = 465 * 4 * 4 * 2;
      expect(live.byteLength - state, live.labels.slice(0, 20).join('\n')).toBeLessThanOrEqual(MEBIBYTE);
      expect([...(await optimizer.readParam('w464'))][3]).toBeLessThan(0);
      const { step, groups: saved } = await optimizer.stateDict();
      expect([step, saved.length]).toEqual([1, 465]);
      optimizer.destroy();
      expect(live.labels).toEqual([]);
    });

    gpuTest(`behind 50 times addGroup (${title})`, async ({ device, track }) => {
      const params = makeMany(device, track, 51);
      const live = track(watchBuffers(device));
      const optimizer = track(await Optimizer.create(device, { ...config, params: [params[0]!] }));
      for (const [k, param] of params.slice(1).entries()) {
        const adding = k % 2 === 0 ? optimizer.addGroup({ params: [param] }) : undefined;
        if (adding === undefined) optimizer.addGroupSync({ params: [param] });
        else await adding;
        optimizer.step();
      }
      await optimizer.stats();
      await device.queue.onSubmittedWorkDone();
      optimizer.step();
      const state = 51 * 4 * 4 * 2;
      expect(live.byteLength - state, live.labels.slice(0, 20).join('\n')).toBeLessThanOrEqual(MEBIBYTE);
      optimizer.destroy();
      expect(live.labels).toEqual([]);
    });
  }

  gpuTest('1100 groups are no limit', async ({ device, track }) => {
    for (const config of [{}, { maxGradNorm: 1e9 }]) {
      const groups = makeMany(device, track, 1100).map((param, k) => ({ params: [param], lr: k % 7 }));
      const optimizer = track(await Optimizer.create(device, { rule: sgd(), groups, ...config }));
      optimizer.step();
      for (const k of [0, 1, 6, 1023, 1024, 1099]) {
        expect(
          [...(await optimizer.readParam(`w${k}`))].map((w) => w + 0),
          `w${k}`,
        ).toEqual(Array(4).fill(-(k % 7) + 0));
      }
    }
  });
});

describe('nothing grows', () => {
  const changes: Record<string, (run: Awaited<ReturnType<typeof makeRun>>) => unknown> = {
    step: ({ optimizer }) => optimizer.step(),
    stats: ({ optimizer }) => optimizer.stats(),
    readings: ({ optimizer }) => Promise.all([optimizer.readParam('a'), optimizer.readState('b', 'exp_avg')]),
    stateDict: ({ optimizer }) => optimizer.stateDict(),
    loadStateDict: ({ optimizer, dict }) => optimizer.loadStateDictSync(dict),
    'eval and train': ({ optimizer, others, k }) => {
      // Of a run that is another one each time.
      optimizer.rebind({ a: { grad: others[k % 2]!.grad } });
      optimizer.eval();
      optimizer.train();
    },
    zeroGrad: ({ optimizer }) => optimizer.zeroGrad(),
    options: ({ optimizer, k }) => {
      optimizer.lr = 1 / (k + 1);
      optimizer.gradScale = 1 / (k + 1);
    },
    'rebind to and fro': ({ optimizer, others, k }) =>
      optimizer.rebind({ a: { grad: others[k % 2]!.grad }, b: { data: others[k % 2]!.data } }),
    'a refused group': async ({ optimizer, others }) => {
      await errorOf(() => optimizer.addGroup({ params: [{ ...others[0]!, name: 'a' }] }));
      await errorOf(() => optimizer.addGroupSync({ params: [], lr: 1 }));
    },
    'a foreign group': async ({ optimizer, foreign, others }) => {
      await errorOf(() => optimizer.addGroup({ params: [{ ...others[0]!, name: 'x', data: foreign }] }));
    },
    'groups that come and go': ({ optimizer, many }) => {
      optimizer.addGroupSync({ params: many });
      optimizer.step();
      optimizer.remove(many.map(({ name }) => name));
    },
    'a move': ({ optimizer }) => optimizer.addGroupSync({ params: ['a'] }),
    'a refused dict': async ({ optimizer, dict }) => {
      await errorOf(() => optimizer.loadStateDictSync({ ...dict, step: -1 }));
    },
    'a refused rebind': async ({ optimizer, foreign }) => {
      await errorOf(() => optimizer.rebind({ a: { grad: foreign }, nobody: {} }));
    },
  };

  async function makeRun(device: GPUDevice, track: Track) {
    const foreignDevice = track(await (await getTestAdapter()).requestDevice({ label: 'foreign' }));
    const make = (name: string) => makeParameter(device, track, name, [1, 2, 3], [1, 1, 1]);
    const config = { rule: adam(), ema: { decay: 0.5 }, maxGradNorm: 1, skipNonFinite: true };
    const live = track(watchBuffers(device));
    const created = live.count;
    const optimizer = track(await Optimizer.create(device, { ...config, params: [make('a'), make('b')] }));
    const others = [make('a'), make('a')];
    const foreign = makeBuffer(foreignDevice, track, [1, 2, 3]);
    optimizer.step();
    // More than have records without more memory, where each of them had one of its own.
    const many = makeMany(device, track, 40);
    const dict = await optimizer.stateDict();
    return { optimizer, others, foreign, many, live, created, dict, k: 0 };
  }

  for (const [title, change] of Object.entries(changes)) {
    gpuTest(`with the number of changes: ${title}`, async ({ device, track }) => {
      const run = await makeRun(device, track);
      for (; run.k < 5; run.k++) await change(run);
      await device.queue.onSubmittedWorkDone();
      const before = run.live.byteLength;
      // Each foreign group compiles for half a second.
      const count = title === 'a foreign group' ? 15 : 45;
      for (; run.k < count; run.k++) await change(run);
      await device.queue.onSubmittedWorkDone();
      expect(run.live.byteLength, run.live.labels.join('\n')).toBeLessThanOrEqual(before);
    });
  }

  for (const rule of [muon({ others: adamw() }), adafactor({ beta1: 0.5 })] as Rule[]) {
    gpuTest(
      `with the number of matrices that come, move, are bound elsewhere and go: ${rule.name}`,
      async ({ device, track }) => {
        const zeros = new Float32Array(15);
        const make = (name: string) => ({
          ...makeParameter(device, track, name, zeros, zeros),
          shape: [3, 5],
        });
        const [a, b, c] = [make('a'), make('b'), make('c')];
        const elsewhere = makeBuffer(device, track, zeros);
        const live = track(watchBuffers(device));
        const optimizer = track(await Optimizer.create(device, { rule, params: [a, b] }));
        const change = (k: number): void => {
          optimizer.addGroupSync({ params: [c, 'a'] });
          optimizer.step();
          optimizer.rebind({ b: { data: k % 2 === 0 ? elsewhere : b.data } });
          optimizer.step({ skip: ['a'] });
          optimizer.remove(['c']);
          optimizer.step();
        };
        for (let k = 0; k < 6; k++) change(k);
        await device.queue.onSubmittedWorkDone();
        const before = live.byteLength;
        for (let k = 0; k < 20; k++) change(k);
        await device.queue.onSubmittedWorkDone();
        expect(live.byteLength, live.labels.join('\n')).toBeLessThanOrEqual(before);
        optimizer.destroy();
        expect(live.labels).toEqual([]);
      },
    );
  }

  gpuTest('with the number of gradients that were bound once', async ({ device, track }) => {
    const length = 8;
    for (const config of [{}, { maxGradNorm: 1e9, skipNonFinite: true }] as OptimizerSettings[]) {
      const params = [makeParameter(device, track, 'w', new Float32Array(length), new Float32Array(length))];
      const optimizer = track(await Optimizer.create(device, { rule: lamb(), params, ...config }));
      const grads = Array.from({ length: 400 }, () => makeBuffer(device, track, new Float32Array(length)));
      const bind = (grad: GPUBuffer): number => {
        const created = vi.spyOn(device, 'createBindGroup');
        optimizer.rebind({ w: { grad } });
        optimizer.step();
        const { length: count } = created.mock.calls;
        created.mockRestore();
        return count;
      };
      const counts = grads.map(bind);
      // Who forgets what was bound long ago has to make it again.
      expect(bind(grads[0]!)).toBe(counts[1]);
      // And who has just bound it, does not.
      expect(bind(grads[399]!) + bind(grads[0]!)).toBe(0);
    }
  });
});

describe('nothing is left behind', () => {
  gpuTest('destroy(), in whatever moment', async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const make = (name: string) => makeParameter(device, track, name, random.weights(9), random.gradients(9));
    const table = {
      name: 'table',
      data: makeBuffer(device, track, [0, 0, 0, 0]),
      rowLength: 2,
      grad: { indices: makeWords(device, track, [1]), values: makeBuffer(device, track, [1, 1]) },
    };
    const tensors = Array.from({ length: 12 }, (_, k) => make(`w${k}`));
    const micro = { ...make('micro'), microGrad: makeBuffer(device, track, new Float32Array(9)) };
    const matrices = ['m0', 'm1'].map((name) => ({ ...make(name), shape: [3, 3] }));
    const configs: (OptimizerSettings & { rule: Rule; params: readonly Parameter[] })[] = [
      { rule: adam(), params: tensors },
      { rule: adam(), params: [...tensors, micro], ema: { decay: 0.5 }, swa: { start: 1, period: 1 } },
      { rule: sgd(), params: [table, ...tensors], lossScale: 'dynamic', onStep: () => undefined },
      { rule: lamb(), params: tensors, maxGradNorm: 1, lookahead: { every: 2, alpha: 0.5 } },
      { rule: scheduleFreeAdamw(), params: tensors, skipNonFinite: true },
      { rule: muon({ others: adamw() }), params: [...tensors, ...matrices], skipNonFinite: true },
      { rule: adafactor(), params: [...tensors, ...matrices], ema: { decay: 0.5 } },
    ];
    const live = track(watchBuffers(device));
    for (const [index, config] of configs.entries()) {
      for (const wait of [0, 2, 10].filter((_, k) => isTurn(index + k, 3))) {
        const late = { name: 'late', data: tensors[0]!.grad, grad: tensors[1]!.grad };
        const optimizer = await Optimizer.create(device, {
          ...config,
          params: config.params.filter(({ name }) => name !== 'w0' && name !== 'w1'),
        });
        const pending: Promise<unknown>[] = [];
        for (let step = 0; step < 3; step++) optimizer.step();
        pending.push(optimizer.stateDict(), optimizer.stats(), optimizer.readParam('w2'));
        pending.push(optimizer.addGroup({ params: [late] }));
        if (config.ema) {
          optimizer.eval();
          optimizer.train();
        }
        // Encoded and dropped, or submitted by nobody.
        for (let step = 0; step < 5; step++) optimizer.encode(device.createCommandEncoder());
        const settled = Promise.allSettled(pending);
        await microtasks(wait);
        optimizer.destroy();
        await settled;
        await microtasks(50);
        expect(live.labels, `${config.rule.name} after ${wait}`).toEqual([]);
      }
    }
  });

  gpuTest('a creation that is refused', async ({ device, track }) => {
    const foreign = track(await (await getTestAdapter()).requestDevice({ label: 'foreign' }));
    const good = makeParameter(device, track, 'good', [1, 2], [1, 2]);
    const bad = {
      ...makeParameter(device, track, 'bad', [1, 2], [1, 2]),
      grad: makeBuffer(foreign, track, [1, 2]),
    };
    const averages = { ema: { decay: 0.5 }, lossScale: 'dynamic' } as const;
    const live = track(watchBuffers(device));
    for (const config of [
      { rule: adam(), params: [good, bad] },
      { rule: lamb(), params: [good, bad], ...averages },
      { rule: scheduleFreeAdamw(), params: [good, bad], maxGradNorm: 1 },
      { rule: adam(), params: [good], ema: { decay: 2 } },
      { rule: adam(), params: [good], kernel: { workgroupSize: 2 ** 20 } },
    ]) {
      await errorOf(() => Optimizer.create<Rule>(device, config));
      expect(live.labels).toEqual([]);
    }
    const optimizer = Optimizer.createSync(device, { rule: adam(), params: [good, bad], ...averages });
    await vi.waitFor(() => expect(() => optimizer.rebind({})).toThrow(OptimizerError), {
      timeout: 60_000,
    });
    optimizer.destroy();
    expect(live.labels).toEqual([]);
    await errorOf(() => ParameterArena.create(device, { w: { shape: [4], init: 'nothing' as never } }));
    expect(live.labels).toEqual([]);
  });

  gpuTest('an arena that is destroyed while it is filled', async ({ device, track }) => {
    const live = track(watchBuffers(device));
    const arena = await ParameterArena.create(device, { w: { shape: [4], init: 'normal' } });
    const filling = arena.initialize('w', 'uniform').catch((error: unknown) => error);
    arena.destroy();
    await filling;
    expect(live.labels).toEqual([]);
  });
});
