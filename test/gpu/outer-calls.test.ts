import { expect, inject } from 'vitest';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { Optimizer, adam, momentum, muon, sgd } from '../../src/index.js';
import {
  type Compress,
  OuterOptimizer,
  type OuterPeer,
  averageDeltas,
  inspectDelta,
} from '../../src/outer/index.js';
import { getTestAdapter, gpuTest } from '../support/device.js';
import { readSafetensors } from '../../src/safetensors/index.js';
import { errorOf } from '../support/error-of.js';
import { watchBuffers } from '../support/live-buffers.js';
import { outcomeOf } from '../support/outcome-of.js';
import { differingByte, makeOuterPair } from '../support/outer-pair.js';
import { runShort } from '../support/shortage.js';
import { makeBuffer, makeParameter, readFloats } from '../support/tensors.js';
import { watchUnhandled } from '../support/unhandled.js';

/** A step by the mean, whole and at once. */
const PLAIN = momentum({ lr: 1, momentum: 0 });
const FORMATS: readonly Compress[] = ['none', 'bf16', { topK: 0.25, bits: 32 }];

gpuTest('steps between a delta and its round are kept, whoever awaits what', async ({ device, track }) => {
  const params = [makeParameter(device, track, 'w', [8, 8], [1, -1])];
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params }));
  const outer = track(await OuterOptimizer.create(optimizer, { every: 2, rule: PLAIN }));
  optimizer.step();
  const first = outer.delta();
  optimizer.step();
  expect(outer.isDue).toBe(true);
  const applied = first.then((delta) => outer.apply(delta));
  optimizer.step();
  await applied;
  expect(outer.stepCount).toBe(0);
  // The first step was given and applied; two steps are this peer's own.
  expect([...(await optimizer.readParam('w'))]).toEqual([5, 11]);
  const second = await outer.delta();
  expect(await inspectDelta(second)).toMatchObject({ round: 1, norm: Math.hypot(2, 2) });
  // Nobody takes it, nor the next one; both steps, and one more, are in the third.
  await outer.delta();
  optimizer.step();
  const third = await outer.delta();
  expect(await inspectDelta(third)).toMatchObject({ norm: Math.sqrt(18) });
  await outer.apply(third);
  expect([...(await optimizer.readParam('w'))]).toEqual([4, 12]);
  expect(outer.round).toBe(2);
});

gpuTest('a peer that gives nothing in its first round keeps its progress', async ({ device, track }) => {
  const make = async (gradients: number[]) => {
    const params = [makeParameter(device, track, 'w', [8, 8], gradients)];
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params }));
    return { optimizer, outer: track(await OuterOptimizer.create(optimizer, { every: 1, rule: PLAIN })) };
  };
  const [silent, other] = await Promise.all([make([1, 0]), make([0, 1])]);
  for (const { optimizer } of [silent, other]) optimizer.step();
  const delta = await other.outer.delta();
  await Promise.all([silent.outer.apply(delta), other.outer.apply(delta)]);
  expect([...(await silent.optimizer.readParam('w'))]).toEqual([7, 7]);
  expect([...(await other.optimizer.readParam('w'))]).toEqual([8, 7]);
});

gpuTest(
  'calls in an order that nobody planned, and that nobody awaits, end as those of the twin',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const compress = random.pick([...FORMATS, 'int8' as const]);
    const pair = await makeOuterPair(device, track, random, {
      sizes: [5, 300],
      compress: inject('runtime') === 'firefox' ? 'none' : compress,
    });
    const { outer, twin } = pair;
    const deltas: Uint8Array[] = [await outer.delta({ peer: 'before' })];
    const snapshots: Uint8Array<ArrayBuffer>[] = [await outer.snapshot()];
    await twin.delta({ peer: 'before' });
    for (let batch = 0; batch < 12; batch++) {
      await pair.train(random);
      const calls = Array.from({ length: 1 + random.integer(6) }, () => {
        const kind = random.pick(['delta', 'delta', 'apply', 'apply', 'snapshot', 'loadSnapshot'] as const);
        const samples = 1 + random.integer(9);
        const given = Array.from({ length: 1 + random.integer(2) }, () => random.pick(deltas.slice(-3)));
        const snapshot = random.pick(snapshots.slice(-2));
        const [keepProgress, isDeltaTaken] = [random.uniform() < 0.5, random.uniform() < 0.5];
        return async (peer: OuterPeer): Promise<Uint8Array | undefined> => {
          if (kind === 'delta') return peer.delta({ samples });
          if (kind === 'snapshot') return peer.snapshot();
          await (kind === 'apply'
            ? peer.apply(given)
            : peer.loadSnapshot(snapshot, { keepProgress, isDeltaTaken }));
          return undefined;
        };
      });
      const [own, wanted] = await Promise.all(
        [outer, twin].map((peer) => Promise.all(calls.map((call) => outcomeOf(call(peer))))),
      );
      for (const [k, outcome] of own!.entries()) {
        const want = wanted![k]!;
        if (!('value' in outcome) || !('value' in want)) {
          expect(outcome).toEqual(want);
          continue;
        }
        if (!outcome.value) continue;
        expect(differingByte(outcome.value, want.value!)).toBeUndefined();
        const isDelta = await outcomeOf(inspectDelta(outcome.value));
        if ('value' in isDelta) deltas.push(outcome.value);
        else snapshots.push(outcome.value.slice());
      }
      expect(outer.round).toBe(twin.round);
      expect(await pair.difference(), `batch ${batch}`).toBeUndefined();
    }
  },
);

