/** Readings show the run as it was when they were asked for, whatever is called before they arrive. */
import { describe, expect, inject, vi } from 'vitest';
import {
  Optimizer,
  type OptimizerSettings,
  ParameterArena,
  type StateDict,
  adam,
  schedules,
  sgd,
} from '../../src/index.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { watchBuffers } from '../support/live-buffers.js';
import { makeParameter } from '../support/tensors.js';

const LENGTHS = [5, 130];

interface Run {
  readonly optimizer: Optimizer;
  readonly params: ReturnType<typeof makeParameter>[];
}

async function makeRun(
  device: GPUDevice,
  track: Track,
  seed: number,
  config: OptimizerSettings,
): Promise<Run> {
  const random = new Random(seed);
  const params = LENGTHS.map((length, k) =>
    makeParameter(device, track, `w${k}`, random.weights(length), random.gradients(length)),
  );
  const rule = adam({ lr: 0.01 });
  return { params, optimizer: track(await Optimizer.create(device, { rule, params, ...config })) };
}

/** What is called in turn on a run; a reading returns its promise, and all else nothing. */
function drawCalls(random: Random, count: number, isControlled: boolean): ((run: Run) => unknown)[] {
  const device = (run: Run): GPUQueue => queueOf.get(run)!;
  const calls: (() => (run: Run) => unknown)[] = [
    () => (run) => run.optimizer.step(),
    () => (run) => run.optimizer.step(),
    () => (run) => run.optimizer.stateDict(),
    () => (run) => run.optimizer.stats(),
    () => {
      const name = random.pick(['w0', 'w1']);
      return (run) => run.optimizer.readParam(name);
    },
    () => {
      const [name, slot] = [
        random.pick(['w0', 'w1']),
        random.pick(['exp_avg', 'exp_avg_sq', 'step', 'ema', 'swa']),
      ];
      return (run) => run.optimizer.readState(name, slot);
    },
    () => (run) => run.optimizer.readEma('w1'),
    () => {
      const k = random.integer(2);
      const values = random.gradients(LENGTHS[k]!);
      if (isControlled && random.uniform() < 0.5) values[random.integer(values.length)] = NaN;
      return (run) => device(run).writeBuffer(run.params[k]!.grad, 0, values);
    },
    () => {
      const lr = random.uniform();
      return (run) => {
        run.optimizer.lr = lr;
      };
    },
    () => {
      const k = random.integer(2);
      const values = random.weights(LENGTHS[k]!);
      return (run) => device(run).writeBuffer(run.params[k]!.data, 0, values);
    },
  ];
  return Array.from({ length: count }, () => random.pick(calls)());
}

const queueOf = new WeakMap<Run, GPUQueue>();

