/** ONNX models on the CPU, in Node: the oracle for graphs that are to run on a GPU. */
import * as ort from 'onnxruntime-web';
import type { Shape, Weight } from '../../onnx/tensor.js';

/** Float32 tensors by name. */
export type Weights = Record<string, Weight>;

/** Tensors by name, of int64, too. */
export type Feeds = Record<string, Weight | { readonly dims: Shape; readonly data: BigInt64Array }>;

/** Opens a model on the CPU for `use`, which may run it many times. */
export async function withCpuModel<T>(
  model: Uint8Array<ArrayBuffer>,
  use: (run: (feeds: Feeds) => Promise<Weights>) => Promise<T>,
): Promise<T> {
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
  try {
    return await use(async (feeds) => {
      const tensors = Object.entries(feeds).map(([name, { dims, data }]) => {
        const isLong = data instanceof BigInt64Array;
        const tensor = isLong
          ? new ort.Tensor('int64', data, dims)
          : new ort.Tensor('float32', data as Float32Array, dims);
        return [name, tensor] as const;
      });
      const outputs = Object.entries(await session.run(Object.fromEntries(tensors)));
      return Object.fromEntries(
        outputs.map(([name, { dims, data }]) => [name, { dims, data: data as Float32Array<ArrayBuffer> }]),
      );
    });
  } finally {
    await session.release();
  }
}
