/** What can be seen of steps: norms, times, bytes; and steps in a compute pass of the caller's. */
import { expect, inject } from 'vitest';
import { Optimizer, ReferenceOptimizer, adam, novograd, sgd } from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { readBuffer } from '../../proof/read-buffer.js';
import { NORM_TOLERANCE, exactNorm, makeTensors } from '../support/control-tensors.js';
import { getTestAdapter, gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeParameter } from '../support/tensors.js';

gpuTest('the norm is measured without clipping, of what takes part', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const gradients = [5, 130, 3].map((length) => random.weights(length));
  const tensors = makeTensors(device, track, gradients, random);
  const params = tensors.map(({ parameter }) => parameter);
  const settings = { rule: adam(), lossScale: 8, measureGradNorm: true };
  const optimizer = track(await Optimizer.create(device, { ...settings, params }));
  const twin = new ReferenceOptimizer({
    ...settings,
    precision: 'f32',
    params: tensors.map(({ weights }, k) => ({ name: `w${k}`, data: weights })),
  });
  const expectNorm = async (of: readonly Float32Array[]): Promise<void> => {
    const { gradNorm, clipFactor } = await optimizer.stats();
    expect(Math.abs(gradNorm / (exactNorm(of) / 8) - 1)).toBeLessThan(NORM_TOLERANCE);
    expect(clipFactor).toBe(1);
  };
  optimizer.step();
  twin.step(gradients);
  await expectNorm(gradients);
  optimizer.step({ skip: ['w1'] });
  twin.step(gradients, { skip: ['w1'] });
  await expectNorm([gradients[0]!, gradients[2]!]);
  for (const [k, { weights }] of tensors.entries()) {
    const got = await optimizer.readParam(`w${k}`);
    if (isSwiftShader(device)) expect(bitDifference(got, weights), `w${k}`).toBeUndefined();
  }
  // A step that is not finite is made, and says so.
  tensors[0]!.upload(gradients[0]!.map(() => NaN));
  optimizer.step();
  expect(await optimizer.stats()).toMatchObject({ step: 3, skipped: 0, gradNorm: NaN });
  const plain = track(await Optimizer.create(device, { rule: sgd(), params }));
  plain.step({ skip: ['w0'] });
  expect((await plain.stats()).gradNorm).toBeNaN();
});

gpuTest(
  'steps go into a compute pass of the caller’s, among its own dispatches',
  async ({ device, track }) => {
    const values = [1, 2, 3, 4, 5];
    const own = makeParameter(device, track, 'w', values, [0, 0, 0, 0, 0]);
    const twin = makeParameter(device, track, 'w', values, [1, 1, 1, 1, 1]);
    const settings = { rule: adam({ lr: 0.1 }), skipNonFinite: true };
    const optimizer = track(await Optimizer.create(device, { ...settings, params: [own] }));
    const other = track(await Optimizer.create(device, { ...settings, params: [twin] }));
    const pipeline = device.createComputePipeline({
      layout: 'auto',
      compute: {
        module: device.createShaderModule({
          code: `@group(0) @binding(0) var<storage, read_write> grad: array<f32>;
          @compute @workgroup_size(1) fn main() { for (var i = 0; i < 5; i++) { grad[i] += 1.0; } }`,
        }),
      },
    });
    const group = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer: own.grad } }],
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(1);
    // More steps than the memory for pending ones has at first.
    for (let step = 0; step < 20; step++) {
      optimizer.encode(pass, { skip: step === 5 ? ['w'] : [] });
      other.step({ skip: step === 5 ? ['w'] : [] });
    }
    pass.end();
    expect(await optimizer.readParam('w')).toEqual(Float32Array.from(values));
    device.queue.submit([encoder.finish()]);
    expect(await optimizer.readParam('w')).toEqual(await other.readParam('w'));
    expect(await optimizer.readState('w', 'step')).toEqual(Float32Array.of(19));
    const last = device.createCommandEncoder().beginComputePass();
    const error = await errorOf(() => optimizer.encode(last, { timestampWrites: {} as never }));
    expect([error.code, error.message]).toEqual([
      'invalid-config',
      expect.stringContaining('beginComputePass()'),
    ]);
    const odd = await errorOf(() => optimizer.encode({} as never));
    expect([odd.code, odd.message]).toEqual(['invalid-config', expect.stringContaining('or a compute pass')]);
    expect(await optimizer.readState('w', 'step')).toEqual(Float32Array.of(19));
  },
);

