import { expect, inject, vi } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  type OptimizerSettings,
  type Parameter,
  OptimizerError,
  ReferenceOptimizer,
  adam,
  momentum,
  sgd,
} from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { readBuffer } from '../../proof/read-buffer.js';
import { gpuTest } from '../support/device.js';
import { Random } from '../../proof/random.js';
import { makeBuffer, makeParameter, tensorsPerDispatch } from '../support/tensors.js';

gpuTest('a dynamic loss scale follows torch.amp.GradScaler', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', [0], [1]);
  const lossScale = { init: 8, growthFactor: 4, backoffFactor: 0.25, growthInterval: 3 };
  const config = { rule: sgd({ lr: 1 }), params: [param], lossScale };
  const optimizer = track(await Optimizer.create(device, config));
  const weights = new Float32Array([0]);
  const reference = new ReferenceOptimizer({ ...config, params: [{ name: 'w', data: weights }] });
  const gradients = [8, 8, 8, NaN, 8, Infinity, 2, 2, 2, 8];
  const scales: number[] = [];
  for (const gradient of gradients) {
    device.queue.writeBuffer(param.grad, 0, Float32Array.of(gradient));
    optimizer.step();
    reference.step([[gradient]]);
    const { lossScale: scale, step, skipped } = await optimizer.stats();
    scales.push(scale);
    expect(reference.stats()).toMatchObject({ lossScale: scale, step, skipped });
  }
  // Grown after three finite steps, cut after each non-finite one, grown again.
  expect(scales).toEqual([8, 8, 32, 8, 8, 2, 2, 2, 8, 8]);
  // Each gradient divided by the scale in force when it was made.
  expect([...(await optimizer.readParam('w'))]).toEqual([-(1 + 1 + 1 + 1 + 1 + 1 + 1 + 1)]);
  const probe = track(
    await Optimizer.create(device, {
      rule: sgd({ lr: 1 }),
      params: [
        {
          name: 'scale',
          data: makeBuffer(device, track, [0]),
          grad: { buffer: optimizer.lossScaleBuffer, size: 4 },
        },
      ],
    }),
  );
  probe.step();
  expect([...(await probe.readParam('scale'))]).toEqual([-8]);
});

gpuTest(
  'a fixed loss scale and gradScale are divided out, in any number of encoded steps',
  async ({ device, track }) => {
    for (const bounds of [{}, { maxGradNorm: 1e9 }] satisfies Partial<OptimizerConfig>[]) {
      const param = makeParameter(device, track, 'w', [0], [65_536]);
      const optimizer = track(
        await Optimizer.create(device, {
          rule: sgd({ lr: 1 }),
          params: [param],
          lossScale: 65_536,
          gradScale: 0.5,
          ...bounds,
        }),
      );
      const encoder = device.createCommandEncoder();
      optimizer.encode(encoder);
      optimizer.gradScale = 0.25;
      optimizer.encode(encoder);
      device.queue.submit([encoder.finish()]);
      expect([...(await optimizer.readParam('w'))]).toEqual([-0.75]);
      const [scale] = new Float32Array((await readBuffer(device, optimizer.lossScaleBuffer)).buffer);
      expect(scale).toBe(65_536);
      const stats = await optimizer.stats();
      expect(stats).toMatchObject({ step: 2, skipped: 0, lossScale: 65_536, lr: 1 });
      if (bounds.maxGradNorm) expect(stats.gradNorm).toBeCloseTo(0.25, 6);
      expect(() => void (optimizer.gradScale = 0)).toThrow(OptimizerError);
    }
  },
);

gpuTest('maxGradValue clamps the unscaled gradient and lets NaN through', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', [0, 0, 0, 0, 0], [20, -20, 2, NaN, Infinity]);
  const optimizer = track(
    await Optimizer.create(device, {
      rule: sgd({ lr: 1 }),
      params: [param],
      gradScale: 0.25,
      maxGradValue: 3,
    }),
  );
  optimizer.step();
  expect([...(await optimizer.readParam('w'))]).toEqual([-3, 3, -0.5, NaN, -3]);
});

