import onnxProto from 'onnx-proto';
import * as ort from 'onnxruntime-web/webgpu';
import { expect, onTestFinished, vi } from 'vitest';
import { CLASS_COUNT, PIXEL_COUNT } from '../../lab/tasks/digit-format.js';
import { fetchDigits, firstDigits } from '../../lab/tasks/digits.js';
import { createRandom, shuffledIndices } from '../../lab/random.js';
import { makeMlp } from '../../onnx/mlp.js';
import { floatValue } from '../../onnx/tensor.js';
import { encode, makeTrainingModels } from '../../onnx/training-graph.js';
import { OnnxTrainer, putWeights } from '../../src/adapters/onnxruntime/index.js';
import { ReferenceOptimizer, adam, adamw, muon, sgd } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { gpuTest } from '../support/device.js';
import { isTurn } from '../support/draw.js';
import { errorOf } from '../support/error-of.js';
import {
  BATCH,
  initialWeights,
  isOurs,
  makeTrainer,
  openOnnx,
  read,
  smallBatch,
  smallModels,
} from '../support/onnx-trainer.js';
import { makeBuffer } from '../support/tensors.js';
import { accuracy, digitFeeds } from './onnx-digits.js';
import { recordCalls } from './record-calls.js';

// It takes half a minute: one seed of four.
const digitsTest = isTurn(0, 4) ? gpuTest : () => undefined;
digitsTest('a network learns the digits, evaluated on the buffers that are trained', async ({ device }) => {
  const { train, heldOut } = await fetchDigits();
  const batch = 80;
  const network = makeMlp([PIXEL_COUNT, 64, CLASS_COUNT], createRandom(1));
  const models = makeTrainingModels(network, { batch });
  const parameters = await initialWeights(models.initial);
  const trainer = await makeTrainer(device, { rule: adam({ lr: 3e-3 }), parameters }, models.training);
  const forward = await openOnnx(models.forward, device);
  const untrained = await accuracy(forward, firstDigits(heldOut, 200), trainer.parameters);

  const order = shuffledIndices(train.count, createRandom(2));
  const stepCount = train.count / batch;
  const losses: number[] = [];
  for (let step = 0; step < stepCount; step++) {
    const rows = order.subarray(step * batch, (step + 1) * batch);
    const { loss } = await trainer.step(digitFeeds(train, rows));
    // Reading waits for the GPU.
    if (step === 0 || step >= stepCount - 5) losses.push(...((await loss!.getData()) as Float32Array));
  }
  expect(untrained).toBeLessThan(0.3);
  // ln 10 is what guessing costs; He's weights begin near it.
  const [first, ...last] = losses;
  expect(first).toBeGreaterThan(1.5);
  expect(Math.max(...last)).toBeLessThan(0.7);
  expect(await accuracy(forward, heldOut, trainer.parameters)).toBeGreaterThan(0.9);
  expect((await trainer.optimizer.stats()).step).toBe(stepCount);

  // What one ships: the inference model with the new weights inside, here on the CPU.
  const shipped = await openOnnx(putWeights(encode(network), await trainer.readWeights()));
  expect(await accuracy(shipped, firstDigits(heldOut, 500))).toBeGreaterThan(0.88);
});

