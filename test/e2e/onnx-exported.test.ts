/** Gradients of networks that PyTorch exported, by ONNX Runtime on WebGPU; test/unit/onnx-exported.test.ts has them on the CPU. */
import * as ort from 'onnxruntime-web/webgpu';
import { expect } from 'vitest';
import { encode } from '../../onnx/training-graph.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { FLOAT32_ERROR, type Recorded, difference, withGradients } from '../support/onnx-exported.js';
import { openOnnx } from '../support/onnx-trainer.js';

const files = import.meta.glob<string>('../fixtures/recorded/onnx/*.onnx', {
  query: '?url',
  import: 'default',
  eager: true,
});
const records = import.meta.glob<Recorded>('../fixtures/recorded/onnx/*.json', { import: 'default' });

// A network takes ten seconds, most of them for shaders: one in a run.
for (const name of drawn(['lenet', 'resnet', 'text-classifier', 'transformer-17', 'decoder'], 5)) {
  gpuTest(`${name}: gradients on WebGPU are those of PyTorch`, async ({ device }) => {
    const place = `../fixtures/recorded/onnx/${name}`;
    const file = new Uint8Array(await (await fetch(files[`${place}.onnx`]!)).arrayBuffer());
    const recorded = await records[`${place}.json`]!();
    const { model, weights, isTokens } = withGradients(file, recorded);
    const { x, seed, gradients } = recorded;
    const session = await openOnnx(encode(model), device);
    const outputs = await session.run({
      x: isTokens
        ? new ort.Tensor('int64', BigInt64Array.from(x.data, BigInt), x.dims)
        : new ort.Tensor('float32', Float32Array.from(x.data), x.dims),
      seed: new ort.Tensor('float32', Float32Array.from(seed.data), seed.dims),
      ...Object.fromEntries(
        [...weights].map(([key, { dims, data }]) => [key, new ort.Tensor('float32', data, dims)]),
      ),
    });
    for (const [weight, numbers] of Object.entries(gradients)) {
      const actual = (await outputs[`${weight}_grad`]!.getData()) as Float32Array;
      expect(difference(actual, numbers), weight).toBeLessThan(FLOAT32_ERROR);
    }
  });
}
