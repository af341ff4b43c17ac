/** Who has made how many steps: behind skips, loads, and groups that join while steps are on their way. */
import { expect, inject } from 'vitest';
import { Optimizer, type OptimizerSettings, type Rule, type StateDict, adam, sgd } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { microtasks } from '../support/live-buffers.js';
import { makeParameter } from '../support/tensors.js';

/** Few steps change these decay rates' corrections a lot. */
const RULE = adam({ lr: 0.1, betas: [0.5, 0.75] });

async function makeRun(
  device: GPUDevice,
  track: Track,
  config: OptimizerSettings & { rule?: Rule } = {},
  weights?: Float32Array,
) {
  const random = new Random(inject('seed'));
  const [initial, gradients] = [random.weights(7), random.gradients(7)];
  const param = makeParameter(device, track, 'w', weights ?? initial, gradients);
  const optimizer = track(await Optimizer.create(device, { rule: RULE, params: [param], ...config }));
  return {
    optimizer,
    param,
    upload: (values: Float32Array<ArrayBuffer>) => device.queue.writeBuffer(param.grad, 0, values),
    gradients,
    read: () => optimizer.readParam('w'),
  };
}

gpuTest(
  'a dict of a run that skipped goes on by the applied steps where nothing is skipped',
  async ({ device, track }) => {
    const skipping = await makeRun(device, track, { skipNonFinite: true });
    const bad = new Float32Array(7).fill(NaN);
    skipping.optimizer.step();
    skipping.upload(bad);
    for (let step = 0; step < 10; step++) skipping.optimizer.step();
    skipping.upload(skipping.gradients);
    skipping.optimizer.step();
    const dict = await skipping.optimizer.stateDict();
    expect([dict.step, dict.control!.skipped]).toEqual([2, 10]);
    const weights = await skipping.read();
    const want = await makeRun(device, track);
    for (let step = 0; step < 4; step++) want.optimizer.step();
    for (const config of [{}, { skipNonFinite: true }, { maxGradNorm: 1e30 }, { ema: { decay: 0.5 } }]) {
      const state = structuredClone(dict.state);
      if ('ema' in config) state['w']!['ema'] = weights.slice();
      const resumed = await makeRun(device, track, config, weights);
      resumed.optimizer.loadStateDictSync({ ...dict, state });
      const stats = resumed.optimizer.stats();
      resumed.optimizer.step();
      const saved = resumed.optimizer.stateDict();
      resumed.optimizer.step();
      expect((await stats).step).toBe(2);
      expect((await saved).step).toBe(3);
      expect([...(await resumed.optimizer.readState('w', 'step'))]).toEqual([4]);
      expect(bitDifference(await resumed.read(), await want.read())).toBeUndefined();
    }
  },
);

gpuTest('a schedule is asked for the same steps behind a resume as without it', async ({ device, track }) => {
  const bad = new Float32Array(7).fill(Infinity);
  const make = async (weights?: Float32Array) => {
    const asked: number[] = [];
    const lr = (step: number) => {
      asked.push(step);
      return 0.5 ** step;
    };
    return { asked, ...(await makeRun(device, track, { rule: sgd({ lr }), skipNonFinite: true }, weights)) };
  };
  const whole = await make();
  whole.optimizer.step();
  whole.upload(bad);
  whole.optimizer.step();
  whole.upload(whole.gradients);
  whole.optimizer.step();
  const dict = await whole.optimizer.stateDict();
  const resumed = await make(await whole.read());
  resumed.optimizer.loadStateDictSync(structuredClone(dict));
  whole.asked.length = 0;
  resumed.asked.length = 0;
  for (const { optimizer } of [whole, resumed]) for (let step = 0; step < 3; step++) optimizer.step();
  expect(resumed.asked).toEqual(whole.asked);
  expect(bitDifference(await resumed.read(), await whole.read())).toBeUndefined();
});

