/** A small network for ONNX Runtime, and what the tests of its trainer make of it. */
import * as ort from 'onnxruntime-web/webgpu';
import { onTestFinished } from 'vitest';
import { createRandom } from '../../demo/train/random.js';
import { makeMlp } from '../../scripts/onnx/mlp.js';
import { makeTrainingModels } from '../../scripts/onnx/training-graph.js';
import { OnnxTrainer, type OnnxTrainerConfig } from '../../src/adapters/onnxruntime/index.js';
import { adam } from '../../src/index.js';

ort.env.wasm.numThreads = 1;

const WEBGPU = 'webgpu';

/** Rows of a batch. */
export const BATCH = 8;
/** 20 numbers to 4 classes. */
const small = makeMlp([20, 16, 4], createRandom(3));
/** The network's models, for batches of {@link BATCH}. */
export const smallModels = makeTrainingModels(small, { batch: BATCH });

const sessions: ort.InferenceSession[] = [];

/** Keeps a session for {@link releaseSessions}. */
export function releaseLater(session: ort.InferenceSession): void {
  sessions.push(session);
}

/** Releases all sessions that were opened; call it after all tests. */
export async function releaseSessions(): Promise<void> {
  for (const session of sessions.splice(0)) await session.release();
}

/** A session that {@link releaseSessions} releases: on a device, or on the CPU. */
export async function open(
  model: Uint8Array<ArrayBuffer>,
  device?: GPUDevice,
): Promise<ort.InferenceSession> {
  const provider = device ? { name: WEBGPU, device } : 'wasm';
  const session = await ort.InferenceSession.create(model, { executionProviders: [provider] });
  releaseLater(session);
  return session;
}

/** The weights that a model of initial weights gives; default the small network's. */
export async function initialWeights(model = smallModels.initial): Promise<Record<string, ort.Tensor>> {
  return await (await open(model)).run({});
}

/** A trainer of the small network that is destroyed after the test. */
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

/** What tensors hold, wherever they lie. */
export async function read(
  tensors: Readonly<Record<string, ort.Tensor>>,
): Promise<Record<string, Float32Array>> {
  const entries = Object.entries(tensors).map(
    async ([name, one]) => [name, (await one.getData()) as Float32Array] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}
