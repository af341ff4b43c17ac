import philoxWgsl from '../../../shaders/philox.wgsl?raw';
import wordsWgsl from '../../../shaders/words.wgsl?raw';
import batchWgsl from '../shaders/batch.wgsl?raw';
import encodeWgsl from '../shaders/encode.wgsl?raw';
import gridWgsl from '../shaders/grid.wgsl?raw';
import layerBackwardWgsl from '../shaders/layer-backward.wgsl?raw';
import layerForwardWgsl from '../shaders/layer-forward.wgsl?raw';
import layerWeightsWgsl from '../shaders/layer-weights.wgsl?raw';
import layerWgsl from '../shaders/layer.wgsl?raw';
import lossWgsl from '../shaders/loss.wgsl?raw';
import paintWgsl from '../shaders/paint.wgsl?raw';
import pixelsWgsl from '../shaders/pixels.wgsl?raw';
import scatterWgsl from '../shaders/scatter.wgsl?raw';
import sumErrorsWgsl from '../shaders/sum-errors.wgsl?raw';
import { type DenseViews, type ModelBuffers, ROWS_PER_PART } from './buffers.js';
import { type Command, command, compilerFor, gridFor } from '../../shared/kernels.js';
import type { LayerShape, ModelPlan } from './plan.js';

/** The prepared dispatches of a step and of a painted tile; none is made later. */
export interface ModelCommands {
  /** Batch, encoding, network, loss. */
  readonly forward: readonly Command[];
  /** The gradients of network and tables, from the last batch. */
  readonly backward: readonly Command[];
  /** A tile of the picture, from the pixel that the uniform `batch` names. */
  readonly paint: readonly Command[];
}

import { type ModelDtypes, entryWgsl } from './dtypes.js';
const compile = compilerFor('large');

/** Workgroups that share a level's table or a batch; what is more is looped over. */
const MAX_WORKGROUPS = 1024;

/** Compiles the kernels, all at once, and binds them. */
export async function prepareCommands(
  device: GPUDevice,
  plan: ModelPlan,
  buffers: ModelBuffers,
  views: DenseViews,
  dtype: ModelDtypes['weights'],
): Promise<ModelCommands> {
  const { batch, grid, photo, picture, pixels, errors, batchError, pictureError } = whole(buffers);
  const activations = buffers.activations.map(binding);
  const derivatives = buffers.derivatives.map(binding);
  const [features, y] = [activations[0]!, activations.at(-1)!];
  const pixelCount = plan.shape.batch;

  const source = async (entryPoint: string): Promise<Command> => {
    const kernel = await compile(device, entryPoint, [batchWgsl, wordsWgsl, philoxWgsl, pixelsWgsl]);
    return command(device, kernel, { 0: batch, 1: pixels }, gridFor(pixelCount));
  };
  const encode = async (): Promise<Command> => {
    const kernel = await compile(
      device,
      'encode',
      [entryWgsl(dtype), gridWgsl, encodeWgsl],
      levelConstants(plan),
    );
    const resources = { 0: grid, 1: pixels, 2: views.table, 3: whole(buffers).sparseTable, 4: features };
    return command(device, kernel, resources, gridFor(pixelCount * plan.levels.length));
  };
  const forwardLayer = async (layer: LayerShape, k: number): Promise<Command> => {
    const constants = { ...layerConstants(layer), IS_RECTIFIED: Number(layer.isRectified) };
    const kernel = await compile(device, 'layer_forward', [layerWgsl, layerForwardWgsl], constants);
    const { weights, bias } = views.layers[k]!;
    const resources = { 0: activations[k]!, 1: weights, 2: bias, 3: activations[k + 1]! };
    return command(device, kernel, resources, gridFor((pixelCount / 4) * (layer.outputs / 4)));
  };
  const loss = async (): Promise<Command> => {
    const kernel = await compile(device, 'loss', [lossWgsl]);
    const resources = { 0: pixels, 1: photo, 2: y, 3: derivatives.at(-1)!, 4: errors };
    return command(device, kernel, resources, gridFor(pixelCount));
  };
  const paint = async (): Promise<Command> => {
    const kernel = await compile(device, 'paint', [batchWgsl, paintWgsl]);
    const resources = { 0: batch, 1: photo, 2: y, 3: picture, 4: errors };
    return command(device, kernel, resources, gridFor(pixelCount));
  };
  const total = async (to: GPUBindingResource): Promise<Command> =>
    command(device, await compile(device, 'sum_errors', [sumErrorsWgsl]), { 0: errors, 1: to }, [1, 1]);
  const backwardLayer = async (layer: LayerShape, k: number): Promise<Command[]> => {
    const constants = layerConstants(layer);
    const parts = Math.ceil(pixelCount / ROWS_PER_PART);
    const columns = layer.outputs / 4;
    const partials = whole(buffers).partials;
    const [x, dy, { weights, weightGradients, biasGradients }] = [
      activations[k]!,
      derivatives[k + 1]!,
      views.layers[k]!,
    ];
    const [partial, sum, input] = await Promise.all([
      compile(device, 'partial_sums', [layerWgsl, layerWeightsWgsl], { ...constants, ROWS: ROWS_PER_PART }),
      compile(device, 'sum', [layerWgsl, layerWeightsWgsl], { ...constants, PARTS: parts }),
      // The features come from no rectifier, what the other layers get does.
      compile(device, 'layer_backward', [layerWgsl, layerBackwardWgsl], {
        ...constants,
        IS_RECTIFIED: Number(k > 0),
      }),
    ]);
    return [
      command(
        device,
        partial,
        { 0: x, 1: dy, 2: partials },
        gridFor(parts * columns * (layer.inputs / 4 + 1)),
      ),
      command(
        device,
        sum,
        { 3: partials, 4: weightGradients, 5: biasGradients },
        gridFor(columns * (layer.inputs + 1)),
      ),
      command(
        device,
        input,
        { 0: dy, 1: weights, 2: x, 3: derivatives[k]! },
        gridFor((pixelCount / 4) * (layer.inputs / 4)),
      ),
    ];
  };

  const [draw, list, encoding, layers, lossCommand, painting, toBatch, toPicture, backwardLayers, tables] =
    await Promise.all([
      source('draw'),
      source('list'),
      encode(),
      Promise.all(plan.layers.map(forwardLayer)),
      loss(),
      paint(),
      total(batchError),
      total(pictureError),
      Promise.all(plan.layers.map(backwardLayer)),
      prepareTables(device, plan, buffers, views),
    ]);
  return {
    forward: [draw, encoding, ...layers, lossCommand, toBatch],
    backward: [...backwardLayers.toReversed().flat(), ...tables],
    paint: [list, encoding, ...layers, painting, toPicture],
  };
}