for (const [title, config] of Object.entries({
  plain: {},
  controlled: { skipNonFinite: true },
})) {
  gpuTest(`what is loaded holds, whoever joined just before (${title})`, async ({ device, track }) => {
    const make = () => makeRun(device, track, config);
    const late = () => ({ params: [makeParameter(device, track, 'late', [1, 2], [1, 1])] });
    const saved = await make();
    saved.optimizer.step();
    saved.optimizer.addGroupSync(late());
    saved.optimizer.step();
    const dict = structuredClone(await saved.optimizer.stateDict());
    expect(dict.groups[1]!.joinedAt).toBe(1);
    for (const wait of [0, 1, 3]) {
      const resumed = await make();
      for (let step = 0; step < 5; step++) resumed.optimizer.step();
      resumed.optimizer.addGroupSync(late());
      await microtasks(wait);
      resumed.optimizer.loadStateDictSync(structuredClone(dict));
      const again = resumed.optimizer.stateDict();
      resumed.optimizer.step();
      const later = resumed.optimizer.stateDict();
      const count = resumed.optimizer.readState('late', 'step');
      expect(await again).toEqual(dict);
      expect((await later).groups[1]!.joinedAt).toBe(1);
      expect((await later).step).toBe(3);
      expect([...(await count)]).toEqual([2]);
    }
  });

  gpuTest(
    `steps encoded before a group joined, submitted behind it (${title})`,
    async ({ device, track }) => {
      const random = new Random(inject('seed'));
      const [weights, gradients] = [random.weights(6), random.gradients(6)];
      const late = () => makeParameter(device, track, 'late', weights, gradients);
      const fresh = track(await Optimizer.create(device, { rule: RULE, params: [late()], ...config }));
      fresh.step();
      fresh.step();
      const [want, state] = [await fresh.readParam('late'), (await fresh.stateDict()).state['late']];
      const earlier = await makeRun(device, track, config);
      for (let step = 0; step < 5; step++) earlier.optimizer.step();
      for (const join of [
        (optimizer: Optimizer) => optimizer.addGroup({ params: [late()] }),
        (optimizer: Optimizer) => optimizer.addGroupSync({ params: [late()] }),
      ]) {
        const { optimizer, read } = await makeRun(device, track, config);
        optimizer.step();
        const encoder = device.createCommandEncoder();
        optimizer.encode(encoder);
        optimizer.encode(encoder);
        const joining = join(optimizer);
        if (joining instanceof Promise) await joining;
        device.queue.submit([encoder.finish()]);
        optimizer.step();
        const together = device.createCommandEncoder();
        optimizer.encode(together);
        device.queue.submit([together.finish()]);
        const dict: StateDict = await optimizer.stateDict();
        expect(dict.step).toBe(5);
        expect(dict.groups[1]!.joinedAt).toBe(3);
        expect([...(await optimizer.readState('late', 'step'))]).toEqual([2]);
        expect([...(await optimizer.readState('w', 'step'))]).toEqual([5]);
        expect(dict.state['late']).toEqual(state);
        expect(bitDifference(await optimizer.readParam('late'), want)).toBeUndefined();
        expect(bitDifference(await read(), await earlier.read())).toBeUndefined();
      }
    },
  );
}

gpuTest('an encoder that holds steps of before and behind a join', async ({ device, track }) => {
  for (const config of [{}, { maxGradNorm: 1e9 }]) {
    const optimizer = track(
      await Optimizer.create(device, {
        rule: sgd({ lr: 1 }),
        params: [makeParameter(device, track, 'a', [9], [1])],
        ...config,
      }),
    );
    const encoder = device.createCommandEncoder();
    optimizer.encode(encoder);
    optimizer.addGroupSync({ params: [makeParameter(device, track, 'b', [9], [1])] });
    optimizer.encode(encoder);
    optimizer.addGroupSync({ params: [makeParameter(device, track, 'c', [9], [1])], lr: 2 });
    optimizer.encode(encoder);
    const dropped = device.createCommandEncoder();
    optimizer.encode(dropped);
    device.queue.submit([encoder.finish()]);
    const read = await Promise.all(['a', 'b', 'c'].map((name) => optimizer.readParam(name)));
    expect(read.map(([value]) => value)).toEqual([6, 7, 7]);
  }
});