gpuTest('a schedule of the rule that throws changes nothing', async ({ device, track }) => {
  for (const compress of FORMATS) {
    let isBroken = false;
    const lr = (): number => {
      if (isBroken) throw new Error('no rate today');
      return 1;
    };
    const params = [makeParameter(device, track, 'w', [8, 8], [1, 2])];
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params }));
    const rule = momentum({ lr, momentum: 0 });
    const outer = track(await OuterOptimizer.create(optimizer, { every: 1, rule, compress }));
    optimizer.step();
    const delta = await outer.delta();
    isBroken = true;
    await expect(outer.apply(delta)).rejects.toThrow('no rate today');
    isBroken = false;
    expect([outer.round, outer.isDue]).toEqual([0, true]);
    expect([...(await optimizer.readParam('w'))]).toEqual([7, 6]);
    // Of the largest element alone, the other is left over; then it is given, too.
    await outer.apply(delta);
    for (let k = 0; k < 2; k++) await outer.apply(await outer.delta());
    expect([...(await optimizer.readParam('w'))]).toEqual([7, 6]);
  }
});

gpuTest('a snapshot is where a peer goes on from', async ({ device, track }) => {
  for (const keepProgress of [false, true]) {
    const make = async () => {
      const params = [makeParameter(device, track, 'w', [8, 8], [1, 2])];
      const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params }));
      return { optimizer, outer: track(await OuterOptimizer.create(optimizer, { every: 1, rule: PLAIN })) };
    };
    const [early, late] = await Promise.all([make(), make()]);
    early.optimizer.step();
    await early.outer.apply(await early.outer.delta());
    late.optimizer.step();
    const loaded = late.outer.loadSnapshot(await early.outer.snapshot(), { keepProgress });
    late.optimizer.step();
    await loaded;
    expect(late.outer.round).toBe(1);
    expect([...(await late.optimizer.readParam('w'))]).toEqual(keepProgress ? [5, 2] : [7, 6]);
    expect((await inspectDelta(await late.outer.delta())).norm).toBe(keepProgress ? Math.sqrt(20) : 0);
  }
});

gpuTest(
  'a snapshot that comes while other weights are in place is taken up by the next call',
  async ({ device, track }) => {
    const make = async () => {
      const params = [makeParameter(device, track, 'w', [8, 8], [1, 2])];
      const optimizer = track(
        await Optimizer.create(device, { rule: sgd({ lr: 1 }), params, ema: { decay: 0.5 } }),
      );
      return { optimizer, outer: track(await OuterOptimizer.create(optimizer, { every: 1, rule: PLAIN })) };
    };
    const [early, late] = await Promise.all([make(), make()]);
    early.optimizer.step();
    await early.outer.apply(await early.outer.delta());
    const snapshot = await early.outer.snapshot();
    for (let k = 0; k < 2; k++) late.optimizer.step();
    const loaded = outcomeOf(late.outer.loadSnapshot(snapshot));
    late.optimizer.eval();
    expect(await loaded).toEqual({ code: 'invalid-config' });
    late.optimizer.train();
    expect((await inspectDelta(await late.outer.delta())).norm).toBe(0);
    expect([...(await late.optimizer.readParam('w'))]).toEqual([7, 6]);
    expect(late.outer.round).toBe(1);
  },
);

