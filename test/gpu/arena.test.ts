import { describe, expect, inject, vi } from 'vitest';
import {
  type Initializer,
  Optimizer,
  OptimizerError,
  ParameterArena,
  adam,
  momentum,
} from '../../src/index.js';
import { streamOf } from '../../src/arena/fill-tensors.js';
import { normalCdf } from '../../src/arena/normal-cdf.js';
import { bitDifference } from '../support/compare.js';
import { gpuTest, isSwiftShader } from '../support/device.js';
import { wordOf } from '../support/philox.js';
import { Random } from '../support/random.js';
import { makeParameter } from '../support/tensors.js';

async function errorOf(call: () => unknown): Promise<OptimizerError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof OptimizerError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** Lengths on both sides of every boundary: lanes, alignment, workgroups. */
const LENGTHS = [1, 3, 4, 5, 63, 64, 65, 255, 256, 257, 1023, 4097];

interface Pair {
  readonly arena: ParameterArena;
  /** The same tensors with the same contents, each in buffers of its own. */
  readonly alone: ReturnType<typeof makeParameter>[];
}

async function makePair(
  device: GPUDevice,
  track: Parameters<typeof makeParameter>[1],
  random: Random,
  lengths: readonly number[],
): Promise<Pair> {
  const spec = Object.fromEntries(
    lengths.map((length, k) => [`t${k}`, { shape: [length], group: k % 3 === 0 ? 'decay' : 'rest' }]),
  );
  const arena = track(await ParameterArena.create(device, spec));
  const alone = lengths.map((length, k) =>
    makeParameter(device, track, `t${k}`, random.weights(length), random.gradients(length)),
  );
  const encoder = device.createCommandEncoder();
  for (const { name, data, grad } of alone) {
    const [view, gradView] = [arena.view(name!), arena.gradView(name!)];
    encoder.copyBufferToBuffer(data, 0, view.buffer, view.offset, view.size);
    encoder.copyBufferToBuffer(grad, 0, gradView.buffer, gradView.offset, gradView.size);
  }
  device.queue.submit([encoder.finish()]);
  return { arena, alone };
}

const OVERRIDES = { decay: { weightDecay: 0.1 }, rest: { lr: 0.5 } };

gpuTest('an arena is stepped as its tensors would be, bit for bit', async ({ device, track }) => {
  const { arena, alone } = await makePair(device, track, new Random(inject('seed')), LENGTHS);
  const groups = arena.groups(OVERRIDES);
  expect(groups.map(({ params }) => params.length)).toEqual([4, 8]);
  const groupsAlone = groups.map(({ params, ...rest }) => ({
    ...rest,
    params: params.map(({ name }) => alone.find((parameter) => parameter.name === name)!),
  }));
  const rule = adam({ lr: 0.1, amsgrad: true });
  const inArena = track(await Optimizer.create(device, { rule, groups }));
  const apart = track(await Optimizer.create(device, { rule, groups: groupsAlone }));
  for (let k = 0; k < 5; k++) {
    inArena.step();
    apart.step();
  }
  for (const { name } of alone) {
    expect(bitDifference(await arena.read(name!), await apart.readParam(name!))).toBeUndefined();
    for (const slot of ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq']) {
      const [got, want] = [await inArena.readState(name!, slot), await apart.readState(name!, slot)];
      expect(bitDifference(got, want), `${name} ${slot}`).toBeUndefined();
    }
  }
  const dict = await inArena.stateDict();
  const resumed = track(await Optimizer.create(device, { rule, groups: arena.groups(OVERRIDES) }));
  await resumed.loadStateDict(dict);
  expect(await resumed.stateDict()).toEqual(dict);
});

/** Dispatches and clears that `action` makes. */
function countCommands(action: () => void): { dispatches: number; clears: number; submits: number } {
  const spies = [
    vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups'),
    vi.spyOn(GPUCommandEncoder.prototype, 'clearBuffer'),
    vi.spyOn(GPUQueue.prototype, 'submit'),
  ] as const;
  action();
  const [dispatches, clears, submits] = spies.map(({ mock }) => mock.calls.length);
  for (const spy of spies) spy.mockRestore();
  return { dispatches: dispatches!, clears: clears!, submits: submits! };
}

