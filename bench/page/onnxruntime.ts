import * as ort from 'onnxruntime-web/webgpu';
import { makeMlp } from '../../onnx/mlp.js';
import { makeTrainingModels } from '../../onnx/training-graph.js';
import { OnnxTrainer } from '../../src/adapters/onnxruntime/index.js';
import { adam } from '../../src/index.js';
import type { OnnxPage, Part } from '../onnxruntime-protocol.js';
import { createRandom } from '../../lab/random.js';
import { describeAdapter, describeBrowser, requestBenchDevice } from './device.js';

ort.env.wasm.numThreads = 1;

let device: GPUDevice;
let trainer: OnnxTrainer;
let feeds: Record<string, ort.Tensor>;

/** A batch on the GPU, so that no upload is measured. */
function makeTensor(
  dims: readonly [number, number],
  value: (row: number, column: number) => number,
): ort.Tensor {
  const [rows, columns] = dims;
  const data = Float32Array.from({ length: rows * columns }, (_, i) =>
    value(Math.floor(i / columns), i % columns),
  );
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ label: 'bench batch', size: data.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, data);
  return ort.Tensor.fromGpuBuffer(buffer, { dataType: 'float32', dims });
}

const repetitions: Record<Part, () => unknown> = {
  step: () => trainer.step(feeds),
  'session.run': async () => {
    const gradients = Object.entries(trainer.gradients).map(([name, tensor]) => [`${name}_grad`, tensor]);
    const outputs = { loss: null, ...Object.fromEntries(gradients) };
    const { loss } = await trainer.session.run({ ...feeds, ...trainer.parameters }, outputs);
    loss!.dispose();
  },
  'optimizer.step': () => trainer.optimizer.step(),
};

const bench: OnnxPage = {
  open: async (widths, batch) => {
    ({ device } = await requestBenchDevice(navigator.gpu));
    const uniform = createRandom(1);
    const models = makeTrainingModels(makeMlp(widths, uniform), { batch });
    const initial = await ort.InferenceSession.create(models.initial, { executionProviders: ['wasm'] });
    const parameters = await initial.run({});
    trainer = await OnnxTrainer.create(ort, models.training, { rule: adam(), parameters, device });
    const classes = widths.at(-1)!;
    feeds = {
      x: makeTensor([batch, widths[0]!], uniform),
      labels: makeTensor([batch, classes], (row, column) => Number(row % classes === column)),
    };
    const { common } = ort.env.versions;
    return { adapter: describeAdapter(device), browser: describeBrowser(), ort: common };
  },
  measure: async (part, count) => {
    await device.queue.onSubmittedWorkDone();
    const start = performance.now();
    for (let k = 0; k < count; k += 1) await repetitions[part]();
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  },
};

Object.assign(globalThis, { bench });
