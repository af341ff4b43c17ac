import * as ort from 'onnxruntime-web/webgpu';
import { makeMlp } from '../../../onnx/mlp.js';
import { makeTrainingModels } from '../../../onnx/training-graph.js';
import { OnnxTrainer } from '../../../src/adapters/onnxruntime/index.js';
import { adam } from '../../../src/index.js';
import type { OnnxRequest } from '../../suites/onnxruntime.js';
import { type SuiteContestant, suitePage } from '../suite-page.js';
import { createRandom } from '../../../lab/random.js';
import { describeAdapter, describeBrowser, requestBenchDevice } from '../../../lab/measuring/page/device.js';

ort.env.wasm.numThreads = 1;

const SEED = 1;

let device: GPUDevice;

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

async function prepare({ part, widths, batch }: OnnxRequest): Promise<SuiteContestant> {
  const uniform = createRandom(SEED);
  const models = makeTrainingModels(makeMlp(widths, uniform), { batch });
  const initial = await ort.InferenceSession.create(models.initial, { executionProviders: ['wasm'] });
  const parameters = await initial.run({});
  const trainer = await OnnxTrainer.create(ort, models.training, { rule: adam(), parameters, device });
  const classes = widths.at(-1)!;
  const feeds = {
    x: makeTensor([batch, widths[0]!], uniform),
    labels: makeTensor([batch, classes], (row, column) => Number(row % classes === column)),
  };
  const steps: Record<OnnxRequest['part'], () => unknown> = {
    step: async () => (await trainer.step(feeds)).loss!.dispose(),
    'session.run': async () => {
      const gradients = Object.entries(trainer.gradients).map(([name, tensor]) => [`${name}_grad`, tensor]);
      const outputs = { loss: null, ...Object.fromEntries(gradients) };
      const { loss } = await trainer.session.run({ ...feeds, ...trainer.parameters }, outputs);
      loss!.dispose();
    },
    'optimizer.step': () => trainer.optimizer.step(),
  };
  const weights = async (): Promise<Float32Array> => (await trainer.readWeights())['w1']!;
  // Without a run before it, a step finds gradients of zero.
  if (part === 'optimizer.step') await steps['session.run']();
  return {
    step: steps[part],
    finish: () => device.queue.onSubmittedWorkDone(),
    ...(part !== 'session.run' && { weights }),
    destroy: async () => {
      await trainer.destroy();
      for (const tensor of Object.values(feeds)) tensor.dispose();
    },
  };
}

export const bench = suitePage<OnnxRequest>(async () => {
  ({ device } = await requestBenchDevice(navigator.gpu));
  const { common } = ort.env.versions;
  return { adapter: describeAdapter(device), browser: `${describeBrowser()}, ONNX Runtime ${common}` };
}, prepare);
