import { expect, inject, vi } from 'vitest';
import {
  Optimizer,
  OptimizerError,
  ReferenceOptimizer,
  adam,
  momentum,
  rmsprop,
  schedules,
  sgd,
} from '../../src/index.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { bitDifference } from '../../proof/compare.js';
import { gpuTest } from '../support/device.js';
import { Random } from '../../proof/random.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

// Multiples of powers of two: exact on any adapter.
const WEIGHTS = [1, 2, -3, 4, 0.5];
const GRADIENTS = [1, -1, 0.5, 2, 0];
const afterSgd = (lr: number, steps = 1) => WEIGHTS.map((w, i) => w - lr * steps * GRADIENTS[i]!);

gpuTest('encode uses the lr in force at each call, on one encoder', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', WEIGHTS, GRADIENTS);
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 0.5 }), params: [param] }));
  const encoder = device.createCommandEncoder();
  optimizer.encode(encoder);
  optimizer.lr = 2;
  optimizer.encode(encoder);
  optimizer.lr = 0.25;
  device.queue.submit([encoder.finish()]);
  expect([...(await optimizer.readParam('w'))]).toEqual(afterSgd(2.5));
  optimizer.step();
  expect([...(await optimizer.readParam('w'))]).toEqual(afterSgd(2.75));
});

gpuTest('encoders submitted in another order than encoded, with steps between', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', [8], [1]);
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [param] }));
  const [first, second] = [device.createCommandEncoder(), device.createCommandEncoder()];
  optimizer.encode(first);
  optimizer.lr = 2;
  optimizer.encode(second);
  optimizer.lr = 0.5;
  optimizer.step();
  device.queue.submit([second.finish()]);
  expect([...(await optimizer.readParam('w'))]).toEqual([5.5]);
  device.queue.submit([first.finish()]);
  expect([...(await optimizer.readParam('w'))]).toEqual([4.5]);
});

gpuTest('3000 steps on one encoder, each with its own lr', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', [0], [-1]);
  const rule = sgd({ lr: (step) => (step + 1) / 1024 });
  const optimizer = track(await Optimizer.create(device, { rule, params: [param] }));
  const encoder = device.createCommandEncoder();
  for (let k = 0; k < 3000; k++) optimizer.encode(encoder);
  device.queue.submit([encoder.finish()]);
  // Σ k/1024 for k = 1…3000; every partial sum is exact in float32.
  expect([...(await optimizer.readParam('w'))]).toEqual([(3000 * 3001) / 2 / 1024]);
});

gpuTest('groups override any option and have learning rates of their own', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const tensors = [random.weights(70), random.weights(33)];
  const gradients = tensors.map((w) => random.gradients(w.length));
  const params = tensors.map((w, k) => makeParameter(device, track, `w${k}`, w, gradients[k]!));
  const rule = adam({ lr: 0.01 });
  const overrides = { lr: 0.1, amsgrad: true, weightDecay: 0.01, weightDecayMode: 'decoupled' } as const;
  const groups = [{ params: [params[0]!] }, { params: [params[1]!], ...overrides }];
  const optimizer = track(await Optimizer.create(device, { rule, groups }));
  const reference = new ReferenceOptimizer({
    rule,
    precision: 'f32',
    groups: [
      { params: [{ name: 'w0', data: tensors[0]! }] },
      { params: [{ name: 'w1', data: tensors[1]! }], ...overrides },
    ],
  });
  expect(optimizer.groups.map(({ lr }) => lr)).toEqual([0.01, 0.1]);
  for (const lr of [0.1, 0.02, 0.003]) {
    optimizer.groups[1]!.lr = lr;
    reference.groups[1]!.lr = lr;
    optimizer.step();
    reference.step(gradients);
  }
  for (const [k, name] of ['w0', 'w1'].entries()) {
    const difference = (await optimizer.readParam(name)).map((w, i) => Math.abs(w - tensors[k]![i]!));
    // Bit parity is the matrix's job; here a wrong group's options would be off by a whole step.
    expect(Math.max(...difference)).toBeLessThan(1e-5);
  }
  await expect(optimizer.readState('w0', 'max_exp_avg_sq')).rejects.toThrow('"exp_avg", "exp_avg_sq"');
  expect((await optimizer.readState('w1', 'max_exp_avg_sq')).length).toBe(33);
});

gpuTest('zeroGrad clears exactly the gradients', async ({ device, track }) => {
  const shared = makeBuffer(device, track, [1, 2, 3, 4, 5, 6, 7, 8]);
  const at = (offset: number, size: number) => ({ buffer: shared, offset: 4 * offset, size: 4 * size });
  const params = [
    { name: 'a', data: at(0, 1), grad: at(1, 1) },
    { name: 'b', data: at(6, 2), grad: at(3, 2) },
  ];
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 0 }), params }));
  const probe = track(
    await Optimizer.create(device, {
      rule: sgd(),
      params: [{ name: 'all', data: shared, grad: makeBuffer(device, track, new Float32Array(8)) }],
    }),
  );
  const encoder = device.createCommandEncoder();
  optimizer.zeroGrad(encoder);
  expect([...(await probe.readParam('all'))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  device.queue.submit([encoder.finish()]);
  expect([...(await probe.readParam('all'))]).toEqual([1, 0, 3, 0, 0, 6, 7, 8]);
  device.queue.writeBuffer(shared, 0, new Float32Array(8).fill(9));
  optimizer.zeroGrad();
  expect([...(await probe.readParam('all'))]).toEqual([9, 0, 9, 0, 0, 9, 9, 9]);
});