gpuTest(
  'a step is that of the reference, given the gradients that the graph computed',
  async ({ device }) => {
    const rule = adamw({ lr: 0.01, weightDecay: 0.1 });
    const trainer = await makeTrainer(device, {
      rule,
      groups: [{ parameters: ['b1', 'b2'], weightDecay: 0 }],
    });
    const data = await read(await initialWeights());
    const pick = (names: string[]) => names.map((name) => ({ name, data: data[name]! }));
    const reference = new ReferenceOptimizer({
      rule,
      precision: 'f32',
      groups: [{ params: pick(['w1', 'w2']) }, { params: pick(['b1', 'b2']), weightDecay: 0 }],
    });
    let before = await trainer.readWeights();
    for (let step = 0; step < 5; step++) {
      await trainer.step(smallBatch(step));
      const gradients = await read(trainer.gradients);
      reference.step(gradients);
      const weights = await trainer.readWeights();
      for (const name of ['w1', 'b1', 'w2', 'b2']) {
        expect(
          gradients[name]!.some((slope) => slope !== 0),
          `${name}_grad`,
        ).toBe(true);
        expect(bitDifference(weights[name]!, before[name]!), `${name} stayed`).toBeDefined();
        if (isSwiftShader(device)) expect(bitDifference(weights[name]!, data[name]!), name).toBeUndefined();
      }
      before = weights;
    }
  },
);

gpuTest('muon steps what the graph has as matrices, and another rule the rest', async ({ device }) => {
  const rule = muon({ lr: 0.01, others: adamw({ lr: 0.02 }) });
  const trainer = await makeTrainer(device, {
    rule,
    groups: [{ parameters: ['w2'], others: true, lr: 0.03 }],
  });
  expect(trainer.optimizer.groups.map((group) => [group.rule.name, group.params])).toEqual([
    ['adamw', ['w2']],
    ['muon', ['w1']],
    ['adamw', ['b1', 'b2']],
  ]);
  const initial = await initialWeights();
  const data = await read(initial);
  const pick = (names: string[]) =>
    names.map((name) => ({ name, data: data[name]!, shape: [...initial[name]!.dims] }));
  const reference = new ReferenceOptimizer({
    rule,
    precision: 'f32',
    groups: [{ params: pick(['w2']), others: true, lr: 0.03 }, { params: pick(['w1', 'b1', 'b2']) }],
  });
  const before = await trainer.readWeights();
  for (let step = 0; step < 3; step++) {
    await trainer.step(smallBatch(step));
    reference.step(await read(trainer.gradients));
  }
  const weights = await trainer.readWeights();
  for (const name of ['w1', 'b1', 'w2', 'b2']) {
    expect(bitDifference(weights[name]!, before[name]!), `${name} stayed`).toBeDefined();
    if (isSwiftShader(device)) expect(bitDifference(weights[name]!, data[name]!), name).toBeUndefined();
  }
});

gpuTest('steps use the same buffers, make no GPU object and read nothing', async ({ device, track }) => {
  const onGpu = ({ dims, data }: ort.Tensor): ort.Tensor =>
    ort.Tensor.fromGpuBuffer(makeBuffer(device, track, data as Float32Array), { dataType: 'float32', dims });
  const { w1, ...others } = await initialWeights();
  const adopted = onGpu(w1!);
  const trainer = await makeTrainer(device, { parameters: { w1: adopted, ...others } });
  const buffersOf = () =>
    [trainer.parameters, trainer.gradients].flatMap((tensors) =>
      Object.values(tensors).map(({ gpuBuffer }) => gpuBuffer),
    );
  const buffers = buffersOf();
  const feeds = Object.fromEntries(
    Object.entries(smallBatch(1)).map(([name, one]) => [name, onGpu(one)] as const),
  );
  const before = await trainer.readWeights();
  const lossBuffers = new Set<unknown>();
  // The runtime keeps what the first runs made.
  for (let step = 0; step < 3; step++) await trainer.step(feeds);

  const created = (['createBuffer', 'createBindGroup', 'createComputePipeline'] as const).map((method) =>
    recordCalls(GPUDevice.prototype, method),
  );
  const mapped = recordCalls(GPUBuffer.prototype, 'mapAsync');
  for (let step = 0; step < 5; step++) lossBuffers.add((await trainer.step(feeds))['loss']!.gpuBuffer);
  for (const recorder of [...created, mapped]) recorder.restore();
  const [made, groups, pipelines] = created.map(({ calls }) => calls);
  expect([made, pipelines, mapped.calls]).toEqual([[], [], []]);
  // The runtime makes its bind groups anew, named after its operators.
  expect(groups!.map(({ args: [about] }) => about).filter(isOurs)).toEqual([]);

  expect(lossBuffers.size).toBe(1);
  const after = buffersOf();
  expect(after.every((buffer, k) => buffer === buffers[k])).toBe(true);
  expect(trainer.parameters['w1']!.gpuBuffer).toBe(adopted.gpuBuffer);
  const weights = await trainer.readWeights();
  expect(bitDifference(weights['w1']!, before['w1']!)).toBeDefined();

  await trainer.destroy();
  // Adopted, it is still the caller's: using a destroyed buffer would fail this test.
  device.queue.writeBuffer(adopted.gpuBuffer, 0, new Float32Array(4));
});

