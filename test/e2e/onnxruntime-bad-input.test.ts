import * as ort from 'onnxruntime-web/webgpu';
import { expect } from 'vitest';
import { bitDifference } from '../../proof/compare.js';
import { getTestAdapter, gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import {
  initialWeights,
  isOurs,
  makeTrainer,
  openOnnx,
  smallBatch,
  smallModels,
} from '../support/onnx-trainer.js';
import { recordCalls } from './record-calls.js';

gpuTest('what cannot be trained is refused, and nothing changes', async ({ device }) => {
  const onCpu = await makeTrainer(device, {}, await openOnnx(smallModels.training));
  const refuseCpu = async () => {
    const error = await errorOf(() => onCpu.step(smallBatch(1)));
    expect(error.code).toBe('invalid-config');
    expect(error.message).toMatch(/does not compute on WebGPU; make it with executionProviders/);
    expect((await onCpu.optimizer.stats()).step).toBe(0);
  };
  // ONNX Runtime fails otherwise before a session has WebGPU than after.
  await refuseCpu();
  const session = await openOnnx(smallModels.training, device);
  await refuseCpu();
  const other = Object.create(session, { run: { value: async () => ({}) } }) as ort.InferenceSession;
  const unheeded = await makeTrainer(device, {}, other);
  expect((await errorOf(() => unheeded.step(smallBatch(1)))).message).toMatch(
    /ONNX Runtime "1\.\d+\.\d+" has not put the output "w1_grad" where it was asked to/,
  );
  expect((await unheeded.optimizer.stats()).step).toBe(0);

  const trainer = await makeTrainer(device);
  const before = await trainer.readWeights();
  const running = trainer.step(smallBatch(1));
  expect((await errorOf(() => trainer.step(smallBatch(1)))).message).toMatch(/still running/);
  await running;
  expect((await errorOf(() => trainer.step(smallBatch(1, 5)))).message).toContain('float32 [5, 20]');
  const weights = await trainer.readWeights();
  expect((await trainer.optimizer.stats()).step).toBe(1);
  expect(bitDifference(weights['w1']!, before['w1']!)).toBeDefined();

  const destroyed = recordCalls(GPUBuffer.prototype, 'destroy');
  const created = recordCalls(GPUDevice.prototype, 'createBuffer');
  const released = recordCalls(Object.getPrototypeOf(session) as ort.InferenceSession, 'release');
  const parameters = await initialWeights();
  const error = await errorOf(() => makeTrainer(device, { parameters, maxGradNorm: -1 }));
  for (const recorder of [destroyed, created, released]) recorder.restore();
  expect(released.calls.length).toBe(1);
  expect(error.message).toContain('maxGradNorm is -1');
  const ours = created.calls.filter(({ args: [about] }) => isOurs(about));
  expect(ours.length).toBeGreaterThan(0);
  expect(destroyed.calls.filter(({ target }) => isOurs(target)).length).toBe(ours.length);
});

gpuTest('what lies on another device, or cannot be bound, is refused', async ({ device, track }) => {
  const foreign = track(await (await getTestAdapter()).requestDevice({ label: 'foreign' }));
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const parameters = await initialWeights();
  for (const [owner, usage, message] of [
    [foreign, STORAGE | COPY_SRC | COPY_DST, 'parameter "w1": the device rejects it'],
    [device, COPY_SRC | COPY_DST, 'parameter "w1": data: buffer "adopted" has usage 0xc, without STORAGE'],
  ] as const) {
    const buffer = track(owner.createBuffer({ label: 'adopted', size: 4 * 20 * 16, usage }));
    const w1 = ort.Tensor.fromGpuBuffer(buffer, { dataType: 'float32', dims: [20, 16] });
    const error = await errorOf(() => makeTrainer(device, { parameters: { ...parameters, w1 } }));
    expect(error.code).toBe('invalid-parameter');
    expect(error.message).toContain(message);
  }

  const elsewhere = await makeTrainer(foreign, {}, await openOnnx(smallModels.training, device));
  const before = await elsewhere.readWeights();
  const error = await errorOf(() => elsewhere.step(smallBatch(1)));
  expect(error.code).toBe('invalid-config');
  expect(error.message).toContain('refuses tensors on another GPUDevice than its own');
  expect(error.message).toContain('give the device that the session was made with');
  expect(bitDifference((await elsewhere.readWeights())['w1']!, before['w1']!)).toBeUndefined();
  expect((await elsewhere.optimizer.stats()).step).toBe(0);
});

gpuTest('a step on a lost device is refused', async () => {
  const device = await (await getTestAdapter()).requestDevice({ label: 'to be lost' });
  const trainer = await makeTrainer(device);
  device.destroy();
  await device.lost;
  expect((await errorOf(() => trainer.step(smallBatch(1)))).code).toBe('device-lost');
});
