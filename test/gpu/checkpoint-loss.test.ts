/** Devices that are lost, and optimizers that are destroyed, while a checkpoint is saved or loaded. */
import { expect, inject } from 'vitest';
import { Optimizer, adam, loadCheckpoint, saveCheckpoint } from '../../src/index.js';
import { Random } from '../../proof/random.js';
import { getTestAdapter, gpuTest } from '../support/device.js';
import { microtasks } from '../support/live-buffers.js';
import { outcomeOf } from '../support/outcome-of.js';
import { makeBuffer } from '../support/tensors.js';

const LENGTH = 3000;

/** Two parameters on a device, with which their buffers end. */
function configOf(device: GPUDevice, weights: Float32Array) {
  const buffer = (values: Float32Array) => makeBuffer(device, (made) => made, values);
  const params = ['a', 'b'].map((name) => ({ name, data: buffer(weights), grad: buffer(weights) }));
  return { rule: adam(), params, skipNonFinite: true };
}

/** An adapter gives one device. */
const newDevice = async (label: string): Promise<GPUDevice> =>
  (await getTestAdapter()).requestDevice({ label });

gpuTest('a lost device ends a save and a load with one error, and the file before is whole', async () => {
  const random = new Random(inject('seed'));
  const weights = random.weights(LENGTH);
  let saved: Uint8Array<ArrayBuffer> | undefined;
  const codes: string[] = [];
  for (const wait of [0, 3, 40]) {
    const device = await newDevice('to be lost');
    const optimizer = saved
      ? await Optimizer.restore(device, configOf(device, weights), saved)
      : await Optimizer.create(device, configOf(device, weights));
    optimizer.step();
    // The one before, which all of them begin with.
    saved = (await saveCheckpoint(optimizer, 'bytes')).bytes;
    optimizer.step();
    const pending = [saveCheckpoint(optimizer, 'bytes'), loadCheckpoint(optimizer, saved)].map((each) =>
      outcomeOf<unknown>(each),
    );
    await microtasks(wait);
    if (wait > 20) await new Promise((resolve) => setTimeout(resolve, wait / 10));
    device.destroy();
    for (const outcome of await Promise.all(pending)) {
      if ('code' in outcome) codes.push(outcome.code);
    }
    for (const call of [() => saveCheckpoint(optimizer, 'bytes'), () => loadCheckpoint(optimizer, saved!)]) {
      expect(await outcomeOf<unknown>(call())).toEqual({ code: 'device-lost' });
    }
  }
  expect(new Set(codes)).toEqual(new Set(['device-lost']));
  const device = await newDevice('resumed');
  const last = await Optimizer.restore(device, configOf(device, weights), saved!);
  expect(await last.stateDict()).toMatchObject({ step: 3 });
  device.destroy();
});

gpuTest('destroy() behind a save or a load: all of it, or one error', async ({ device, track }) => {
  const weights = new Random(inject('seed')).weights(LENGTH);
  const other = track(await Optimizer.create(device, configOf(device, weights)));
  for (const wait of [0, 1, 5, 30]) {
    const optimizer = await Optimizer.create(device, configOf(device, weights));
    optimizer.step();
    const whole = (await saveCheckpoint(optimizer, 'bytes')).bytes;
    const pending = outcomeOf(saveCheckpoint(optimizer, 'bytes'));
    const loading = outcomeOf(loadCheckpoint(optimizer, whole));
    await microtasks(wait);
    optimizer.destroy();
    const outcome = await pending;
    if ('code' in outcome) expect(outcome.code).toBe('destroyed');
    else await loadCheckpoint(other, outcome.value.bytes);
    const loaded = await loading;
    if ('code' in loaded) expect(loaded.code).toBe('destroyed');
  }
});