gpuTest('minGradValue clamps from below, alone or with another bound above', async ({ device, track }) => {
  const gradients = [20, -20, 2, -2, NaN, Infinity, -Infinity, 0, -0, 0.5];
  // As tf.clip_by_value(gradients / 4, low, high), which keeps NaN.
  const cases = [
    { bounds: { minGradValue: -1, maxGradValue: 3 }, clamped: [3, -1, 0.5, -0.5, NaN, 3, -1, 0, 0, 0.125] },
    { bounds: { minGradValue: -1 }, clamped: [5, -1, 0.5, -0.5, NaN, Infinity, -1, 0, 0, 0.125] },
    { bounds: { minGradValue: 0.25 }, clamped: [5, 0.25, 0.5, 0.25, NaN, Infinity, 0.25, 0.25, 0.25, 0.25] },
    {
      bounds: { minGradValue: -Infinity, maxGradValue: -1 },
      clamped: [-1, -5, -1, -1, NaN, -1, -Infinity, -1, -1, -1],
    },
  ];
  for (const { bounds, clamped } of cases) {
    const zeros = Array.from(gradients, () => 0);
    const params = [makeParameter(device, track, 'w', zeros, gradients)];
    const config = { rule: sgd({ lr: 1 }), gradScale: 0.25, ...bounds };
    const optimizer = track(await Optimizer.create(device, { ...config, params }));
    optimizer.step();
    const got = await optimizer.readParam('w');
    expect([...got].map(Math.abs), JSON.stringify(bounds)).toEqual(clamped.map(Math.abs));
    expect([...got].map((x) => x + 0)).toEqual(clamped.map((x) => 0 - x));
    const data = new Float32Array(zeros);
    const twin = new ReferenceOptimizer({ ...config, params: [{ data }], precision: 'f32' });
    twin.step([gradients]);
    expect([...data].map((x) => x + 0)).toEqual([...got].map((x) => x + 0));
  }
});

gpuTest('the state of the control pass resumes from a state dict', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const weights = random.weights(33);
  const gradients = random.gradients(33);
  const create = async (values: Float32Array) => {
    const params = [makeParameter(device, track, 'w', values, gradients)];
    const lossScale = { init: 4, growthInterval: 2 };
    return track(await Optimizer.create(device, { rule: adam(), params, lossScale, maxGradNorm: 1 }));
  };
  const whole = await create(weights);
  for (let k = 0; k < 5; k++) whole.step();
  const dict = await whole.stateDict();
  expect(dict.control).toEqual({ skipped: 0, consecutiveSkips: 0, growthTracker: 1, lossScale: 16 });
  const resumed = await create(await whole.readParam('w'));
  await resumed.loadStateDict(structuredClone(dict));
  for (const optimizer of [whole, resumed]) for (let k = 0; k < 5; k++) optimizer.step();
  expect(bitDifference(await resumed.readParam('w'), await whole.readParam('w'))).toBeUndefined();
  expect(await resumed.stateDict()).toEqual(await whole.stateDict());
});

gpuTest('onStep hears of steps, and stats asked for many times do not stall', async ({ device, track }) => {
  const params = [makeParameter(device, track, 'w', [1], [3])];
  const onStep = vi.fn<NonNullable<OptimizerConfig['onStep']>>();
  const optimizer = track(await Optimizer.create(device, { rule: sgd(), params, maxGradNorm: 1, onStep }));
  for (let k = 0; k < 20; k++) optimizer.step();
  const all = await Promise.all(Array.from({ length: 10 }, () => optimizer.stats()));
  for (const stats of all) expect(stats).toMatchObject({ step: 20, gradNorm: 3 });
  await vi.waitFor(() => expect(onStep).toHaveBeenCalled());
  expect(onStep.mock.calls[0]![0].gradNorm).toBe(3);
  // Those that were left out were so for the moment: of more than are due at once, each is heard of that is waited for.
  for (let k = 0; k < 6; k++) {
    const { length } = onStep.mock.calls;
    optimizer.step();
    await vi.waitFor(() => expect(onStep.mock.calls.length).toBeGreaterThan(length));
  }
});

