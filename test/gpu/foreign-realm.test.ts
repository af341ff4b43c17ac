/** Devices that another realm made: an iframe, or a program without WebGPU's globals. */
import { describe, expect } from 'vitest';
import { Optimizer, ParameterArena, adam, lamb, scheduleFreeSgd, sgd } from '../../src/index.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeWords } from '../support/sparse-run.js';
import { tamper } from '../support/tamper.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

/** Every method of an optimizer and an arena, on a device; the errors that the device reports are counted. */
async function useAll(device: GPUDevice, track: Track): Promise<void> {
  const problems: string[] = [];
  device.addEventListener('uncapturederror', ({ error }) => void problems.push(error.message));
  const arena = track(await ParameterArena.create(device, { t: { shape: [3], init: 'ones' } }));
  arena.load('t', [1, 2, 3]);
  const { buffer, offset } = arena.gradView('t');
  device.queue.writeBuffer(buffer, offset, Float32Array.of(1, 1, 1));
  const w = makeParameter(device, track, 'w', [4, 5], [1, 1]);
  const micro = { ...w, microGrad: makeBuffer(device, track, [1, 1]) };
  const values = makeBuffer(device, track, [1, 1]);
  const table = {
    name: 'table',
    data: makeBuffer(device, track, [0, 0, 0, 0]),
    rowLength: 2,
    grad: { indices: makeWords(device, track, [1]), values },
  };
  const config = { maxGradNorm: 1e9, skipNonFinite: true };
  const optimizer = track(
    await Optimizer.create(device, {
      rule: sgd({ lr: 1 }),
      params: [...arena.params, micro, table],
      ...config,
    }),
  );
  optimizer.accumulate();
  optimizer.step();
  const encoder = device.createCommandEncoder();
  optimizer.encode(encoder);
  optimizer.zeroGrad(encoder);
  device.queue.submit([encoder.finish()]);
  await optimizer.addGroup({ params: [makeParameter(device, track, 'late', [7], [1])] });
  optimizer.addGroupSync({ params: [makeParameter(device, track, 'later', [8], [1])] });
  optimizer.step();
  optimizer.loadStateDictSync(await optimizer.stateDict());
  expect([...(await arena.read('t'))]).toEqual([-1, 0, 1]);
  expect([...(await optimizer.readParam('w'))]).toEqual([0, 1]);
  expect([...(await optimizer.readParam('table'))]).toEqual([0, 0, -2, -2]);
  expect([...(await optimizer.readParam('later'))]).toEqual([7]);
  expect(await optimizer.stats()).toMatchObject({ step: 3, skipped: 0 });
  const averaged = track(
    await Optimizer.create(device, {
      rule: adam(),
      params: [makeParameter(device, track, 'w', [1], [1])],
      ema: { decay: 0.5 },
    }),
  );
  averaged.step();
  averaged.swapEma();
  averaged.swapEma();
  averaged.rebind({ w: { grad: makeBuffer(device, track, [2]) } });
  averaged.step();
  expect((await averaged.readEma('w')).length).toBe(1);
  for (const rule of [lamb(), scheduleFreeSgd()]) {
    const params = [makeParameter(device, track, 'w', [1], [1])];
    const atOnce = track(Optimizer.createSync(device, { rule, params }));
    atOnce.step();
    expect((await atOnce.readParam('w'))[0]).toBeLessThan(1);
    if (rule.name !== 'lamb') atOnce.eval();
  }
  await device.queue.onSubmittedWorkDone();
  expect(problems).toEqual([]);
}

gpuTest('a device of an iframe, with buffers and encoders of its realm', async ({ track }) => {
  const frame = document.createElement('iframe');
  document.body.append(frame);
  try {
    const { gpu } = frame.contentWindow!.navigator;
    const device = track(await (await gpu.requestAdapter())!.requestDevice({ label: 'of an iframe' }));
    expect(device instanceof GPUDevice).toBe(false);
    await useAll(device, track);
  } finally {
    frame.remove();
  }
});

describe('without the globals of WebGPU', () => {
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
});
