import { expect, test, vi } from 'vitest';
import { Optimizer, type OptimizerConfig, adam, momentum, rmsprop, sgd } from '../../src/index.js';
import { getTestAdapter, gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

const { STORAGE, COPY_DST, COPY_SRC } = GPUBufferUsage;

test.for<[string, () => unknown]>([
  ['unknown option "learningRate"', () => adam({ learningRate: 1 } as never)],
  [
    'adam knows lr, weightDecay, weightDecayMode, maximize, betas, eps, amsgradCorrected, biasCorrection, epsPlacement, amsgrad',
    () => adam({ x: 1 } as never),
  ],
  ['lr is -0.1', () => sgd({ lr: -0.1 })],
  ['lr is NaN', () => sgd({ lr: NaN })],
  ['lr is Infinity', () => sgd({ lr: Infinity })],
  ['lr is "0.1"', () => sgd({ lr: '0.1' as never })],
  ['lr is null', () => sgd({ lr: null as never })],
  ['betas is [0.9, 1]', () => adam({ betas: [0.9, 1] })],
  ['betas is [-0.1, 0.9]', () => adam({ betas: [-0.1, 0.9] })],
  ['betas is [0.9, NaN]', () => adam({ betas: [0.9, NaN] })],
  ['betas is [0.9]', () => adam({ betas: [0.9] as never })],
  ['eps is -1e-8', () => adam({ eps: -1e-8 })],
  ['eps is NaN', () => rmsprop({ eps: NaN })],
  ['alpha is 1', () => rmsprop({ alpha: 1 })],
  ['momentum is 1.5', () => momentum({ momentum: 1.5 })],
  ['weightDecay is -1', () => sgd({ weightDecay: -1 })],
  ['weightDecayMode is "L2"', () => sgd({ weightDecayMode: 'L2' as never })],
  ['epsPlacement is "hat"', () => rmsprop({ epsPlacement: 'hat' as never })],
  ['maximize is 1', () => sgd({ maximize: 1 as never })],
  ['nesterov with dampening 0.5', () => momentum({ nesterov: true, dampening: 0.5 })],
  ['nesterov with momentum 0', () => momentum({ nesterov: true, momentum: 0 })],
  ['options are 0.1', () => sgd(0.1 as never)],
])('a rule refuses: %s', async ([message, call]) => {
  const error = await errorOf(call);
  expect(error.code).toBe('invalid-option');
  expect(error.message).toContain(message);
});

type Make = (values: number[], usage?: number) => GPUBuffer;

const badParameters: Record<string, (make: Make) => { params: unknown; message: string; code?: string }> = {
  'data without STORAGE': (make) => ({
    params: [{ name: 'w', data: make([1], COPY_DST), grad: make([1]) }],
    message: 'without STORAGE',
  }),
  'grad without STORAGE': (make) => ({
    params: [{ name: 'w', data: make([1]), grad: make([1], COPY_DST) }],
    message: 'parameter "w": grad',
  }),
  'lengths that differ': (make) => ({
    params: [{ name: 'w', data: make([1, 2]), grad: make([1, 2, 3]) }],
    message: 'data has 2 elements but grad has 3',
  }),
  'size 0': (make) => ({
    params: [{ data: { buffer: make([1, 2]), size: 0 }, grad: make([1]) }],
    message: 'size is 0 bytes',
  }),
  'length 0': (make) => ({
    params: [{ data: make([1]), grad: make([1]), length: 0 }],
    message: 'length is 0',
  }),
  'length past the end': (make) => ({
    params: [{ data: make([1]), grad: make([1, 2]), length: 2 }],
    message: 'length is 2; give an integer from 1 to 1',
  }),
  'size not a multiple of 4': (make) => ({
    params: [{ data: { buffer: make([1, 2]), size: 6 }, grad: make([1]) }],
    message: 'size is 6 bytes',
  }),
  'offset not a multiple of 4': (make) => ({
    params: [{ data: { buffer: make([1, 2]), offset: 2 }, grad: make([1]) }],
    message: 'offset is 2 bytes',
  }),
  'a range beyond the buffer': (make) => ({
    params: [{ data: { buffer: make([1, 2]), offset: 4, size: 8 }, grad: make([1, 2]) }],
    message: "beyond the buffer's 8 bytes",
  }),
  'an offset beyond the buffer': (make) => ({
    params: [{ data: { buffer: make([1, 2]), offset: 400 }, grad: make([1, 2]) }],
    message: "offset 400 is beyond the buffer's 8 bytes",
  }),
  'two parameters that overlap': (make) => {
    const buffer = make([1, 2, 3, 4]);
    return {
      params: [
        { name: 'a', data: { buffer, size: 12 }, grad: make([1, 2, 3]) },
        { name: 'b', data: { buffer, offset: 8 }, grad: make([1, 2]) },
      ],
      message: 'data of parameter "b" (bytes 8 to 16) overlaps data of parameter "a" (bytes 0 to 12)',
    };
  },
  'data that overlaps its own gradient': (make) => {
    const buffer = make([1, 2, 3]);
    return {
      params: [{ name: 'a', data: { buffer, size: 8 }, grad: { buffer, offset: 4, size: 8 } }],
      message: 'overlaps',
    };
  },
  'data inside the gradient of another': (make) => {
    const buffer = make([1, 2, 3, 4]);
    return {
      params: [
        { name: 'a', data: make([1, 2, 3, 4]), grad: buffer },
        { name: 'b', data: { buffer, offset: 4, size: 4 }, grad: make([1]) },
      ],
      message: 'data of parameter "b" (bytes 4 to 8) overlaps grad of parameter "a" (bytes 0 to 16)',
    };
  },
  'one name twice': (make) => ({
    params: [
      { name: 'w', data: make([1]), grad: make([1]) },
      { name: 'w', data: make([1]), grad: make([1]) },
    ],
    message: 'two parameters are named "w"',
  }),
  'an empty name': (make) => ({
    params: [{ name: '', data: make([1]), grad: make([1]) }],
    message: 'name is ""',
  }),
  'no gradient': (make) => ({ params: [{ name: 'w', data: make([1]) }], message: 'grad is undefined' }),
  'an array for a buffer': (make) => ({
    params: [{ name: 'w', data: new Float32Array(4), grad: make([1]) }],
    message: 'a Float32Array',
  }),
  'no buffers': (make) => ({ params: [{ data: [], grad: make([1]) }], message: 'empty array' }),
  'an unknown key': (make) => ({
    params: [{ data: make([1]), grad: make([1]), lr: 1 }],
    message: 'unknown option "lr"',
  }),
  'an unknown dtype': (make) => ({
    params: [{ data: make([1]), grad: make([1]), dtype: 'f64' }],
    message: 'dtype is "f64"',
  }),
  'a buffer twice in one tensor': (make) => {
    const buffer = make([1, 2]);
    return { params: [{ data: [buffer, buffer], grad: make([1, 2, 3, 4]) }], message: 'overlaps' };
  },
  'no parameters': () => ({ params: [], message: 'params is []', code: 'invalid-config' }),
};

for (const [title, make] of Object.entries(badParameters)) {
  gpuTest(`create refuses ${title}, and makes nothing`, async ({ device, track }) => {
    const { params, message, code } = make((values, usage = STORAGE | COPY_SRC | COPY_DST) =>
      makeBuffer(device, track, values, usage),
    );
    const createBuffer = vi.spyOn(device, 'createBuffer');
    const config = { rule: sgd(), params } as OptimizerConfig;
    const error = await errorOf(() => Optimizer.create(device, config));
    expect(createBuffer).not.toHaveBeenCalled();
    createBuffer.mockRestore();
    expect(error.code).toBe(code ?? 'invalid-parameter');
    expect(error.message).toContain(message);
  });
}

gpuTest('create refuses a config that makes no sense', async ({ device, track }) => {
  const params = [makeParameter(device, track, 'w', [1], [1])];
  const cases: [string, unknown][] = [
    ['config is undefined', undefined],
    ['unknown option "maxNorm"', { rule: sgd(), params, maxNorm: 1 }],
    ['rule is function', { rule: adam, params }],
    ['rule is "adam"', { rule: 'adam', params }],
    ['neither params nor groups', { rule: sgd() }],
    ['both params and groups', { rule: sgd(), params, groups: [{ params }] }],
    ['groups[0].params', { rule: sgd(), groups: [{ lr: 1 }] }],
    ['unknown option "beta"', { rule: sgd(), groups: [{ params, beta: 1 }] }],
    ['lr is -1', { rule: sgd(), groups: [{ params, lr: -1 }] }],
  ];
  for (const [message, config] of cases) {
    const error = await errorOf(() => Optimizer.create(device, config as never));
    expect(error.message).toContain(message);
  }
  expect((await errorOf(() => Optimizer.create({} as never, { rule: sgd(), params }))).message).toContain(
    'GPUDevice',
  );
});

gpuTest(
  'create refuses buffers of another device, destroyed and mapped ones, and names the parameter',
  async ({ device, track }) => {
    const foreign = track(await (await getTestAdapter()).requestDevice({ label: 'foreign' }));
    const destroyed = makeBuffer(device, track, [1, 2]);
    destroyed.destroy();
    const usage = STORAGE | COPY_DST;
    const mapped = track(device.createBuffer({ label: 'mapped', size: 8, usage, mappedAtCreation: true }));
    const good = makeParameter(device, track, 'good', [1, 2], [1, 2]);
    const bad = {
      foreign: makeBuffer(foreign, track, [1, 2]),
      destroyed,
      mapped,
    };
    for (const [name, buffer] of Object.entries(bad)) {
      for (const role of ['data', 'grad'] as const) {
        const params = [good, { ...makeParameter(device, track, name, [1, 2], [1, 2]), [role]: buffer }];
        const error = await errorOf(() => Optimizer.create(device, { rule: adam(), params }));
        expect(error.code, name).toBe('invalid-parameter');
        expect(error.message).toContain(`parameter "${name}"`);
      }
    }
  },
);

gpuTest('a wrong lr or schedule is refused and nothing is stepped', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', [1, 2], [1, 1]);
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [param] }));
  for (const lr of [-1, NaN, Infinity, '1', undefined, null]) {
    expect((await errorOf(() => void (optimizer.lr = lr as never))).code).toBe('invalid-option');
  }
  expect(optimizer.lr).toBe(1);
  optimizer.lr = (step) => (step === 0 ? 1 : NaN);
  optimizer.step();
  const error = await errorOf(() => optimizer.step());
  expect(error.message).toContain('returned NaN at step 1');
  await errorOf(() => optimizer.encode(device.createCommandEncoder()));
  optimizer.lr = 0.5;
  expect([...(await optimizer.readParam('w'))]).toEqual([0, 1]);
  expect((await optimizer.stateDict()).step).toBe(1);
});