gpuTest('a read sees the moment it was asked, not later steps', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', WEIGHTS, GRADIENTS);
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [param] }));
  const before = optimizer.readParam('w');
  optimizer.step();
  const after = optimizer.readParam('w');
  expect([...(await before)]).toEqual(WEIGHTS);
  expect([...(await after)]).toEqual(afterSgd(1));
});

gpuTest('length takes the front of longer buffers', async ({ device, track }) => {
  const param = { ...makeParameter(device, track, 'w', WEIGHTS, [...GRADIENTS, 7, 7]), length: 3 };
  const config = { rule: sgd({ lr: 1 }), params: [param], measureGradNorm: true };
  const optimizer = track(await Optimizer.create(device, config));
  optimizer.step();
  expect([...(await optimizer.readParam('w'))]).toEqual(afterSgd(1).slice(0, 3));
  expect((await optimizer.stats()).gradNorm).toBeCloseTo(Math.hypot(...GRADIENTS.slice(0, 3)), 5);
  const whole = track(
    await Optimizer.create(device, {
      rule: sgd(),
      params: [{ data: param.data, grad: makeBuffer(device, track, GRADIENTS) }],
    }),
  );
  expect([...(await whole.readParam('param0'))]).toEqual([...afterSgd(1).slice(0, 3), 4, 0.5]);
});

for (const [name, factory] of ruleFactories) {
  gpuTest(`${name} resumes from a state dict, bit for bit`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const weights = random.weights(65);
    const gradients = random.gradients(65);
    const create = async (values: Float32Array) => {
      const param = makeParameter(device, track, 'w', values, gradients);
      return track(await Optimizer.create(device, { rule: factory(), params: [param] }));
    };
    const whole = await create(weights);
    for (let k = 0; k < 5; k++) whole.step();
    whole.lr = 0.003;
    const dict = await whole.stateDict();
    const resumed = await create(await whole.readParam('w'));
    await resumed.loadStateDict(structuredClone(dict));
    expect(resumed.lr).toBe(0.003);
    expect(dict.step).toBe(5);
    for (const optimizer of [whole, resumed]) for (let k = 0; k < 5; k++) optimizer.step();
    expect(bitDifference(await resumed.readParam('w'), await whole.readParam('w'))).toBeUndefined();
    expect(await resumed.stateDict()).toEqual(await whole.stateDict());
  });
}

gpuTest('a state dict of anything else is refused and changes nothing', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', WEIGHTS, GRADIENTS);
  const optimizer = track(await Optimizer.create(device, { rule: adam(), params: [param] }));
  optimizer.step();
  const good = await optimizer.stateDict();
  const other = track(await Optimizer.create(device, { rule: rmsprop(), params: [param] }));
  const bad: [string, unknown][] = [
    ['rmsprop', await other.stateDict()],
    ['"v"', { ...good, state: { v: good.state['w'] } }],
    ['exp_avg_sq', { ...good, state: { w: { exp_avg: good.state['w']!['exp_avg'] } } }],
    ['4 elements', { ...good, state: { w: { ...good.state['w'], exp_avg: new Float32Array(4) } } }],
    ['Float32Array', { ...good, state: { w: { ...good.state['w'], exp_avg: [1, 2, 3, 4, 5] } } }],
    ['step', { ...good, step: 1.5 }],
    ['amsgrad', { ...good, groups: [{ ...good.groups[0], amsgrad: true }] }],
    ['lr', { ...good, groups: [{ ...good.groups[0], lr: -1 }] }],
    ['"u"', { ...good, groups: [{ ...good.groups[0], params: ['u'] }] }],
    ['extra', { ...good, extra: 1 }],
    ['null', null],
  ];
  for (const [hint, dict] of bad) {
    const error = await optimizer.loadStateDict(dict as never).catch((thrown: unknown) => thrown);
    expect(error, hint).toMatchObject({
      name: 'OptimizerError',
      message: expect.stringContaining(hint) as string,
    });
    expect(await optimizer.stateDict(), hint).toEqual(good);
  }
});

gpuTest(
  'a schedule is asked once per step, 0-based, and survives a state dict',
  async ({ device, track }) => {
    const param = makeParameter(device, track, 'w', [0], [-1]);
    const schedule = vi.fn<(step: number) => number>((step) => 2 ** -step);
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: schedule }), params: [param] }));
    for (let k = 0; k < 3; k++) optimizer.step();
    expect(schedule.mock.calls).toEqual([[0], [1], [2]]);
    expect([...(await optimizer.readParam('w'))]).toEqual([1.75]);
    const dict = await optimizer.stateDict();
    expect(dict.groups[0]!['lr']).toBe(0.125);
    await optimizer.loadStateDict({ ...dict, step: 1 });
    expect(optimizer.lr).toBe(0.5);
  },
);