gpuTest('a controlled step adds its passes once, and nothing else', async ({ device, track }) => {
  const make = (count: number) =>
    Array.from({ length: count }, (_, k) =>
      makeParameter(device, track, `w${k}`, [1, 2, 3, 4], [1, 1, 1, 1]),
    );
  const count = async (config: OptimizerSettings & { params: readonly Parameter[] }) => {
    const optimizer = track(await Optimizer.create(device, { rule: momentum(), ...config }));
    optimizer.step();
    const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
    const submit = vi.spyOn(GPUQueue.prototype, 'submit');
    const create = vi.spyOn(GPUDevice.prototype, 'createBuffer');
    const bind = vi.spyOn(GPUDevice.prototype, 'createBindGroup');
    const map = vi.spyOn(GPUBuffer.prototype, 'mapAsync');
    optimizer.step();
    const calls = [dispatch, submit, create, bind, map].map((spy) => spy.mock.calls.length);
    vi.restoreAllMocks();
    return calls;
  };
  const everything = { maxGradNorm: 1, maxGradValue: 1, lossScale: 'dynamic' } as const;
  expect(await count({ params: make(1) })).toEqual([1, 1, 0, 0, 0]);
  expect(await count({ params: make(100), gradScale: 0.5, maxGradValue: 1, lossScale: 8 })).toEqual([
    Math.ceil(100 / tensorsPerDispatch(device, 1)),
    1,
    0,
    0,
    0,
  ]);
  // Reduction, decision, counts, step.
  expect(await count({ params: make(1), ...everything })).toEqual([4, 1, 0, 0, 0]);
  // Beside what a reduction leaves, and beside that and the state.
  const most = device.limits.maxStorageBuffersPerShaderStage;
  const [reduced, stepped] = [most - 1, most - 2].map((k) => Math.ceil(100 / Math.min(k, 8)));
  expect(await count({ params: make(100), ...everything })).toEqual([reduced! + 2 + stepped!, 1, 0, 0, 0]);
});

gpuTest('bad gradient options are refused', async ({ device, track }) => {
  const params = [makeParameter(device, track, 'w', [1], [1])];
  const bad: [string, object][] = [
    ['maxGradNorm is 0', { maxGradNorm: 0 }],
    ['maxGradNorm is NaN', { maxGradNorm: NaN }],
    ['maxGradNorm is -1', { maxGradNorm: -1 }],
    ['maxGradValue is 0', { maxGradValue: 0 }],
    ['skipNonFinite is 1', { skipNonFinite: 1 }],
    ['gradScale is 0', { gradScale: 0 }],
    ['gradScale is Infinity', { gradScale: Infinity }],
    ['lossScale is 0', { lossScale: 0 }],
    ['lossScale is "auto"', { lossScale: 'auto' }],
    ['lossScale is null', { lossScale: null }],
    ['unknown option "growth"', { lossScale: { growth: 2 } }],
    ['growthFactor is 1', { lossScale: { growthFactor: 1 } }],
    ['backoffFactor is 1', { lossScale: { backoffFactor: 1 } }],
    ['growthInterval is 0.5', { lossScale: { growthInterval: 0.5 } }],
    ['maxConsecutiveSkips is 1.5', { maxConsecutiveSkips: 1.5 }],
    ['onStep is 1', { onStep: 1 }],
  ];
  for (const [message, options] of bad) {
    const created = Optimizer.create(device, { rule: sgd(), params, ...options });
    await expect(created, message).rejects.toThrow(message);
    await expect(created).rejects.toBeInstanceOf(OptimizerError);
  }
});