gpuTest(
  'a given session stays open, and outputs with open axes are made by the runtime',
  async ({ device }) => {
    const model = onnxProto.onnx.ModelProto.decode(smallModels.training);
    const { input, output } = model.graph!;
    const data = [floatValue('x', ['rows', 20]), floatValue('labels', ['rows', 4])];
    model.graph!.input = [
      ...data,
      ...input!.filter(({ name }) => !data.some((other) => other.name === name)),
    ];
    output!.push(floatValue('scores', ['rows', 4]));
    const session = await openOnnx(encode(model), device);
    const trainer = await makeTrainer(device, {}, session);
    for (const rows of [BATCH, 5]) {
      const { loss, scores } = await trainer.step(smallBatch(1, rows));
      expect(loss!.dims).toEqual([]);
      expect(scores!.dims).toEqual([rows, 4]);
    }
    await trainer.destroy();
    await trainer.destroy();
    expect((await errorOf(() => trainer.step(smallBatch(1)))).code).toBe('destroyed');
    const weights = await initialWeights();
    expect(Object.keys(await session.run({ ...smallBatch(1), ...weights }))).toContain('loss');
  },
);

gpuTest(
  'classes as int64 give the gradients of one-hot rows, and rows of weight 0 none',
  async ({ device }) => {
    const options = { batch: BATCH, labelType: 'int64', rowWeights: 'row_weights' } as const;
    const { training } = makeTrainingModels(makeMlp([20, 16, 4], createRandom(3)), options);
    const byClass = await makeTrainer(device, { rule: sgd({ lr: 1 }) }, training);
    const { x, labels } = smallBatch(1);
    const oneHot = labels!.data as Float32Array;
    const rows = (make: (row: number) => number): number[] =>
      Array.from({ length: BATCH }, (_, row) => make(row));
    const stepWith = async (
      isCounted: (row: number) => boolean,
      other = 0,
    ): Promise<Record<string, Float32Array>> => {
      const classes = rows((row) =>
        isCounted(row) ? oneHot.subarray(4 * row, 4 * row + 4).indexOf(1) : other,
      );
      const { loss } = await byClass.step({
        x: x!,
        labels: new ort.Tensor('int64', BigInt64Array.from(classes, BigInt), [BATCH]),
        row_weights: new ort.Tensor(
          'float32',
          rows((row) => Number(isCounted(row))),
          [BATCH],
        ),
      });
      return { loss: (await loss!.getData()) as Float32Array, ...(await read(byClass.gradients)) };
    };
    const ours = await stepWith(() => true);
    const byProbability = await makeTrainer(device);
    await byProbability.step({ x: x!, labels: labels! });
    const theirs = await read(byProbability.gradients);
    for (const name of ['w1', 'b1', 'w2', 'b2']) {
      // 1/8 is exact where division is.
      if (isSwiftShader(device)) expect(bitDifference(ours[name]!, theirs[name]!), name).toBeUndefined();
    }
    // The bias' gradient of a row is softmax − one-hot, whose numbers sum to 0.
    const [one, others] = [await stepWith((row) => row === 2), await stepWith((row) => row !== 2)];
    for (const { b2 } of [one, others]) expect(b2!.some((slope) => slope !== 0)).toBe(true);
    expect(Math.abs(one['b2']!.reduce((sum, slope) => sum + slope, 0))).toBeLessThanOrEqual(2 ** -20);
    // A class that there is not shows in the loss.
    expect((await stepWith((row) => row > 0, 4))['loss']![0]).toBeNaN();
  },
);