gpuTest('one dispatch per group, one clear, whatever the number of tensors', async ({ device, track }) => {
  const lengths = Array.from({ length: 300 }, (_, k) => 1 + ((k * 37) % 500));
  const { arena, alone } = await makePair(device, track, new Random(inject('seed')), lengths);
  const rule = momentum();
  const plain = track(
    await Optimizer.create(device, { rule, params: arena.params.filter((_, k) => k % 3 === 0) }),
  );
  expect(countCommands(() => plain.step())).toEqual({ dispatches: 1, clears: 0, submits: 1 });
  const grouped = track(await Optimizer.create(device, { rule, groups: arena.groups() }));
  expect(countCommands(() => grouped.step())).toEqual({ dispatches: 2, clears: 0, submits: 1 });
  // Groups are neighbours, so all gradients are one stretch: reduced in one dispatch, then decided upon in another.
  const clipped = track(await Optimizer.create(device, { rule, groups: arena.groups(), maxGradNorm: 1 }));
  expect(countCommands(() => clipped.step())).toEqual({ dispatches: 4, clears: 0, submits: 1 });
  const apart = track(await Optimizer.create(device, { rule, params: alone, maxGradNorm: 1 }));
  apart.step();
  const [inArena, want] = [(await clipped.stats()).gradNorm, (await apart.stats()).gradNorm];
  // Sums of 75,000 squares in trees of another shape: each rounds at most 17 + 8 times on the way.
  expect(Math.abs(inArena - want)).toBeLessThanOrEqual(25 * 2 ** -24 * want);
  expect(want).toBeGreaterThan(0);
  expect(countCommands(() => arena.zeroGrad())).toEqual({ dispatches: 0, clears: 1, submits: 1 });
  expect(countCommands(() => plain.zeroGrad()).clears).toBe(1);
  expect((await arena.readGrad('t7')).every((value) => value === 0)).toBe(true);
});

gpuTest('tensors that are left out of the optimizer stay as they are', async ({ device, track }) => {
  const arena = track(
    await ParameterArena.create(device, { a: { shape: [3] }, frozen: { shape: [1] }, b: { shape: [3] } }),
  );
  for (const name of ['a', 'frozen', 'b']) {
    const { buffer, offset, size } = arena.gradView(name);
    device.queue.writeBuffer(buffer, offset, new Float32Array(size / 4).fill(1));
  }
  const params = arena.params.filter(({ name }) => name !== 'frozen');
  const optimizer = track(await Optimizer.create(device, { rule: momentum({ lr: 1 }), params }));
  optimizer.step();
  expect([...(await arena.read('a')), ...(await arena.read('b'))]).toEqual([-1, -1, -1, -1, -1, -1]);
  expect([...(await arena.read('frozen'))]).toEqual([0]);
});