gpuTest('the times of a step are written where they are wanted', async ({ device, track }) => {
  const make = async (on: GPUDevice) =>
    Optimizer.create(on, { rule: sgd({ lr: 1 }), params: [makeParameter(on, track, 'w', [3], [1])] });
  const plain = track(await make(device));
  const missing = await errorOf(() => plain.step({ timestampWrites: {} as never }));
  expect([missing.code, missing.message]).toEqual([
    'limit-exceeded',
    expect.stringContaining("'timestamp-query'"),
  ]);
  expect((await plain.stats()).step).toBe(0);
  const adapter = await getTestAdapter();
  if (!adapter.features.has('timestamp-query')) return;
  const timed = track(await adapter.requestDevice({ requiredFeatures: ['timestamp-query'] }));
  const optimizer = await make(timed);
  const querySet = timed.createQuerySet({ type: 'timestamp', count: 4 });
  optimizer.step({ timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 } });
  const encoder = timed.createCommandEncoder();
  optimizer.encode(encoder, { timestampWrites: { querySet, endOfPassWriteIndex: 2 } });
  const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
  const times = timed.createBuffer({ size: 32, usage });
  encoder.resolveQuerySet(querySet, 0, 4, times, 0);
  timed.queue.submit([encoder.finish()]);
  const [begun, ended, next] = new BigUint64Array((await readBuffer(timed, times)).buffer);
  expect(begun! > 0n && begun! <= ended! && ended! <= next!, `${begun} ${ended} ${next}`).toBe(true);
  const occlusion = timed.createQuerySet({ type: 'occlusion', count: 4 });
  for (const [writes, hint] of [
    [7, 'timestampWrites is 7'],
    [{ beginningOfPassWriteIndex: 0 }, 'querySet is undefined'],
    [{ querySet: occlusion, endOfPassWriteIndex: 0 }, "created with type 'timestamp'"],
    [{ querySet }, 'no index'],
    [{ querySet, beginningOfPassWriteIndex: 4 }, 'beginningOfPassWriteIndex is 4'],
    [{ querySet, endOfPassWriteIndex: 0.5 }, 'endOfPassWriteIndex is 0.5'],
    [{ querySet, beginningOfPassWriteIndex: 1, endOfPassWriteIndex: 1 }, 'both indices are 1'],
  ] as const) {
    const error = await errorOf(() => optimizer.step({ timestampWrites: writes as never }));
    expect([error.code, error.message]).toEqual(['invalid-config', expect.stringContaining(hint)]);
  }
  expect((await optimizer.readParam('w'))[0]).toBe(1);
  optimizer.destroy();
});

gpuTest('the bytes of the state are told, of slots and averages in use', async ({ device, track }) => {
  const params = (name: string) => [makeParameter(device, track, name, [1, 2, 3, 4, 5], [0, 0, 0, 0, 0])];
  const optimizer = track(
    await Optimizer.create(device, { rule: adam(), params: params('a'), ema: { decay: 0.9 } }),
  );
  expect(optimizer.stateByteLength).toBe(3 * 20);
  await optimizer.addGroup({ params: params('b'), amsgrad: true });
  expect(optimizer.stateByteLength).toBe(3 * 20 + 4 * 20);
  expect(optimizer.memory()).toEqual({
    weights: 40,
    gradients: 40,
    state: 100,
    averages: 40,
    masterWeights: 0,
  });
  const perTensor = track(await Optimizer.create(device, { rule: novograd(), params: params('a') }));
  expect(perTensor.stateByteLength).toBe(20 + 4);
  expect(track(await Optimizer.create(device, { rule: sgd(), params: params('a') })).stateByteLength).toBe(0);
  optimizer.destroy();
  expect(optimizer.stateByteLength).toBe(0);
});