gpuTest('what is freed while a step runs is freed behind it', async ({ device }) => {
  const trainer = await makeTrainer(device);
  const released = vi.spyOn(trainer.session, 'release');
  const destroyed = recordCalls(GPUBuffer.prototype, 'destroy');
  const { optimizer } = trainer;
  const order: string[] = [];
  const stepping = trainer.step(smallBatch(1)).then((outputs) => (order.push('step'), outputs));
  const destroying = [0, 1].map(async (k) => {
    await trainer.destroy();
    order.push(`destroy ${k}`);
  });
  const stepped = vi.spyOn(optimizer, 'step');
  expect((await errorOf(() => trainer.step(smallBatch(1)))).code).toBe('destroyed');
  const { loss } = await stepping;
  expect(stepped).toHaveBeenCalledTimes(1);
  await Promise.all(destroying);
  destroyed.restore();
  expect(order).toEqual(['step', 'destroy 0', 'destroy 1']);
  expect(released).toHaveBeenCalledTimes(1);
  const ours = [trainer.parameters, trainer.gradients].flatMap((tensors) => Object.values(tensors));
  const freed = new Set(destroyed.calls.map(({ target }) => target));
  expect(ours.every(({ gpuBuffer }) => freed.has(gpuBuffer))).toBe(true);
  expect((await errorOf(() => loss!.getData())).code).toBe('destroyed');
  expect((await errorOf(() => trainer.readWeights())).code).toBe('destroyed');
});

gpuTest(
  'a step that fails while the trainer is destroyed is told to its caller alone',
  async ({ device }) => {
    const session = await openOnnx(smallModels.training, device);
    const failing = Object.create(session, {
      run: { value: async () => Promise.reject(new Error('no run')) },
    }) as ort.InferenceSession;
    const trainer = await makeTrainer(device, {}, failing);
    const stepping = trainer.step(smallBatch(1));
    const destroying = trainer.destroy();
    await expect(stepping).rejects.toThrow('no run');
    await destroying;
    expect((await errorOf(() => trainer.optimizer.step())).code).toBe('destroyed');
  },
);

gpuTest('numbers and options of another realm are taken, as they are at the call', async ({ device }) => {
  const frame = document.body.appendChild(document.createElement('iframe'));
  onTestFinished(() => frame.remove());
  const realm = frame.contentWindow as unknown as typeof globalThis;
  const weights = await read(await initialWeights());
  const parameters: Record<string, Float32Array> = Object.fromEntries(
    Object.entries(weights).map(([name, values]) => [name, realm.Float32Array.from(values)]),
  );
  const params = ['b1', 'b2'];
  const config = {
    rule: sgd({ lr: 1 }),
    parameters,
    groups: [{ params }, { match: new realm.RegExp('^w1'), lr: 2 }],
    device,
  };
  const model = new realm.Uint8Array(smallModels.training);
  const creating = OnnxTrainer.create(ort, model, config);
  // Too late.
  params.push('w2');
  Object.assign(config.groups[1]!, { lr: 3 });
  delete parameters['w2'];
  const trainer = await creating;
  onTestFinished(() => trainer.destroy());
  expect(trainer.optimizer.groups.map((group) => [...group.params, group.lr])).toEqual([
    ['b1', 'b2', 1],
    ['w1', 2],
    ['w2', 1],
  ]);
  for (const [name, values] of Object.entries(await trainer.readWeights())) {
    expect(bitDifference(values, weights[name]!), name).toBeUndefined();
  }
});
