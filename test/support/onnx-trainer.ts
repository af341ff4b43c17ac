/** Tests of the ONNX Runtime adapter: a small network, and what is freed behind each test. */
import * as ort from 'onnxruntime-web/webgpu';
import { afterAll, onTestFinished } from 'vitest';
import { createRandom } from '../../lab/random.js';
import { makeMlp } from '../../onnx/mlp.js';
import { makeTrainingModels } from '../../onnx/training-graph.js';
import { OnnxTrainer, type OnnxTrainerConfig } from '../../src/adapters/onnxruntime/index.js';
import { adam } from '../../src/index.js';

ort.env.wasm.numThreads = 1;

/** Rows of a batch for the small network. */
export const BATCH = 8;
/** The models of a small network. */
export const smallModels = makeTrainingModels(makeMlp([20, 16, 4], createRandom(3)), { batch: BATCH });

/** Released after all tests of a file. */
export const sessions: ort.InferenceSession[] = [];
afterAll(async () => {
  for (const session of sessions) await session.release();
});

/** A session that is released after all tests: on a device, or on the CPU. */
export async function openOnnx(
  model: Uint8Array<ArrayBuffer>,
  device?: GPUDevice,
): Promise<ort.InferenceSession> {
  const provider = device ? { name: 'webgpu' as string, device } : 'wasm';
  const session = await ort.InferenceSession.create(model, { executionProviders: [provider] });
  sessions.push(session);
  return session;
}

/** The weights that a model of them gives. */
export async function initialWeights(model = smallModels.initial): Promise<Record<string, ort.Tensor>> {
  return await (await openOnnx(model)).run({});
}

/** A trainer of the small network, unless said otherwise, that is destroyed after the test. */
export async function makeTrainer(
  device: GPUDevice,
  config: Partial<OnnxTrainerConfig> = {},
  model: Uint8Array | ort.InferenceSession = smallModels.training,
): Promise<OnnxTrainer> {
  const parameters = await initialWeights();
  const trainer = await OnnxTrainer.create(ort, model, { rule: adam(), parameters, device, ...config });
  onTestFinished(() => trainer.destroy());
  return trainer;
}

function tensor(dims: readonly number[], value: (i: number) => number): ort.Tensor {
  const data = Float32Array.from({ length: dims.reduce((product, n) => product * n, 1) }, (_, i) => value(i));
  return new ort.Tensor('float32', data, dims);
}

/** A batch for the small network. */
export function smallBatch(seed: number, rows = BATCH): Record<string, ort.Tensor> {
  const random = createRandom(seed);
  return {
    x: tensor([rows, 20], () => 2 * random() - 1),
    labels: tensor([rows, 4], (i) => (i % 4 === (i >> 2) % 3 ? 1 : 0)),
  };
}

/** Whether this library made a GPU object, by itself or its descriptor. */
export const isOurs = (about: unknown): boolean =>
  String((about as GPUObjectDescriptorBase).label).startsWith('webgpu-optim');

/** What tensors hold, wherever they lie. */
export async function read(
  tensors: Readonly<Record<string, ort.Tensor>>,
): Promise<Record<string, Float32Array>> {
  const entries = Object.entries(tensors).map(
    async ([name, one]) => [name, (await one.getData()) as Float32Array] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}
