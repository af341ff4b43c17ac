import { describe, expect, inject, vi } from 'vitest';
import { Optimizer, ParameterArena, adam, momentum } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { Random } from '../../proof/random.js';
import { makeParameter } from '../support/tensors.js';

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
    for (const slot of ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'] as const) {
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
  // Per group the whole lanes of its gradients are reduced, and what is left of one; then decision, counts, steps.
  const clipped = track(await Optimizer.create(device, { rule, groups: arena.groups(), maxGradNorm: 1 }));
  expect(countCommands(() => clipped.step())).toEqual({ dispatches: 7, clears: 0, submits: 1 });
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

  gpuTest('a destroyed arena can be left by rebind, entered by nothing', async ({ device, track }) => {
    const [left, entered, last, gone] = await Promise.all(
      ['left', 'entered', 'last', 'gone'].map((label) =>
        ParameterArena.create(device, { w: { shape: [4] } }, { label }),
      ),
    );
    const optimizer = track(await Optimizer.create(device, { rule: momentum(), params: left!.params }));
    gone!.destroy();
    for (const call of [
      () => optimizer.addGroup({ params: [{ ...gone!.params[0]!, name: 'x' }] }),
      () => optimizer.addGroupSync({ params: [{ ...gone!.params[0]!, name: 'x' }] }),
      () => optimizer.rebind({ w: { grad: gone!.params[0]!.grad as GPUBufferBinding } }),
    ]) {
      expect(await errorOf(call)).toMatchObject({ code: 'destroyed' });
    }
    expect(optimizer.groups).toHaveLength(1);
    optimizer.rebind({ w: { data: entered!.view('w'), grad: entered!.gradView('w') } });
    left!.destroy();
    optimizer.step();
    expect([...(await optimizer.readParam('w'))]).toEqual([0, 0, 0, 0]);
    const [data, grad] = ['data', 'grad'].map((label) =>
      track(device.createBuffer({ label, size: 16, usage: GPUBufferUsage.STORAGE })),
    );
    optimizer.rebind({ w: { data: data!, grad: grad! } });
    entered!.destroy();
    optimizer.step();
    optimizer.rebind({ w: { data: last!.view('w'), grad: last!.gradView('w') } });
    last!.destroy();
    expect(await errorOf(() => optimizer.step())).toMatchObject({ code: 'destroyed' });
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
    let asked = 0;
    // No adapter here runs out on demand: of two tensors, the second is asked for at a size that none can give.
    const spy = vi.spyOn(device, 'createBuffer').mockImplementation((descriptor) => {
      const isSecond = descriptor.size === 400 && asked++ % 2 === 1;
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
    expect(error.message).toContain('take 800 bytes');
    expect(error.message).toContain('400 could be had');
    expect(created.filter((buffer) => !freed.has(buffer))).toEqual([]);
  });
});
