import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import type { onnx } from 'onnx-proto';
import { createCommand } from '../scripts/terminal/command-line.js';
import { putWeights } from '../src/adapters/onnxruntime/put-weights.js';
import { MANIFEST, nameOfTensor } from '../src/checkpoint/manifest.js';
import { type SafetensorsFile, readSafetensors } from '../src/safetensors/read.js';
import { readBytes } from './read-file.js';
import { readModel } from './read-model.js';
import { type Shape, showShape } from './tensor.js';

/** `webgpu-optim-onnx put`: trained weights into the inference model that they were trained from. */
export function putCommand(): Command {
  return createCommand('put')
    .description('Puts trained weights into the inference model; all else of it stays as it is.')
    .argument('<model>', 'the ONNX file that was trained')
    .argument(
      '<weights>',
      "safetensors: a checkpoint that saveCheckpoint() wrote of the trainer's optimizer, or tensors named as the initializers",
    )
    .requiredOption('--out <file>', 'where to write the model')
    .action(async (modelFile: string, weightsFile: string, { out }: { out: string }) => {
      const model = await readBytes(modelFile, 'an ONNX file');
      const shapes = shapesOf(readModel(modelFile, model));
      const weights = await readWeights(weightsFile, shapes);
      const made = putWeights(model, weights);
      await mkdir(dirname(out), { recursive: true });
      await writeFile(out, made);
      console.log(
        `${out}: ${made.length} bytes, ${Object.keys(weights).length} tensors from "${weightsFile}"`,
      );
    });
}

const shapesOf = ({ graph }: onnx.IModelProto): ReadonlyMap<string, Shape> =>
  new Map(graph!.initializer?.map(({ name, dims }) => [name!, (dims ?? []).map(Number)]));

/** @param shapes those of the model's initializers. What an optimizer saves has forgotten them, and lies as it is trained. */
async function readWeights(
  path: string,
  shapes: ReadonlyMap<string, Shape>,
): Promise<Record<string, Float32Array>> {
  const bytes = await readBytes(path, 'a file of safetensors');
  const { metadata, tensors } = await openWeights(path, bytes);
  // Beside the weights, a checkpoint has the optimizer's state.
  const isCheckpoint = MANIFEST in metadata;
  const prefix = isCheckpoint ? nameOfTensor('') : '';
  const weights: Record<string, Float32Array> = {};
  for (const [name, tensor] of tensors) {
    if (!name.startsWith(prefix)) continue;
    if (tensor.dtype !== 'F32') {
      throw new Error(`Tensor "${name}" of "${path}" is of ${tensor.dtype}; weights are of F32.`);
    }
    const own = name.slice(prefix.length);
    const shape = isCheckpoint ? undefined : shapes.get(own);
    if (shape && showShape(shape) !== showShape(tensor.shape)) {
      throw new Error(
        `Tensor "${own}" of "${path}" has shape ${showShape(tensor.shape)}, and the model's has ${showShape(shape)}; transpose or ` +
          'reshape it.',
      );
    }
    weights[own] = new Float32Array((await tensor.bytes()).buffer);
  }
  return weights;
}

async function openWeights(path: string, bytes: Uint8Array): Promise<SafetensorsFile> {
  try {
    return await readSafetensors(bytes);
  } catch (cause) {
    throw new Error(`"${path}": ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