gpuTest('reads and clears say what they lack', async ({ device, track }) => {
  const param = {
    name: 'w',
    data: makeBuffer(device, track, [1], STORAGE),
    grad: makeBuffer(device, track, [1], STORAGE),
  };
  const optimizer = track(await Optimizer.create(device, { rule: adam(), params: [param] }));
  expect((await errorOf(() => optimizer.readParam('v'))).message).toContain('there are "w"');
  expect((await errorOf(() => optimizer.readState('w', 'sum' as never))).message).toContain('"exp_avg"');
  expect((await errorOf(() => optimizer.readParam('w'))).message).toContain('COPY_SRC');
  expect((await errorOf(() => optimizer.zeroGrad())).message).toContain('COPY_DST');
  expect((await errorOf(() => optimizer.encode({} as never))).message).toContain('createCommandEncoder');
});

gpuTest('a destroyed optimizer refuses everything', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', [1], [1]);
  const optimizer = await Optimizer.create(device, { rule: adam(), params: [param] });
  const dict = await optimizer.stateDict();
  optimizer.destroy();
  const calls: (() => unknown)[] = [
    () => optimizer.step(),
    () => optimizer.encode(device.createCommandEncoder()),
    () => optimizer.zeroGrad(),
    () => optimizer.readParam('w'),
    () => optimizer.readState('w', 'exp_avg'),
    () => optimizer.stateDict(),
    () => optimizer.loadStateDict(dict),
  ];
  for (const call of calls) {
    const error = await errorOf(call);
    expect(error.code).toBe('destroyed');
    expect(error.message).toContain('destroy()');
  }
});

