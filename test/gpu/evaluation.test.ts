import { expect, inject } from 'vitest';
import {
  Optimizer,
  OptimizerError,
  ReferenceOptimizer,
  adam,
  scheduleFreeAdamw,
  scheduleFreeSgd,
} from '../../src/index.js';
import { BoundedRun } from '../../proof/bounded-run.js';
import { bitDifference, checkWithinBound } from '../../proof/compare.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { gpuTest } from '../support/device.js';
import { Random } from '../../proof/random.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';
import { errorBound } from '../../src/reference/arithmetic/error-bound.js';

const BETA = 0.75;
const LENGTHS = [259, 1030];

for (const rule of [
  scheduleFreeSgd({ lr: 0.1, momentum: BETA, warmupSteps: 3 }),
  scheduleFreeAdamw({ lr: 0.1, betas: [BETA, 0.9] }),
]) {
  gpuTest(`${rule.name}: eval is y + (1 − 1/β)(z − y), and train comes back`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const weights = LENGTHS.map((length) => random.weights(length));
    // The second out of phase with 16 bytes, and in two pieces.
    const second = makeBuffer(device, track, [0, ...weights[1]!]);
    const params = [
      makeParameter(device, track, 'a', weights[0]!, weights[0]!),
      {
        name: 'b',
        data: [
          { buffer: second, offset: 4, size: 4 * 1000 },
          { buffer: second, offset: 4 * 1001, size: 4 * 30 },
        ],
        grad: makeBuffer(device, track, weights[1]!),
      },
    ];
    const optimizer = track(await Optimizer.create(device, { rule, params }));
    const twin = new ReferenceOptimizer({
      rule,
      precision: 'f32',
      params: weights.map((data, k) => ({ name: 'ab'[k]!, data })),
    });
    const bounds = weights.map((w) => new BoundedRun(rule, w));
    for (let step = 0; step < 5; step++) {
      const gradients = LENGTHS.map((length) => random.gradients(length));
      params.forEach(({ grad }, k) => device.queue.writeBuffer(grad, 0, gradients[k]!));
      optimizer.step();
      twin.step(gradients);
      bounds.forEach((bound, k) => bound.step(gradients[k]!));
    }
    const { add, mul, scalar } = errorBound;
    const there = bounds.map((bound) =>
      bound.weights.map((w, i) => add(w, mul(scalar(1 - 1 / BETA), bound.state('z_offset')[i]!))),
    );
    const back = bounds.map((bound, k) =>
      there[k]!.map((w, i) => add(w, mul(scalar(1 / BETA - 1), bound.state('z_offset')[i]!))),
    );
    const check = async (want: typeof there) => {
      for (const [k, name] of ['a', 'b'].entries()) {
        const got = await optimizer.readParam(name);
        checkWithinBound(got, want[k]!, name);
        if (isSwiftShader(device))
          expect(bitDifference(got, Float32Array.from(twin.readParam(name)))).toBeUndefined();
      }
    };
    optimizer.eval();
    optimizer.eval();
    twin.eval();
    await check(there);
    expect(() => optimizer.step()).toThrow('call train() first');
    expect(() => twin.step(weights)).toThrow('call train() first');
    await expect(optimizer.stateDict()).rejects.toThrow('call train() first');
    const encoder = device.createCommandEncoder();
    optimizer.train(encoder);
    device.queue.submit([encoder.finish()]);
    twin.train();
    await check(back);
    // What lies between and around is nobody's.
    optimizer.step();
  });
}

gpuTest('eval before any applied step leaves the weights', async ({ device, track }) => {
  const params = [makeParameter(device, track, 'w', [1, -2, 3], [NaN, 0, 0])];
  const rule = scheduleFreeSgd();
  const optimizer = track(await Optimizer.create(device, { rule, params, skipNonFinite: true }));
  optimizer.step();
  optimizer.eval();
  expect([...(await optimizer.readParam('w'))]).toEqual([1, -2, 3]);
});

gpuTest('groups, resumed options and other buffers are evaluated as they are', async ({ device, track }) => {
  const make = (name: string) => makeParameter(device, track, name, [4], [1]);
  const create = async (momentum: number) =>
    track(
      await Optimizer.create(device, {
        rule: scheduleFreeSgd({ lr: 1 }),
        groups: [{ params: [make('a')], momentum }],
      }),
    );
  const optimizer = await create(0.5);
  await optimizer.addGroup({ params: [make('b')], momentum: 0.25 });
  for (let step = 0; step < 2; step++) optimizer.step();
  // z = 2; x = (3 + 2)/2; y = z + β(x − z).
  expect((await optimizer.readParam('a'))[0]).toBe(2.25);
  expect((await optimizer.readParam('b'))[0]).toBe(2.125);
  optimizer.eval();
  expect((await optimizer.readParam('a'))[0]).toBe(2.5);
  expect((await optimizer.readParam('b'))[0]).toBe(2.5);

  const saved = await create(0.5);
  for (let step = 0; step < 2; step++) saved.step();
  const resumed = await create(0.75);
  await resumed.loadStateDict(await saved.stateDict());
  resumed.rebind({ a: { data: makeBuffer(device, track, [2.25]) } });
  resumed.eval();
  expect((await resumed.readParam('a'))[0]).toBe(2.5);
});

gpuTest('no group joins while the others are evaluated', async ({ device, track }) => {
  const group = (name: string) => ({ params: [makeParameter(device, track, name, [4], [1])] });
  const rule = scheduleFreeSgd({ lr: 1, momentum: 0.5 });
  const optimizer = track(await Optimizer.create(device, { rule, groups: [group('a')] }));
  const adding = optimizer.addGroup(group('b'));
  // Its kernels are being compiled then.
  await Promise.resolve();
  optimizer.eval();
  await expect(adding).rejects.toThrow('call train() first');
  expect(() => optimizer.addGroupSync(group('c'))).toThrow('call train() first');
  await expect(optimizer.addGroup(group('d'))).rejects.toThrow('call train() first');
  expect(optimizer.groups.length).toBe(1);
  optimizer.train();
  expect(optimizer.addGroupSync(group('e')).params).toEqual(['e']);
});

gpuTest('eval of a rule without an average, and a table, are refused', async ({ device, track }) => {
  const optimizer = track(
    await Optimizer.create(device, { rule: adam(), params: [makeParameter(device, track, 'w', [1], [1])] }),
  );
  expect(() => optimizer.eval()).toThrow(
    'adam evaluates with the weights that it trains; leave the call out',
  );
  expect(() => optimizer.train()).toThrow(OptimizerError);
  const grad = { indices: makeBuffer(device, track, [0]), values: makeBuffer(device, track, [1]) };
  const params = [{ name: 'table', data: makeBuffer(device, track, [1]), rowLength: 1, grad }];
  await expect(Optimizer.create(device, { rule: scheduleFreeSgd(), params })).rejects.toThrow(
    'the average of scheduleFreeSgd is taken of all weights at every step',
  );
});
