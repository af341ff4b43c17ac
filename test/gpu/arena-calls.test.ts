/** An arena's calls one behind the other, input that is read at the call, and memory that is short. */
import { expect, vi } from 'vitest';
import { ParameterArena } from '../../src/arena/parameter-arena.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';

gpuTest('fills, loads and reads see each other in the order of the calls', async ({ device, track }) => {
  const arena = track(await ParameterArena.create(device, { w: { shape: [2], init: 'ones' } }));
  const reads = [arena.read('w')];
  const filled = arena.initialize('w', { kind: 'uniform', a: 3, b: 3 });
  reads.push(arena.read('w'));
  arena.load('w', [7, 8]);
  reads.push(arena.read('w'));
  arena.load('w', Float64Array.of(9, 9));
  await filled;
  expect((await Promise.all(reads)).map((values) => [...values])).toEqual([
    [1, 1],
    [3, 3],
    [7, 8],
  ]);
});

gpuTest('what is given is read at the call', async ({ device, track }) => {
  const shape = [2];
  const spec = { w: { shape, init: { kind: 'uniform' as const, a: 2, b: 2 } } };
  const options = { label: 'mine' };
  const creating = ParameterArena.create(device, spec, options);
  shape[0] = 5;
  spec.w.init.a = 0;
  options.label = 'other';
  Reflect.deleteProperty(spec, 'w');
  const arena = track(await creating);
  expect([...(await arena.read('w'))]).toEqual([2, 2]);
  expect(arena.view('w').buffer.label).toContain('mine');
});

gpuTest('inherited fields of a tensor count as its own', async ({ device, track }) => {
  const tensor = Object.create({ init: 'ones', group: 'g' }) as { shape: number[] };
  tensor.shape = [1];
  const arena = track(await ParameterArena.create(device, { w: tensor }));
  expect([arena.groupNames, [...(await arena.read('w'))]]).toEqual([['g'], [1]]);
});

gpuTest('an arena that cannot be filled is refused, and nothing of it is left', async ({ device }) => {
  const created: GPUBuffer[] = [];
  const create = device.createBuffer.bind(device);
  const spy = vi.spyOn(device, 'createBuffer').mockImplementation((descriptor) => {
    const isFill = descriptor.label?.includes('fills') === true;
    const buffer = create(isFill ? { ...descriptor, size: 2 ** 52 } : descriptor);
    created.push(buffer);
    return buffer;
  });
  const destroyed = vi.spyOn(GPUBuffer.prototype, 'destroy');
  const error = await errorOf(() => ParameterArena.create(device, { w: { shape: [4], init: 'ones' } }));
  const freed = new Set(destroyed.mock.instances as unknown as GPUBuffer[]);
  spy.mockRestore();
  destroyed.mockRestore();
  expect([error.code, error.message]).toEqual([
    'out-of-memory',
    expect.stringContaining('filling the arena'),
  ]);
  expect(created.filter(({ label }) => label.startsWith('webgpu-optim arena')).length).toBe(3);
  expect(created.filter((buffer) => !freed.has(buffer)).map(({ label }) => label)).toEqual([]);
});

gpuTest('loads take memory of any kind, and numbers only', async ({ device, track }) => {
  const arena = track(await ParameterArena.create(device, { w: { shape: [2] } }));
  // The page is not isolated, so that there is no SharedArrayBuffer by name.
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const shared = new Float32Array(memory.buffer, 0, 2);
  shared.set([1, 2]);
  arena.load('w', shared);
  expect([...(await arena.read('w'))]).toEqual([1, 2]);
  const frame = document.createElement('iframe');
  document.body.append(frame);
  const realm = frame.contentWindow as unknown as typeof globalThis;
  arena.load('w', realm.Float32Array.of(3, 4));
  frame.remove();
  expect([...(await arena.read('w'))]).toEqual([3, 4]);
  const holes = [1, 2];
  Reflect.deleteProperty(holes, 1);
  for (const bad of [
    holes,
    ['1', '2'],
    [1],
    BigInt64Array.of(1n, 2n),
    new DataView(new ArrayBuffer(8)),
    'ab',
    null,
  ]) {
    const error = await errorOf(() => arena.load('w', bad as never));
    expect([error.code, error.message]).toEqual([
      'invalid-parameter',
      expect.stringContaining('of 2 numbers'),
    ]);
  }
  expect([...(await arena.read('w'))]).toEqual([3, 4]);
});

gpuTest('groups take options or nothing', async ({ device, track }) => {
  const arena = track(await ParameterArena.create(device, { w: { shape: [2], group: 'g' } }));
  for (const bad of [null, 5, [], { g: 1 }, { g: null }, { h: {} }]) {
    expect((await errorOf(() => arena.groups(bad as never))).code).toBe('invalid-config');
  }
  const lr = Object.create({ lr: 0.5 }) as object;
  expect(arena.groups({ g: lr })).toEqual([{ lr: 0.5, params: arena.params }]);
  expect(arena.groups()).toEqual([{ params: arena.params }]);
});
