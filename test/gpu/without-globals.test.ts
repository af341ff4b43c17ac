/** A program without WebGPU's globals, as one in Node that imports the package `webgpu` and nothing more. */
import { expect } from 'vitest';
import { Optimizer, ParameterArena, lamb, sgd } from '../../src/index.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { tamper } from '../support/tamper.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

gpuTest('a device is used all the same, with numbers of our own', async ({ device, track }) => {
  const names = Object.getOwnPropertyNames(globalThis).filter((name) => name.startsWith('GPU'));
  expect(names).toContain('GPUBufferUsage');
  // The test's own buffers need the flags; so it keeps them, where the library does not look.
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const usage = STORAGE | COPY_SRC | COPY_DST;
  const make = (values: readonly number[]) => makeBuffer(device, track, values, usage);
  const buffers = [make([1, 2]), make([1, 1]), make([3, 4])];
  const restore = tamper(globalThis, Object.fromEntries(names.map((name) => [name, undefined])));
  try {
    const params = [{ name: 'w', data: buffers[0]!, grad: buffers[1]! }];
    const config = { params, ema: { decay: 0.5 }, maxGradNorm: 1e9, skipNonFinite: true };
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), ...config }));
    optimizer.step();
    const encoder = device.createCommandEncoder();
    optimizer.encode(encoder);
    device.queue.submit([encoder.finish()]);
    optimizer.swapEma();
    optimizer.swapEma();
    expect([...(await optimizer.readParam('w'))]).toEqual([-1, 0]);
    expect((await optimizer.stateDict()).step).toBe(2);
    expect((await optimizer.stats()).step).toBe(2);
    const arena = track(await ParameterArena.create(device, { t: { shape: [2], init: 'ones' } }));
    expect([...(await arena.read('t'))]).toEqual([1, 1]);
    const atOnce = track(Optimizer.createSync(device, { rule: lamb(), params: arena.params }));
    atOnce.step();
    optimizer.rebind({ w: { data: buffers[2]! } });
    optimizer.zeroGrad();
    optimizer.step();
    expect([...(await optimizer.readParam('w'))]).toEqual([3, 4]);
  } finally {
    restore();
  }
});

gpuTest('what is no device, buffer or encoder is refused as ever', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', [1], [1]);
  const optimizer = track(await Optimizer.create(device, { rule: sgd(), params: [param] }));
  const encoder = device.createCommandEncoder();
  const names = Object.getOwnPropertyNames(globalThis).filter((name) => name.startsWith('GPU'));
  const restore = tamper(globalThis, Object.fromEntries(names.map((name) => [name, undefined])));
  try {
    for (const odd of [{}, { limits: {}, queue: {} }, device.queue, param.data, 'device', null]) {
      const error = await errorOf(() => Optimizer.create(odd as never, { rule: sgd(), params: [param] }));
      expect(error.code).toBe('invalid-config');
      expect(error.message).toContain('GPUDevice');
    }
    for (const odd of [{}, { size: 4 }, device, new Float32Array(1), new ArrayBuffer(4)]) {
      const params = [{ ...param, grad: odd as never }];
      const error = await errorOf(() => Optimizer.create(device, { rule: sgd(), params }));
      expect(error.code).toBe('invalid-parameter');
    }
    for (const odd of [{}, device, device.queue, param.data]) {
      expect((await errorOf(() => optimizer.encode(odd as never))).code).toBe('invalid-config');
    }
    optimizer.encode(encoder);
  } finally {
    restore();
  }
  device.queue.submit([encoder.finish()]);
});