/** From the features' gradients to those of the tables. */
async function prepareTables(
  device: GPUDevice,
  plan: ModelPlan,
  buffers: ModelBuffers,
  views: DenseViews,
): Promise<Command[]> {
  const { grid, pixels, peaks, fixed, indices, values } = whole(buffers);
  const features = binding(buffers.derivatives[0]!);
  const { firstSparse, levels } = plan;
  const pixelCount = plan.shape.batch;
  const kernels = await Promise.all(
    ['peak', 'scatter', 'settle'].map((entryPoint) =>
      compile(device, entryPoint, [gridWgsl, scatterWgsl], levelConstants(plan)),
    ),
  );
  const [peak, scatter, settle] = kernels as [(typeof kernels)[0], (typeof kernels)[0], (typeof kernels)[0]];
  const scattering = command(
    device,
    scatter,
    { 0: grid, 1: pixels, 2: features, 3: peaks, 4: fixed, 5: indices, 6: values },
    gridFor(pixelCount * levels.length),
  );
  if (firstSparse === 0) return [scattering];
  const share = (count: number): number => Math.min(gridFor(count)[0], MAX_WORKGROUPS);
  const largest = Math.max(...levels.slice(0, firstSparse).map(({ entryCount }) => entryCount));
  return [
    command(device, peak, { 1: pixels, 2: features, 3: peaks }, [share(pixelCount), firstSparse]),
    scattering,
    command(device, settle, { 0: grid, 1: pixels, 3: peaks, 4: fixed, 7: views.tableGradients }, [
      share(2 * largest),
      firstSparse,
    ]),
  ];
}

function layerConstants({ inputs, outputs }: LayerShape): Record<string, number> {
  return { INPUTS: inputs, OUTPUTS: outputs };
}

function levelConstants({ levels, firstSparse }: ModelPlan): Record<string, number> {
  return { LEVEL_COUNT: levels.length, FIRST_SPARSE: firstSparse };
}

const binding = (buffer: GPUBuffer): GPUBufferBinding => ({ buffer });

/** All of each buffer, as a binding. */
function whole(buffers: ModelBuffers): Record<keyof ModelBuffers, GPUBufferBinding> {
  return Object.fromEntries(
    Object.entries(buffers)
      .filter(([, buffer]) => buffer instanceof GPUBuffer)
      .map(([name, buffer]) => [name, { buffer: buffer as GPUBuffer }]),
  ) as Record<keyof ModelBuffers, GPUBufferBinding>;
}
