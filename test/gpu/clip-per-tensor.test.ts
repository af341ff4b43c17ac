/** The norm of each parameter's gradient, limited by itself. */
import { expect, inject, vi } from 'vitest';
import {
  Optimizer,
  type OptimizerSettings,
  type Parameter,
  ParameterArena,
  ReferenceOptimizer,
  type Rule,
  adam,
  lamb,
  sgd,
} from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { BoundedRun } from '../../proof/bounded-run.js';
import { bitDifference, checkWithinBound } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { exactNorm, makeTensors } from '../support/control-tensors.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { errorOf } from '../support/error-of.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

const LENGTHS = [1, 2, 3, 5, 64, 255, 4099, 20_001];
const MAX = 2;

const CASES: readonly [title: string, rule: Rule, settings: OptimizerSettings][] = [
  ['steps that the host counts', adam(), {}],
  ['after scaling, and before clipping by value', adam(), { gradScale: 0.3, maxGradValue: 0.25 }],
  ['beside what the GPU decides', adam(), { skipNonFinite: true, measureGradNorm: true, lossScale: 4 }],
  ['before a rule that measures tensors', lamb(), {}],
];

for (const [title, rule, settings] of drawn(CASES, 2)) {
  gpuTest(`gradients are clipped one by one as in the reference: ${title}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const draw = () => LENGTHS.map((length) => random.weights(length).map((x) => x * (length < 9 ? 4 : 1)));
    const tensors = makeTensors(device, track, draw(), random);
    const config = { rule, ...settings, maxGradNormPerTensor: MAX } satisfies OptimizerSettings & {
      rule: unknown;
    };
    const params = tensors.map(({ parameter }) => parameter);
    const optimizer = track(await Optimizer.create(device, { ...config, params }));
    const before = tensors.map(({ weights }) => weights.slice());
    const twin = new ReferenceOptimizer({
      ...config,
      precision: 'f32',
      params: tensors.map(({ weights }, k) => ({ name: `w${k}`, data: weights })),
    });
    const bounds = before
      .slice(0, 6)
      .map((weights) => new BoundedRun(rule, weights, 0, { maxGradNormPerTensor: MAX }));
    for (let step = 0; step < 5; step++) {
      const gradients = draw().map((g, k) => ((k + step) % 3 === 0 ? g.map((x) => x / 64) : g));
      tensors.forEach(({ upload }, k) => upload(gradients[k]!));
      // Whatever row they come to have, at one of these steps others take part than those of the first.
      const some = ['w1', 'w7'];
      const all = params.map(({ name }) => name);
      const skip = step === 2 ? some : step === 4 ? all.filter((name) => !some.includes(name)) : [];
      optimizer.step({ skip });
      twin.step(gradients, { skip });
      bounds.forEach((bound, k) => (skip.includes(`w${k}`) ? bound.skip() : bound.step(gradients[k]!)));
    }
    for (const [k, { weights }] of tensors.entries()) {
      const got = await optimizer.readParam(`w${k}`);
      if (isSwiftShader(device)) expect(bitDifference(got, weights), `w${k}`).toBeUndefined();
      if (k < bounds.length && Object.keys(settings).length === 0) {
        checkWithinBound(got, bounds[k]!.weights, `w${k}`);
      }
    }
  });
}

gpuTest('neighbours, tensors in pieces, and gradients beside weights', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const values = random.weights(40);
  // Weights and gradients of a, b and c behind one another; d in two pieces; e beside its weights.
  const data = makeBuffer(device, track, new Float32Array(40));
  const grad = makeBuffer(device, track, values);
  const range = (buffer: GPUBuffer, first: number, count: number) => ({
    buffer,
    offset: 4 * first,
    size: 4 * count,
  });
  const both = makeBuffer(device, track, [0, 0, 0, ...values.subarray(0, 3)]);
  const at = (name: string, first: number, count: number): Parameter => ({
    name,
    data: range(data, first, count),
    grad: range(grad, first, count),
  });
  const params: Parameter[] = [
    at('a', 0, 8),
    at('b', 8, 5),
    at('c', 13, 7),
    {
      name: 'd',
      data: [range(data, 20, 3), range(data, 24, 6)],
      grad: [range(grad, 20, 5), range(grad, 26, 4)],
    },
    { name: 'e', data: range(both, 0, 3), grad: range(both, 3, 3) },
  ];
  const optimizer = track(
    await Optimizer.create(device, { rule: sgd({ lr: 1 }), params, maxGradNormPerTensor: 0.5 }),
  );
  optimizer.step();
  const of = (...parts: [number, number][]) =>
    parts.flatMap(([first, end]) => [...values.subarray(first, end)]);
  const gradients: Record<string, number[]> = {
    a: of([0, 8]),
    b: of([8, 13]),
    c: of([13, 20]),
    d: of([20, 25], [26, 30]),
    e: of([0, 3]),
  };
  for (const [name, gradient] of Object.entries(gradients)) {
    const factor = Math.min(1, 0.5 / exactNorm([Float32Array.from(gradient)]));
    const got = await optimizer.readParam(name);
    // The norm's few additions and the product are off by less than 16 units in the last place together.
    got.forEach((w, i) =>
      expect(Math.abs(w / (-gradient[i]! * factor) - 1), name).toBeLessThan(16 * 2 ** -23),
    );
  }
  expect(await optimizer.readParam('a')).toHaveLength(8);
});

gpuTest(
  'of an infinite gradient the rest is 0, of NaN all is NaN, as in Keras',
  async ({ device, track }) => {
    const gradients = [
      [Infinity, 1, 2],
      [NaN, 1, 2],
      // No float32 holds its norm: as if it were infinite.
      [3e38, 3e38, 0],
      // The squares overflow, the norm does not.
      [3e30, 4e30, 0],
      // The squares are 0, and the last element may be.
      [3e-30, 4e-30, 1e-42],
      [0, 0, 0],
    ];
    const params = gradients.map((gradient, k) => makeParameter(device, track, `w${k}`, [0, 0, 0], gradient));
    const config = { rule: sgd({ lr: 1 }), maxGradNormPerTensor: 2 };
    const optimizer = track(await Optimizer.create(device, { ...config, params }));
    const twin = new ReferenceOptimizer({
      ...config,
      precision: 'f32',
      params: gradients.map((_, k) => ({ name: `w${k}`, data: new Float32Array(3) })),
    });
    optimizer.step();
    twin.step(gradients);
    for (const [k] of gradients.entries()) {
      const [got, want] = [await optimizer.readParam(`w${k}`), twin.readParam(`w${k}`)];
      got.forEach((w, i) => {
        if (Number.isNaN(want[i])) expect(w).toBeNaN();
        else expect(w).toBeCloseTo(want[i]!, 5);
      });
    }
    expect([...(await optimizer.readParam('w0'))].map(Math.abs)).toEqual([NaN, 0, 0]);
  },
);

gpuTest('gradients that come to lie elsewhere are clipped there', async ({ device, track }) => {
  const params = [1, 2].map((k) => makeParameter(device, track, `w${k}`, [0, 0], [3 * k, 4 * k]));
  const optimizer = track(
    await Optimizer.create(device, { rule: sgd({ lr: 1 }), params, maxGradNormPerTensor: 1 }),
  );
  optimizer.step();
  optimizer.rebind({ w1: { grad: makeBuffer(device, track, [0, -8]) } });
  optimizer.step();
  const got = await optimizer.readParam('w1');
  expect(got[0]).toBeCloseTo(-0.6, 6);
  expect(got[1]).toBeCloseTo(0.2, 6);
  expect((await optimizer.readParam('w2'))[1]).toBeCloseTo(-1.6, 6);
  // Of one that rests, too: it is clipped there when it goes on.
  optimizer.freeze(['w1']);
  optimizer.rebind({ w1: { grad: makeBuffer(device, track, [8, 0]) } });
  optimizer.step();
  optimizer.unfreeze(['w1']);
  optimizer.step();
  const later = await optimizer.readParam('w1');
  expect(later[0]).toBeCloseTo(-1.6, 6);
  expect(later[1]).toBeCloseTo(0.2, 6);
});

gpuTest('a thousand tensors take few dispatches', async ({ device, track }) => {
  const count = 1000;
  const names = Array.from({ length: count }, (_, k) => `w${k}`);
  const arena = track(
    await ParameterArena.create(
      device,
      Object.fromEntries(names.map((name, k) => [name, { shape: [5 + (k % 3)] }])),
    ),
  );
  const own = names.map((name) => makeParameter(device, track, name, new Float32Array(4), [3, 0, 4, 0]));
  for (const name of names) {
    const { buffer, offset } = arena.gradView(name);
    device.queue.writeBuffer(buffer, offset, Float32Array.of(3, 4));
  }
  const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
  for (const [params, most, second] of [
    [arena.params, 8, 1],
    [own, 400, 2],
  ] as const) {
    const config = { rule: adam({ lr: 1 }), maxGradNormPerTensor: 1 };
    const optimizer = track(await Optimizer.create(device, { ...config, params }));
    dispatch.mockClear();
    optimizer.step();
    expect(dispatch.mock.calls.length).toBeLessThanOrEqual(most);
    for (const name of ['w0', 'w517', 'w999']) {
      const moment = await optimizer.readState(name, 'exp_avg');
      expect(
        [moment[0], moment[second]].map((m) => m!.toFixed(5)),
        name,
      ).toEqual(['0.06000', '0.08000']);
    }
  }
  dispatch.mockRestore();
});

gpuTest('one limit or the other, and a number', async ({ device, track }) => {
  const params = [makeParameter(device, track, 'w', [1], [1])];
  const create = (settings: OptimizerSettings) =>
    Optimizer.create(device, { rule: sgd(), params, ...settings });
  const both = await errorOf(() => create({ maxGradNorm: 1, maxGradNormPerTensor: 2 }));
  expect([both.code, both.message]).toEqual([
    'invalid-config',
    expect.stringContaining('maxGradNorm is 1 and maxGradNormPerTensor 2'),
  ]);
  for (const maxGradNormPerTensor of [0, -1, NaN, 1e39]) {
    expect((await errorOf(() => create({ maxGradNormPerTensor }))).code).toBe('invalid-option');
  }
});