gpuTest('what rests stays as it is, bit for bit, whatever others send', async ({ device, track }) => {
  for (const compress of FORMATS) {
    const make = async () => {
      const params = ['a', 'b'].map((name) => makeParameter(device, track, name, [1, 2], [1, 1]));
      const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params }));
      return {
        optimizer,
        outer: track(await OuterOptimizer.create(optimizer, { every: 1, rule: PLAIN, compress })),
      };
    };
    const [one, other] = await Promise.all([make(), make()]);
    other.optimizer.step();
    await other.outer.apply(await other.outer.delta());
    await one.outer.loadSnapshot(await other.outer.snapshot());
    one.optimizer.step();
    one.optimizer.freeze(['a']);
    const before = [...(await one.optimizer.readParam('a'))];
    // What 'a' has come is not given, and stays.
    expect((await inspectDelta(await one.outer.delta())).norm).toBeLessThanOrEqual(Math.SQRT2);
    other.optimizer.step();
    await one.outer.apply(await other.outer.delta());
    expect([...(await one.optimizer.readParam('a'))]).toEqual(before);
    expect([...(await one.optimizer.readParam('b'))]).not.toEqual(before);
    one.optimizer.unfreeze(['a']);
    const thawed = await readSafetensors(await one.outer.delta());
    if (compress === 'none')
      expect([...new Float32Array((await thawed.tensors.get('delta.a')!.bytes()).buffer)]).toEqual([1, 1]);
    one.optimizer.freeze(['a']);
    one.optimizer.freeze(['b']);
    const own = await one.outer.delta();
    const error = await errorOf(() => one.outer.apply(own));
    expect(error.message).toContain('all parameters are frozen; unfreeze() some of them first');
    expect(one.outer.round).toBe(2);
  }
});

gpuTest(
  'it follows weights to other buffers, and refuses to guess where rows or parameters have gone',
  async ({ device, track }) => {
    const make = async () => {
      const params = ['a', 'b'].map((name) => ({
        ...makeParameter(device, track, name, [1, 2, 3, 4], [1, 1, 1, 1]),
        rowLength: 2,
      }));
      const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params }));
      return { optimizer, outer: track(await OuterOptimizer.create(optimizer, { every: 1, rule: PLAIN })) };
    };
    const { optimizer, outer } = await make();
    optimizer.step();
    const data = makeBuffer(device, track, [5, 5, 5, 5]);
    optimizer.rebind({ a: { data } });
    await outer.apply(await outer.delta());
    expect([...(await readFloats(device, data))]).toEqual([5, 5, 5, 5]);
    const changes: ((o: typeof optimizer) => unknown)[] = [
      (o) => o.remove(['b']),
      (o) => o.addGroup({ params: [makeParameter(device, track, 'c', [1], [1])] }),
      (o) => o.mapRows(['a'], { from: Uint32Array.of(1, 0), rowCount: 2 }),
      (o) => o.mapRows(['a'], { from: Uint32Array.of(0), rowCount: 1 }),
    ];
    for (const change of changes) {
      const changed = await make();
      await change(changed.optimizer);
      for (const call of [() => changed.outer.delta(), () => changed.outer.snapshot()]) {
        const error = await errorOf(call);
        expect(error.code).toBe('invalid-config');
        expect(error.message).toContain(
          'parameters have come, gone or moved since; create a new OuterOptimizer',
        );
      }
    }
  },
);

gpuTest('bad input is one clear error', async ({ device, track }) => {
  const param = () => makeParameter(device, track, 'w', [1, 2], [1, 1]);
  const optimizer = track(
    await Optimizer.create(device, { rule: adam(), params: [param()], ema: { decay: 0.5 } }),
  );
  const live = track(watchBuffers(device));
  const create = (options: object) => errorOf(() => OuterOptimizer.create(optimizer, options as never));
  expect((await create({})).message).toContain('OuterOptimizer.create(): every is undefined');
  expect((await create({ every: 1, rule: 'nesterov' })).message).toContain('"nesterov"');
  expect((await create({ every: 1, rule: muon() })).message).toContain('shape');
  expect((await create({ every: 1, label: 7 })).message).toContain('label is 7');
  expect((await errorOf(() => OuterOptimizer.create({} as never, { every: 1 }))).message).toContain(
    'is no optimizer',
  );
  expect(live.labels).toEqual([]);
  const outer = await OuterOptimizer.create(optimizer, { every: 1 });
  optimizer.step();
  optimizer.eval();
  expect((await errorOf(() => outer.delta())).message).toContain('call train() first');
  optimizer.train();
  const other = { ...makeParameter(device, track, 'v', [1, 2], [1, 1]) };
  const model = track(await Optimizer.create(device, { rule: adam(), params: [other] }));
  const foreign = track(await OuterOptimizer.create(model, { every: 1 }));
  const refused = await errorOf(async () => outer.loadSnapshot(await foreign.snapshot()));
  expect(refused.message).toMatch(
    /^OuterOptimizer\.loadSnapshot\(\): it is no snapshot of a peer with the same parameters/u,
  );
  foreign.destroy();
  const delta = outer.delta();
  outer.destroy();
  outer.destroy();
  // It was read already, or it is lost.
  const outcome = await outcomeOf(delta);
  expect('value' in outcome || outcome.code === 'destroyed').toBe(true);
  expect((await errorOf(() => outer.apply([]))).message).toContain(
    'OuterOptimizer.apply() was called after destroy()',
  );
  expect(live.labels.filter((label) => label.includes('outer'))).toEqual([]);
});