gpuTest(
  'a step over weights that are destroyed changes nothing: the host counts it, the GPU does not',
  async ({ device, track }) => {
    for (const [config, want] of [
      [{}, 2],
      [{ skipNonFinite: true }, 1],
    ] as const) {
      const [gone, kept] = ['gone', 'kept'].map((name) => makeParameter(device, track, name, [4], [1]));
      const rule = sgd({ lr: 1 });
      const optimizer = track(await Optimizer.create(device, { rule, params: [gone!, kept!], ...config }));
      optimizer.step();
      gone!.data.destroy();
      device.pushErrorScope('validation');
      optimizer.step();
      expect((await device.popErrorScope())?.message).toContain('destroyed');
      expect((await optimizer.stats()).step).toBe(want);
      expect([...(await optimizer.readParam('kept'))]).toEqual([3]);
      optimizer.rebind({ gone: { data: makeParameter(device, track, 'new', [8], [1]).data } });
      optimizer.step();
      expect((await optimizer.stats()).step).toBe(want + 1);
      const read = await Promise.all(['gone', 'kept'].map((name) => optimizer.readParam(name)));
      expect(read.map(([weight]) => weight)).toEqual([7, 2]);
    }
  },
);

gpuTest('a count that is full is not counted further: no step is made then', async ({ device, track }) => {
  // On the GPU it would begin anew at 0, and β⁰ would be sought without end.
  for (const config of [{}, { skipNonFinite: true }]) {
    const { optimizer, read } = await makeRun(device, track, config);
    optimizer.step();
    const dict = await optimizer.stateDict();
    optimizer.loadStateDictSync({ ...dict, step: 2 ** 32 - 2 });
    optimizer.step();
    const full = await optimizer.stateDict();
    expect(full.step).toBe(2 ** 32 - 1);
    const weights = await read();
    const encoder = device.createCommandEncoder();
    for (const call of [() => optimizer.step(), () => optimizer.encode(encoder)]) {
      const error = await errorOf(call);
      expect([error.code, error.message]).toEqual([
        'limit-exceeded',
        expect.stringContaining('4294967295 steps'),
      ]);
    }
    device.queue.submit([encoder.finish()]);
    expect(await optimizer.stateDict()).toEqual(full);
    expect(bitDifference(await read(), weights)).toBeUndefined();
    // It is a dict as others are, and there are ways on.
    optimizer.loadStateDictSync(full);
    expect((await errorOf(() => optimizer.step())).code).toBe('limit-exceeded');
    optimizer.writeState('w', 'step', [7]);
    optimizer.step();
    expect([...(await optimizer.readState('w', 'step'))]).toEqual([8]);
  }
});

gpuTest('a count beyond 2^24 is counted by ones', async ({ device, track }) => {
  const config = { rule: sgd({ lr: 1 }), lookahead: { every: 2, alpha: 0.5 } };
  for (const more of [{}, { skipNonFinite: true }]) {
    const params = [makeParameter(device, track, 'w', [0], [1])];
    const optimizer = track(await Optimizer.create(device, { ...config, ...more, params }));
    const dict = await optimizer.stateDict();
    for (const step of [2 ** 24, 2 ** 24 + 1, 2 ** 31 + 1]) {
      device.queue.writeBuffer(params[0]!.data, 0, Float32Array.of(0));
      optimizer.loadStateDictSync({ ...dict, step, state: { w: { slow: Float32Array.of(8) } } });
      const got: number[] = [];
      let [weight, slow] = [0, 8];
      const want: number[] = [];
      for (let k = 1; k <= 4; k++) {
        optimizer.step();
        got.push((await optimizer.readParam('w'))[0]!);
        weight -= 1;
        if ((step + k) % 2 === 0) weight = slow += 0.5 * (weight - slow);
        want.push(weight);
      }
      expect(got, `from ${step}`).toEqual(want);
    }
  }
});

gpuTest(
  'a count that somebody wrote may be beyond the steps: a dict is of that one',
  async ({ device, track }) => {
    for (const [config, gradient, steps] of [
      [{}, 1, 1],
      // Which the GPU skips, and the host does not know.
      [{ skipNonFinite: true }, NaN, 9],
    ] as const) {
      const params = ['a', 'b'].map((name) => makeParameter(device, track, name, [1], [gradient]));
      const optimizer = track(await Optimizer.create(device, { rule: adam(), params, ...config }));
      for (let step = 0; step < steps; step++) optimizer.step();
      optimizer.writeState('b', 'step', [5]);
      expect((await optimizer.stateDict()).step).toBe(5);
    }
  },
);
