/**
 * Networks as PyTorch exports them, in opsets 9 to 20: the gradients that onnx/ appends are those of PyTorch's own autograd; see
 * test/fixtures/recorded/onnx/export.py.
 */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { encode } from '../../onnx/training-graph.js';
import type { Array64 } from '../support/onnx-arrays.js';
import { evaluate } from '../support/onnx-evaluate.js';
import { FLOAT32_ERROR, type Recorded, difference, withGradients } from '../support/onnx-exported.js';
import { withCpuModel } from '../support/onnx-run.js';

/** Exported constants (an epsilon, √2) are off by half an ULP of float32; nothing else is. */
const FLOAT64_ERROR = 2 ** -24;

const folder = 'test/fixtures/recorded/onnx';

test.each([
  ['lenet', 8],
  ['resnet', 20],
  ['text-classifier', 7],
  ['transformer-13', 18],
  ['transformer-17', 18],
  ['transformer-20', 18],
  ['decoder', 10],
])('%s: the gradients of %i weights', async (name, weightCount) => {
  const file = await readFile(`${folder}/${name}.onnx`);
  const recorded = JSON.parse(await readFile(`${folder}/${name}.json`, 'utf8')) as Recorded;
  const { model, weights, isTokens } = withGradients(file, recorded);
  const { x, seed } = recorded;
  expect(weights.size).toBe(weightCount);
  const wanted = Object.entries({ y: recorded.y, ...recorded.gradients }).map(
    ([value, numbers]) => [value === 'y' ? value : `${value}_grad`, numbers] as const,
  );

  const wide = ({ dims, data }: { dims: readonly number[]; data: ArrayLike<number> }): Array64 => ({
    dims,
    data: Float64Array.from(data),
  });
  const initial = Object.fromEntries([...weights].map(([weight, value]) => [weight, wide(value)]));
  const values = evaluate(model, { x: wide(x), seed: wide(seed), ...initial });
  for (const [value, numbers] of wanted) {
    expect(values[value]!.dims, value).toEqual(numbers.dims);
    expect(difference(values[value]!.data, numbers), value).toBeLessThan(FLOAT64_ERROR);
  }

  await withCpuModel(encode(model), async (run) => {
    const outputs = await run({
      x: isTokens
        ? { dims: x.dims, data: BigInt64Array.from(x.data, BigInt) }
        : { dims: x.dims, data: Float32Array.from(x.data) },
      seed: { dims: seed.dims, data: Float32Array.from(seed.data) },
      ...Object.fromEntries(weights),
    });
    for (const [value, numbers] of wanted)
      expect(difference(outputs[value]!.data, numbers), value).toBeLessThan(FLOAT32_ERROR);
  });
});