gpuTest(
  'weights that masterWeights keeps more exactly are given, and go on, as they are kept',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    for (const dtype of ['bf16', 'f16'] as const) {
      for (const gap of [undefined, 3]) {
        const options = {
          sizes: [5, 64, 257],
          dtype,
          masterWeights: 'f32' as const,
          compress: random.pick(FORMATS),
        };
        const pair = await makeOuterPair(device, track, random, {
          ...options,
          ...(gap !== undefined && { gap }),
        });
        for (let round = 0; round < 3; round++) {
          await pair.train(random);
          const [own, wanted] = await Promise.all([pair.outer.delta(), pair.twin.delta()]);
          expect(differingByte(own, wanted), `${JSON.stringify(options)} ${gap} ${round}`).toBeUndefined();
          if (round === 1) pair.optimizer.freeze(['w0']);
          if (round === 1) pair.optimizer.unfreeze(['w0']);
          await Promise.all([pair.outer.apply(own), pair.twin.apply(wanted)]);
          expect(await pair.difference()).toBeUndefined();
          const masters = await pair.optimizer.readState('w2', 'master');
          expect(bitDifference(masters, pair.twinWeights('w2'))).toBeUndefined();
        }
      }
    }
  },
);

// A correction counts in steps of 258 units of float32's last place, so that a weight is off by 129 at most: before the steps, and behind them.
gpuTest('of masters that are split, deltas are as exact as these', async ({ device, track }) => {
  const weights = Uint32Array.of(0x3f80_3f80);
  const data = makeBuffer(device, track, new Float32Array(weights.buffer));
  const param = { name: 'w', data, dtype: 'bf16' as const, grad: makeBuffer(device, track, [0.3, -0.7]) };
  const rule = sgd({ lr: 0.01 });
  const optimizer = track(await Optimizer.create(device, { rule, params: [param], masterWeights: 'split' }));
  const outer = track(await OuterOptimizer.create(optimizer, { every: 1, rule: PLAIN }));
  // Two weights up to 1, of 2⁻²³ a unit.
  const bound = Math.SQRT2 * 2 * 129 * 2 ** -23;
  for (let k = 0; k < 5; k++) {
    optimizer.step();
    const delta = await outer.delta();
    expect(Math.abs((await inspectDelta(delta)).norm - 0.01 * Math.hypot(0.3, 0.7))).toBeLessThan(bound);
    await outer.apply(delta);
  }
});