gpuTest(
  'a step makes no buffer, bind group, pipeline or mapping, and submits once',
  async ({ device, track }) => {
    const params = Array.from({ length: 20 }, (_, k) =>
      makeParameter(device, track, `w${k}`, [1, 2, 3, 4, 5], [1, 1, 1, 1, 1]),
    );
    const optimizer = track(await Optimizer.create(device, { rule: momentum(), params }));
    optimizer.step();
    const prototype = GPUDevice.prototype;
    const spies = [
      vi.spyOn(prototype, 'createBuffer'),
      vi.spyOn(prototype, 'createBindGroup'),
      vi.spyOn(prototype, 'createComputePipeline'),
      vi.spyOn(prototype, 'createComputePipelineAsync'),
      vi.spyOn(prototype, 'createShaderModule'),
      vi.spyOn(GPUBuffer.prototype, 'mapAsync'),
      vi.spyOn(GPUQueue.prototype, 'onSubmittedWorkDone'),
    ];
    const submit = vi.spyOn(GPUQueue.prototype, 'submit');
    const write = vi.spyOn(GPUQueue.prototype, 'writeBuffer');
    optimizer.lr = 0.5;
    for (let k = 0; k < 10; k++) optimizer.step();
    const counts = spies.map((spy) => spy.mock.calls.length);
    const [submits, writes] = [submit.mock.calls.length, write.mock.calls.length];
    vi.restoreAllMocks();
    expect(counts).toEqual(spies.map(() => 0));
    expect([submits, writes]).toEqual([10, 10]);
  },
);

gpuTest('kernels compile once per device and variant', async ({ device, track }) => {
  const compile = vi.spyOn(GPUDevice.prototype, 'createComputePipelineAsync');
  // An eps that no other test uses must not matter: it is a uniform, not a constant.
  const create = (eps: number, name: string) =>
    Optimizer.create(device, {
      rule: adam({ eps, maximize: true, amsgrad: true, weightDecay: 0.5 }),
      params: [makeParameter(device, track, name, [1, 2, 3, 4], [1, 2, 3, 4])],
    });
  const together = await Promise.all([create(0.125, 'a'), create(0.25, 'b')]);
  const later = await create(0.5, 'c');
  const count = compile.mock.calls.length;
  vi.restoreAllMocks();
  for (const optimizer of [...together, later]) optimizer.destroy();
  expect(count).toBe(1);
});

gpuTest('destroy frees the state, leaves the parameters, and may be repeated', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', WEIGHTS, GRADIENTS);
  const created: GPUBuffer[] = [];
  const original = device.createBuffer.bind(device);
  const spy = vi.spyOn(device, 'createBuffer').mockImplementation((descriptor) => {
    const buffer = original(descriptor);
    created.push(buffer);
    return buffer;
  });
  const destroyed = vi.spyOn(GPUBuffer.prototype, 'destroy');
  const optimizer = await Optimizer.create(device, { rule: adam(), params: [param] });
  optimizer.step();
  optimizer.destroy();
  optimizer.destroy();
  const freed = new Set(destroyed.mock.instances as unknown as GPUBuffer[]);
  spy.mockRestore();
  destroyed.mockRestore();
  expect(created.length).toBeGreaterThan(2);
  expect(created.filter((buffer) => !freed.has(buffer)).map(({ label }) => label)).toEqual([]);
  expect(freed.has(param.data) || freed.has(param.grad)).toBe(false);
  const again = track(await Optimizer.create(device, { rule: sgd(), params: [param] }));
  expect((await again.readParam('w')).length).toBe(WEIGHTS.length);
});

gpuTest('reduceOnPlateau is saved in the state dict, and goes on from there', async ({ device, track }) => {
  const create = async () => {
    const lr = schedules.reduceOnPlateau({ lr: 1, factor: 0.5, patience: 0 });
    const params = [makeParameter(device, track, 'w', [0], [-1])];
    return { lr, optimizer: track(await Optimizer.create(device, { rule: sgd({ lr }), params })) };
  };
  const first = await create();
  for (const metric of [1, 1, 1]) first.lr.report(metric);
  expect(first.optimizer.lr).toBe(0.25);
  const dict = structuredClone(await first.optimizer.stateDict());
  const second = await create();
  await second.optimizer.loadStateDict(dict);
  expect(second.optimizer.lr).toBe(0.25);
  second.lr.report(1);
  expect(second.optimizer.lr).toBe(0.125);
  const { schedule: _, ...without } = dict.groups[0]!;
  for (const bad of [without, { ...dict.groups[0], schedule: { kind: 'other' } }]) {
    const loading = second.optimizer.loadStateDict({ ...dict, groups: [bad] } as typeof dict);
    await expect(loading).rejects.toBeInstanceOf(OptimizerError);
    expect(second.optimizer.lr).toBe(0.125);
  }
});
