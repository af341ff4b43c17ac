/** Devices that another realm made: an iframe. */
import { expect } from 'vitest';
import { Optimizer, ParameterArena, adam, lamb, scheduleFreeSgd, sgd } from '../../src/index.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { makeWords } from '../support/sparse-run.js';
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
