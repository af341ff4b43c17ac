/**
 * Networks as PyTorch exports them for one example, trained in batches of three, by each loss: losses and gradients are those of
 * PyTorch's own autograd; see test/fixtures/recorded/onnx/fixed.py.
 */
import { readFile } from 'node:fs/promises';
import onnxProto from 'onnx-proto';
import { expect, test } from 'vitest';
import type { LossOptions } from '../../onnx/losses/registry.js';
import { readModel } from '../../onnx/read-model.js';
import { encode, makeTrainingModels } from '../../onnx/training-graph.js';
import { putWeights } from '../../src/adapters/onnxruntime/index.js';
import { evaluate } from '../support/onnx-evaluate.js';
import { type Feeds, withCpuModel } from '../support/onnx-run.js';

interface Numbers {
  readonly dims: number[];
  readonly data: number[];
}

interface Recorded {
  readonly x: Numbers;
  readonly labels: Numbers;
  readonly loss: number;
  readonly gradients: Readonly<Record<string, Numbers>>;
}

/** Of the largest number, as in onnx-exported.test.ts; 1/3, the share of a row, is rounded to float32, too. */
const FLOAT64_ERROR = 2 ** -23;
const FLOAT32_ERROR = 32 * 2 ** -24;

const classes: LossOptions = { labelType: 'int64' };

test.for<[string, LossOptions]>([
  ['fixed-pictures', classes],
  ['fixed-pictures-18', { loss: 'bce' }],
  ['fixed-pictures-half', { loss: 'mse' }],
  ['fixed-language', classes],
  ['fixed-language-18', classes],
])('%s', async ([name, options]) => {
  const path = `test/fixtures/recorded/onnx/${name}`;
  const file = await readFile(`${path}.onnx`);
  const { x, labels, loss, gradients } = JSON.parse(await readFile(`${path}.json`, 'utf8')) as Recorded;
  const weights = Object.keys(gradients);
  expect(weights.length).toBeGreaterThan(5);
  const models = makeTrainingModels(readModel(name, file), { batch: 3, weights, ...options });

  const { graph, ...model } = onnxProto.onnx.ModelProto.decode(models.training);
  const long: number = onnxProto.onnx.TensorProto.DataType.INT64;
  const isLong = (input: string): boolean =>
    graph!.input!.find((value) => value.name === input)!.type!.tensorType!.elemType === long;
  const initial = await withCpuModel(models.initial, async (run) => await run({}));
  const numbers: Record<string, Numbers> = { x, labels };
  const feeds: Feeds = { ...initial };
  for (const [input, { dims, data }] of Object.entries(numbers)) {
    feeds[input] = {
      dims,
      data: isLong(input) ? BigInt64Array.from(data, BigInt) : Float32Array.from(data),
    } as Feeds[string];
  }

  const check = (actual: Readonly<Record<string, { data: ArrayLike<number> }>>, error: number): void => {
    expect(Math.abs(actual['loss']!.data[0]! - loss) / loss, 'loss').toBeLessThan(error);
    for (const [weight, { data }] of Object.entries(gradients)) {
      const found = actual[`${weight}_grad`]!.data;
      expect(found.length).toBe(data.length);
      const largest = Math.max(...data.map((value) => Math.abs(value)));
      const off = Math.max(...data.map((value, i) => Math.abs(value - found[i]!)));
      expect(off / largest, weight).toBeLessThan(error);
    }
  };
  const wide = Object.entries({ ...initial, ...numbers }).map(
    ([input, { dims, data }]) => [input, { dims, data: Float64Array.from(data) }] as const,
  );
  check(evaluate({ ...model, graph: graph! }, Object.fromEntries(wide)), FLOAT64_ERROR);
  await withCpuModel(models.training, async (run) => check(await run(feeds), FLOAT32_ERROR));

  // Weights that have not changed, put back, change nothing that is computed.
  const put = putWeights(file, Object.fromEntries(weights.map((weight) => [weight, initial[weight]!.data])));
  const [before, after] = [file, put].map((bytes) => encode(onnxProto.onnx.ModelProto.decode(bytes)));
  expect(Buffer.compare(before!, after!)).toBe(0);
});