for (const [title, config] of Object.entries({
  'plain steps': {},
  'steps that may be skipped': { maxGradNorm: 1, skipNonFinite: true },
  'a dynamic loss scale': { lossScale: { init: 16, growthInterval: 2 } },
} satisfies Record<string, OptimizerSettings>)) {
  gpuTest(`calls that nobody awaits give what awaited ones give: ${title}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const averages = { ema: { decay: 0.5 }, swa: { start: 2, period: 2 } };
    const calls = drawCalls(random, 60, title !== 'plain steps');
    const [awaited, free] = [
      await makeRun(device, track, inject('seed'), { ...averages, ...config }),
      await makeRun(device, track, inject('seed'), { ...averages, ...config }),
    ];
    for (const run of [awaited, free]) queueOf.set(run, device.queue);
    const want: unknown[] = [];
    for (const call of calls) want.push(await call(awaited));
    const got = await Promise.all(calls.map((call) => call(free)));
    for (const [k, value] of want.entries()) expect(got[k], `call ${k}`).toEqual(value);
  });
}

describe('a state dict', () => {
  gpuTest('is of the step at which it was asked for', async ({ device, track }) => {
    const param = makeParameter(device, track, 'w', [1], [1]);
    const optimizer = track(await Optimizer.create(device, { rule: adam(), params: [param] }));
    optimizer.step();
    const saving = optimizer.stateDict();
    optimizer.step();
    const dict = await saving;
    expect(dict.step).toBe(1);
    expect(dict.state['w']!['exp_avg']![0]).toBeCloseTo(0.1, 6);
  });

  gpuTest('holds counts and moments of one moment while onStep is busy', async ({ device, track }) => {
    const param = makeParameter(device, track, 'w', [0], [1]);
    const onStep = vi.fn<() => void>();
    const optimizer = track(
      await Optimizer.create(device, {
        rule: adam({ betas: [0.5, 0.5] }),
        params: [param],
        lossScale: { init: 1, growthInterval: 1e6 },
        onStep,
      }),
    );
    const saving: Promise<StateDict>[] = [];
    for (let step = 1; step <= 12; step++) {
      optimizer.step();
      saving.push(optimizer.stateDict());
    }
    for (const [k, dict] of (await Promise.all(saving)).entries()) {
      expect(dict.step, `dict ${k}`).toBe(k + 1);
      // m after k + 1 gradients of 1, exact.
      expect(dict.state['w']!['exp_avg']![0], `dict ${k}`).toBe(1 - 0.5 ** (k + 1));
      expect(dict.control!.growthTracker, `dict ${k}`).toBe(k + 1);
    }
    expect(onStep).toHaveBeenCalled();
  });

  gpuTest('has the options and the schedule of that moment', async ({ device, track }) => {
    const lr = schedules.reduceOnPlateau({ lr: 1, factor: 0.5, patience: 0 });
    const param = makeParameter(device, track, 'w', [0], [1]);
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr }), params: [param] }));
    lr.report(1);
    const want = structuredClone(await optimizer.stateDict());
    const saving = optimizer.stateDict();
    lr.report(1);
    lr.report(1);
    expect(optimizer.lr).toBe(0.25);
    expect(await saving).toEqual(want);
  });

  gpuTest('knows nothing of a group, a load or a rebind behind it', async ({ device, track }) => {
    const params = [makeParameter(device, track, 'a', [1, 2], [1, 1])];
    const optimizer = track(await Optimizer.create(device, { rule: adam(), params, skipNonFinite: true }));
    const fresh = await optimizer.stateDict();
    optimizer.step();
    const want = await optimizer.stateDict();
    const before = optimizer.stateDict();
    optimizer.addGroupSync({ params: [makeParameter(device, track, 'b', [1], [1])] });
    const grown = optimizer.stateDict();
    optimizer.rebind({ a: { data: makeParameter(device, track, 'a', [7, 7], [7, 7]).data } });
    const read = optimizer.readParam('a');
    optimizer.loadStateDictSync({
      ...fresh,
      groups: [...fresh.groups, { ...fresh.groups[0], params: ['b'] }],
      state: { ...fresh.state, b: { exp_avg: Float32Array.of(0), exp_avg_sq: Float32Array.of(0) } },
    });
    expect(await before).toEqual(want);
    const dict = await grown;
    expect(dict.groups.map(({ params: names, joinedAt }) => [names, joinedAt])).toEqual([
      [['a'], undefined],
      [['b'], 1],
    ]);
    expect(dict.state['a']).toEqual(want.state['a']);
    expect(dict.step).toBe(1);
    expect([...(await read)]).toEqual([7, 7]);
  });

  gpuTest(
    'of 300 tensors takes at most 8 submits, and leaves no buffer behind',
    async ({ device, track }) => {
      const params = Array.from({ length: 300 }, (_, k) =>
        makeParameter(device, track, `w${k}`, [k, 1, 2], [1, 1, k]),
      );
      const optimizer = track(await Optimizer.create(device, { rule: adam(), params, skipNonFinite: true }));
      optimizer.step();
      const live = track(watchBuffers(device));
      const submit = vi.spyOn(GPUQueue.prototype, 'submit');
      const saving = optimizer.stateDict();
      const atOnce = submit.mock.calls.length;
      const dict = await saving;
      const inAll = submit.mock.calls.length;
      submit.mockRestore();
      expect(inAll).toBeLessThanOrEqual(8);
      // What is submitted later would see later steps.
      expect(atOnce).toBe(inAll);
      expect(dict.state['w299']!['exp_avg']![2]).toBeCloseTo(29.9, 4);
      const kept = live.count;
      await optimizer.stateDict();
      expect(live.count, live.labels.join()).toBe(kept);
    },
  );
});

describe('an arena', () => {
  gpuTest('is read as it was when asked, whatever follows', async ({ device, track }) => {
    const arena = track(await ParameterArena.create(device, { w: { shape: [3] }, v: { shape: [2] } }));
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: arena.params }));
    arena.load('w', [1, 2, 3]);
    const { buffer, offset } = arena.gradView('w');
    device.queue.writeBuffer(buffer, offset, Float32Array.of(1, 1, 1));
    const reads = [arena.read('w'), arena.readGrad('w')];
    optimizer.step();
    reads.push(arena.read('w'));
    arena.zeroGrad();
    reads.push(arena.readGrad('w'));
    arena.load('w', [9, 9, 9]);
    reads.push(arena.read('w'));
    const filling = arena.initialize('w', 'ones');
    const values = (await Promise.all(reads)).map((read) => [...read]);
    expect(values).toEqual([
      [1, 2, 3],
      [1, 1, 1],
      [0, 1, 2],
      [0, 0, 0],
      [9, 9, 9],
    ]);
    await filling;
  });
});