for (const kind of [{}, { dtype: 'f16', masterWeights: 'f32' }] as const)
  gpuTest(`rounds make nothing new, and all is freed: ${JSON.stringify(kind)}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const live = track(watchBuffers(device));
    const pair = await makeOuterPair(device, (made) => made, random, {
      sizes: [5, 70],
      compress: 'bf16',
      ...kind,
      gap: 1,
    });
    const { outer, optimizer } = pair;
    const round = async () => {
      await pair.train(random);
      await outer.apply(await outer.delta());
    };
    await round();
    const before = live.count;
    for (let k = 0; k < 3; k++) {
      // Another generation of the optimizer's, and back.
      optimizer.freeze(['w0']);
      optimizer.unfreeze(['w0']);
      await round();
    }
    expect(live.count).toBe(before);
    // A mean of another format takes memory of its own.
    await outer.apply(await averageDeltas([await outer.delta()]));
    expect(live.count).toBeGreaterThan(before);
    outer.destroy();
    optimizer.destroy();
    // Those of the pair's weights and gradients are left.
    expect(live.labels.filter((label) => !/^(weights|gradients)/.test(label))).toEqual([]);
  });

gpuTest('without memory nothing is left of it, and the optimizer goes on', async ({ device, track }) => {
  const optimizer = track(
    await Optimizer.create(device, {
      rule: sgd({ lr: 1 }),
      params: [makeParameter(device, track, 'w', [1, 2], [1, 1])],
    }),
  );
  const live = track(watchBuffers(device));
  for (const part of ['anchor 0', 'mean 0', 'pending 0', 'bf16 packed 0']) {
    const shortage = runShort(device, ({ label }) => label?.endsWith(part) ?? false);
    const error = await errorOf(() => OuterOptimizer.create(optimizer, { every: 1, compress: 'bf16' }));
    shortage.destroy();
    expect(error.code).toBe('out-of-memory');
    expect(live.labels).toEqual([]);
  }
  optimizer.step();
  expect([...(await optimizer.readParam('w'))]).toEqual([0, 1]);
});

gpuTest('a lost device settles what is under way', async ({ track }) => {
  const unhandled = track(watchUnhandled());
  const device = await (await getTestAdapter()).requestDevice({ label: 'to be lost' });
  const keep = <T>(resource: T): T => resource;
  const optimizer = await Optimizer.create(device, {
    rule: sgd(),
    params: [makeParameter(device, keep, 'w', [1, 2], [1, 1])],
  });
  const outer = await OuterOptimizer.create(optimizer, { every: 1 });
  const delta = await outer.delta();
  const pending = [outer.apply(delta), outer.delta(), outer.snapshot(), outer.loadSnapshot(delta)];
  device.destroy();
  const outcomes = await Promise.all(pending.map((each) => outcomeOf<unknown>(each)));
  for (const outcome of outcomes.filter((each) => !('value' in each)))
    expect(['device-lost', 'invalid-checkpoint']).toContain((outcome as { code: string }).code);
  expect((await errorOf(() => outer.delta())).code).toBe('device-lost');
  expect((await errorOf(() => OuterOptimizer.create(optimizer, { every: 1 }))).code).toBe('device-lost');
  outer.destroy();
  await Promise.resolve();
  expect(unhandled.reasons).toEqual([]);
});

gpuTest(
  'numbers that no buffer holds together lie in several, and what they are stays',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    // Slabs are of whole chunks of 4,096 numbers: here of one.
    const limits: Record<string, number> = {};
    for (const name in device.limits) limits[name] = Reflect.get(device.limits, name) as number;
    const small = new Proxy(device, {
      get: (target, name) => {
        if (name === 'limits')
          return { ...limits, maxBufferSize: 16_384, maxStorageBufferBindingSize: 16_384 };
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
      },
    });
    for (const compress of FORMATS) {
      const pair = await makeOuterPair(small, track, random, { sizes: [3000, 10_000, 3, 2000], compress });
      for (let round = 0; round < 2; round++) {
        await pair.train(random);
        const [own, wanted] = await Promise.all([pair.outer.delta(), pair.twin.delta()]);
        expect(differingByte(own, wanted)).toBeUndefined();
        await Promise.all([pair.outer.apply(own), pair.twin.apply(wanted)]);
        expect(await pair.difference()).toBeUndefined();
      }
    }
  },
);

gpuTest(
  'weights of rows that lie apart are given and changed, and what lies between stays',
  async ({ device, track }) => {
    const data = makeBuffer(device, track, [1, 2, -1, 3, 4, -1, 5, 6, -1]);
    const grad = makeBuffer(device, track, [1, 1, 1, 1, 1, 1]);
    const params = [{ name: 'w', data: { buffer: data, byteStride: 12 }, grad, rowLength: 2, length: 6 }];
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params }));
    const outer = track(
      await OuterOptimizer.create(optimizer, { every: 1, rule: momentum({ lr: 0.5, momentum: 0 }) }),
    );
    optimizer.step();
    await outer.apply(await outer.delta());
    expect([...(await readFloats(device, data))]).toEqual([0.5, 1.5, -1, 2.5, 3.5, -1, 4.5, 5.5, -1]);
  },
);

gpuTest('weights of any size go there and back', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const special = [0, -0, 1e30, -1e30, 1e-30, 2 ** -126, 1, -1, 2 ** 24];
  const initial = (_: string, elementCount: number) =>
    Float32Array.from({ length: elementCount }, () => random.pick(special));
  const pair = await makeOuterPair(device, track, random, { sizes: [255], initial });
  const before = await pair.optimizer.readParam('w0');
  const own = await pair.outer.delta();
  await Promise.all([pair.outer.apply(own), pair.twin.apply(own)]);
  // Nothing has come of it: Δ is 0, and weights keep their bits, −0 too.
  const after = await pair.optimizer.readParam('w0');
  after.forEach((weight, k) => expect(weight + 0).toBe(before[k]! + 0));
  await pair.train(random);
  const deltas = await Promise.all([pair.outer.delta(), pair.twin.delta()]);
  expect(differingByte(...deltas)).toBeUndefined();
  await pair.outer.apply(deltas[0]);
  await pair.twin.apply(deltas[1]);
  expect(await pair.difference()).toBeUndefined();
});