describe('what an arena holds', () => {
  gpuTest('is loaded and read by name, and bound where the device can', async ({ device, track }) => {
    const arena = track(
      await ParameterArena.create(device, { w: { shape: [2, 3] }, b: { shape: [] } }, { label: 'mine' }),
    );
    arena.load('w', [1, 2, 3, 4, 5, 6]);
    arena.load('b', new Float64Array([0.1]));
    expect([...(await arena.read('w'))]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...(await arena.read('b'))]).toEqual([Math.fround(0.1)]);
    expect(arena.shape('w')).toEqual([2, 3]);
    expect(arena.byteLength).toBeGreaterThanOrEqual(2 * 4 * 7);
    for (const view of [arena.view('w'), arena.view('b'), arena.gradView('b')]) {
      expect(view.offset % device.limits.minStorageBufferOffsetAlignment).toBe(0);
      expect(view.buffer.label).toContain('mine');
    }
    expect(arena.view('b').size).toBe(4);
  });

  gpuTest('wrong names and lengths are refused, quoting them', async ({ device, track }) => {
    const arena = track(await ParameterArena.create(device, { w: { shape: [2, 3] } }));
    for (const call of [
      () => arena.view('x'),
      () => arena.gradView('x'),
      () => arena.load('x', [1]),
      () => arena.read('x'),
      () => arena.shape('x'),
      () => arena.initialize('x', 'ones'),
    ]) {
      const error = await errorOf(call);
      expect(error.code).toBe('invalid-parameter');
      expect(error.message).toContain('no tensor "x"; it has "w"');
    }
    expect((await errorOf(() => arena.load('w', [1, 2]))).message).toContain('2 values for the shape [2, 3]');
    expect((await errorOf(() => arena.load('w', 'abcdef' as never))).message).toContain(
      '"abcdef" for the shape',
    );
    expect((await errorOf(() => arena.groups({ other: {} }))).message).toContain('no group "other"');
    expect((await errorOf(() => arena.initialize('w', 'normal', 0.5))).message).toContain('seed is 0.5');
    expect([...(await arena.read('w'))]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  gpuTest('nothing of a destroyed arena can be used, nor an optimizer over it', async ({ device, track }) => {
    const arena = await ParameterArena.create(device, { w: { shape: [2] } });
    const optimizer = track(await Optimizer.create(device, { rule: momentum(), params: arena.params }));
    arena.destroy();
    arena.destroy();
    for (const call of [
      () => arena.view('w'),
      () => arena.load('w', [1, 2]),
      () => arena.read('w'),
      () => arena.zeroGrad(),
      () => optimizer.step(),
      () => optimizer.readParam('w'),
      () => Optimizer.create(device, { rule: momentum(), params: arena.params }),
    ]) {
      const error = await errorOf(call);
      expect(error.code).toBe('destroyed');
      expect(error.message).toContain('arena');
    }
  });

  for (const [title, spec, options, code, complaint] of [
    ['no tensors', {}, {}, 'invalid-config', 'give at least one tensor'],
    ['a list', [], {}, 'invalid-config', 'the spec is []'],
    ['a size of zero', { w: { shape: [0, 3] } }, {}, 'invalid-config', '"w": shape is [0, 3]'],
    ['a negative size', { w: { shape: [-3] } }, {}, 'invalid-config', 'shape is [-3]'],
    ['a fractional size', { w: { shape: [2.5] } }, {}, 'invalid-config', 'shape is [2.5]'],
    ['a size that is no number', { w: { shape: ['3'] } }, {}, 'invalid-config', 'shape is ["3"]'],
    ['no shape', { w: {} }, {}, 'invalid-config', 'shape is undefined'],
    ['an unknown key', { w: { shape: [1], dims: 1 } }, {}, 'invalid-config', 'unknown option "dims"'],
    ['an unknown option', { w: { shape: [1] } }, { sede: 1 }, 'invalid-config', 'unknown option "sede"'],
    ['a negative seed', { w: { shape: [1] } }, { seed: -1 }, 'invalid-option', 'seed is -1'],
    ['a group without a name', { w: { shape: [1], group: '' } }, {}, 'invalid-config', 'group is ""'],
    [
      '3e8 elements',
      { w: { shape: [3e8] } },
      {},
      'limit-exceeded',
      '1200000000 bytes, but this device binds at most',
    ],
    ['an unknown init', { w: { shape: [1], init: 'he' } }, {}, 'invalid-option', 'init is "he"'],
  ] as const) {
    gpuTest(`${title} is refused, and makes nothing`, async ({ device }) => {
      const created = vi.spyOn(device, 'createBuffer');
      const error = await errorOf(() => ParameterArena.create(device, spec as never, options as never));
      expect(created).not.toHaveBeenCalled();
      created.mockRestore();
      expect(error.code).toBe(code);
      expect(error.message).toContain(complaint);
    });
  }

  gpuTest('out of memory says how much could be had, and leaves nothing', async ({ device }) => {
    const created: GPUBuffer[] = [];
    const original = device.createBuffer.bind(device);
    // No adapter here runs out on demand: gradients are asked for at a size that none can give.
    const spy = vi.spyOn(device, 'createBuffer').mockImplementation((descriptor) => {
      const isSecond = descriptor.label?.includes('grad') === true || created.length === 3;
      const buffer = original(isSecond ? { ...descriptor, size: 2 ** 52 } : descriptor);
      created.push(buffer);
      return buffer;
    });
    const destroyed = vi.spyOn(GPUBuffer.prototype, 'destroy');
    const error = await errorOf(() => ParameterArena.create(device, { w: { shape: [100] } }));
    const freed = new Set(destroyed.mock.instances as unknown as GPUBuffer[]);
    spy.mockRestore();
    destroyed.mockRestore();
    expect(error.code).toBe('out-of-memory');
    expect(error.message).toContain('needs 800 bytes');
    expect(error.message).toContain('could allocate 400');
    expect(created.filter((buffer) => !freed.has(buffer))).toEqual([]);
  });
});

/** x with Φ(x) = p, by bisection: the oracle. */
function quantile(p: number): number {
  let [low, high] = [-8, 8];
  for (let k = 0; k < 80; k++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

const uniformOf = (word: number): number => (Math.floor(word / 512) + 0.5) / 2 ** 23;

/** What element i must be, given its word of the generator. */
const EXPECTED: readonly [Initializer, (word: number) => number][] = [
  ['zeros', () => 0],
  ['ones', () => 1],
  ['uniform', uniformOf],
  [{ kind: 'uniform', a: -3, b: 5 }, (word) => -3 + 8 * uniformOf(word)],
  ['normal', (word) => (word % 2 === 1 ? -1 : 1) * quantile(uniformOf(word) / 2)],
  [
    { kind: 'normal', mean: 2, std: 3 },
    (word) => 2 + (word % 2 === 1 ? -3 : 3) * quantile(uniformOf(word) / 2),
  ],
  [
    'trunc_normal',
    (word) => {
      const low = normalCdf(-2);
      return (word % 2 === 1 ? -1 : 1) * quantile(low + (0.5 - low) * uniformOf(word));
    },
  ],
  [
    { kind: 'trunc_normal', mean: 1, std: 2, a: 0, b: 9 },
    (word) => {
      const [low, high] = [normalCdf(-4), normalCdf(0.5)];
      return 1 - 2 * quantile(low + (high - low) * uniformOf(word));
    },
  ],
  ['xavier', (word) => Math.sqrt(3 / 50.5) * (2 * uniformOf(word) - 1)],
  ['kaiming', (word) => Math.sqrt(2) * (word % 2 === 1 ? -1 : 1) * quantile(uniformOf(word) / 2)],
];

describe('initial weights', () => {
  for (const [init, expected] of EXPECTED) {
    const title = typeof init === 'string' ? init : JSON.stringify(init);
    gpuTest(`${title} are what the generator's words say`, async ({ device, track }) => {
      const seed = inject('seed') * 2 ** 20 + 12345;
      const spec = { other: { shape: [7], init: 'normal' as const }, w: { shape: [1, 100], init } };
      const arena = track(await ParameterArena.create(device, spec, { seed }));
      const got = await arena.read('w');
      got.forEach((value, i) => {
        const want = expected(wordOf(i, seed, streamOf('w')));
        // Giles' approximation is within 4e-7, and some fifteen roundings of 2⁻²⁴ and a coarse division follow; uniforms
        // are one product and one sum.
        expect(Math.abs(value - want), `element ${i}: got ${value}, want ${want}`).toBeLessThanOrEqual(
          2e-6 * Math.max(Math.abs(want), 1),
        );
      });
      if (isSwiftShader(device) && init === 'uniform') {
        expect([...got]).toEqual(
          Array.from(got, (_, i) => Math.fround(uniformOf(wordOf(i, seed, streamOf('w'))))),
        );
      }
    });
  }

  gpuTest('do not depend on what else the arena holds, and come again by seed', async ({ device, track }) => {
    const w = { shape: [300], init: 'normal' as const };
    const one = track(await ParameterArena.create(device, { w }, { seed: 5 }));
    const two = track(await ParameterArena.create(device, { v: w, u: { shape: [3] }, w }, { seed: 5 }));
    const other = track(await ParameterArena.create(device, { w }, { seed: 6 }));
    const want = await one.read('w');
    expect(bitDifference(await two.read('w'), want)).toBeUndefined();
    expect(bitDifference(await two.read('v'), want)).toBeDefined();
    expect(bitDifference(await other.read('w'), want)).toBeDefined();
    one.load(
      'w',
      want.map(() => 0),
    );
    await one.initialize('w', 'normal', 5);
    expect(bitDifference(await one.read('w'), want)).toBeUndefined();
    await one.initialize('w', 'zeros');
    expect((await one.read('w')).every((value) => value === 0)).toBe(true);
  });

  gpuTest('are distributed as they should', async ({ device, track }) => {
    const count = 300_001;
    const spec = {
      normal: { shape: [count], init: 'normal' as const },
      truncated: { shape: [count], init: { kind: 'trunc_normal', mean: 1, std: 2, a: 0, b: 9 } as const },
      uniform: { shape: [count], init: 'uniform' as const },
    };
    const arena = track(await ParameterArena.create(device, spec, { seed: inject('seed') }));
    const distributions: Record<string, (x: number) => number> = {
      normal: normalCdf,
      truncated: (x) => (normalCdf((x - 1) / 2) - normalCdf(-0.5)) / (normalCdf(4) - normalCdf(-0.5)),
      uniform: (x) => x,
    };
    for (const [name, cdf] of Object.entries(distributions)) {
      const sorted = (await arena.read(name)).toSorted();
      // Kolmogorov-Smirnov; the chance of passing 2.8/√n is 2·exp(−2·2.8²), 3e-7.
      const distance = sorted.reduce((most, x, i) => Math.max(most, Math.abs(cdf(x) - (i + 0.5) / count)), 0);
      expect(distance, name).toBeLessThan(2.8 / Math.sqrt(count));
    }
    const truncated = (await arena.read('truncated')).toSorted();
    expect(truncated[0]).toBeGreaterThanOrEqual(0);
    expect(truncated.at(-1)).toBeLessThanOrEqual(9);
    // 300,000 normal values reach beyond 3.5 standard deviations, on both sides.
    const normal = (await arena.read('normal')).toSorted();
    expect(normal[0]).toBeLessThan(-3.5);
    expect(normal.at(-1)).toBeGreaterThan(3.5);
  });
});

describe('the kernel shape', () => {
  gpuTest('can be given, and does not change a bit', async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const [weights, gradients] = [random.weights(70_003), random.gradients(70_003)];
    const run = async (kernel: object): Promise<Float32Array> => {
      const param = makeParameter(device, track, 'w', weights, gradients);
      const config = { rule: adam(), params: [param], kernel, maxGradNorm: 1 };
      const optimizer = track(await Optimizer.create(device, config));
      for (let k = 0; k < 3; k++) optimizer.step();
      return optimizer.readParam('w');
    };
    const want = await run({});
    for (const kernel of [
      { workgroupSize: 1, lanesPerInvocation: 65_536 },
      { workgroupSize: 32, lanesPerInvocation: 3, consecutive: true },
      { workgroupSize: 100, lanesPerInvocation: 7, consecutive: false },
      { workgroupSize: 256, lanesPerInvocation: 1 },
      { consecutive: false },
    ]) {
      expect(bitDifference(await run(kernel), want), JSON.stringify(kernel)).toBeUndefined();
    }
  });

  for (const [kernel, code, complaint] of [
    [{ workgroupSize: 0 }, 'invalid-option', 'workgroupSize is 0'],
    [{ workgroupSize: 1.5 }, 'invalid-option', 'workgroupSize is 1.5'],
    [{ workgroupSize: 1e6 }, 'limit-exceeded', 'workgroupSize is 1000000, but the device allows 256'],
    [{ lanesPerInvocation: 1e6 }, 'invalid-option', 'lanesPerInvocation is 1000000'],
    [{ consecutive: 1 }, 'invalid-option', 'consecutive is 1'],
    [{ lanes: 1 }, 'invalid-option', 'unknown option "lanes"'],
    ['fast', 'invalid-option', 'kernel: is "fast"'],
  ] as const) {
    gpuTest(`${JSON.stringify(kernel)} is refused`, async ({ device, track }) => {
      const params = [makeParameter(device, track, 'w', [1], [1])];
      const config = { rule: adam(), params, kernel } as never;
      const error = await errorOf(() => Optimizer.create(device, config));
      expect([error.code, error.message]).toEqual([code, expect.stringContaining(complaint)]);
    });
  }
});