test('a lost device is refused, before and after creation', async () => {
  const device = await (await getTestAdapter()).requestDevice({ label: 'to be lost' });
  const keep = <T>(resource: T): T => resource;
  const params = [makeParameter(device, keep, 'w', [1], [1])];
  const optimizer = await Optimizer.create(device, { rule: sgd(), params });
  device.destroy();
  await device.lost;
  expect((await errorOf(() => optimizer.step())).code).toBe('device-lost');
  expect((await errorOf(() => optimizer.readParam('w'))).code).toBe('device-lost');
  expect((await errorOf(() => Optimizer.create(device, { rule: sgd(), params }))).code).toBe('device-lost');
  expect(() => optimizer.destroy()).not.toThrow();
});

gpuTest('out of memory is reported and leaves nothing', async ({ device, track }) => {
  const params = [makeParameter(device, track, 'w', [1, 2, 3, 4], [1, 1, 1, 1])];
  const created: GPUBuffer[] = [];
  const original = device.createBuffer.bind(device);
  // No adapter here runs out on demand: the state's buffers are asked for at a size that none can give.
  const spy = vi.spyOn(device, 'createBuffer').mockImplementation((descriptor) => {
    const isState = descriptor.label?.includes('exp_avg_sq') === true;
    const buffer = original(isState ? { ...descriptor, size: 2 ** 52 } : descriptor);
    created.push(buffer);
    return buffer;
  });
  const destroyed = vi.spyOn(GPUBuffer.prototype, 'destroy');
  const error = await errorOf(() => Optimizer.create(device, { rule: adam(), params }));
  const freed = new Set(destroyed.mock.instances as unknown as GPUBuffer[]);
  spy.mockRestore();
  destroyed.mockRestore();
  expect(error.code).toBe('out-of-memory');
  expect(error.message).toContain('32 bytes');
  expect(created.length).toBeGreaterThan(2);
  expect(created.filter((buffer) => !freed.has(buffer)).map(({ label }) => label)).toEqual([]);
});
