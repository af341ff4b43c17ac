/** In place of `@tensorflow/tfjs`: the parts of it that are installed, with a record of all losses. */
import '@tensorflow/tfjs-backend-webgpu';
import * as core from '@tensorflow/tfjs-core';
import { type Scalar, type Variable, Optimizer, backend, clone, io, keep } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import * as layersPackage from '@tensorflow/tfjs-layers';
import { type LiveBuffers, watchBuffers } from '../../test/support/live-buffers.js';
import { standInModel, standIns } from './models.js';
import type { Alive, ProgramRecord } from './report.js';

export * from '@tensorflow/tfjs-core';
export * from '@tensorflow/tfjs-layers';
export * as data from '@tensorflow/tfjs-data';
export { recorded as memory, gradientsOf as variableGrads, load as loadLayersModel };

const losses: Promise<number>[] = [];
let buffers: LiveBuffers | undefined;
let isRecording = false;
// Copies of losses that are being read.
let reading = 0;

/** Without what the record keeps. */
function recorded(): core.MemoryInfo {
  const memory = core.memory();
  return { ...memory, numTensors: memory.numTensors - reading };
}

function alive(): Alive {
  const ours = buffers!.labels.filter((label) => label.startsWith('webgpu-optim'));
  return { tensors: recorded().numTensors, buffers: ours.length };
}

async function read(loss: Scalar): Promise<number> {
  const copy = keep(clone(loss));
  reading++;
  const [value] = await copy.data();
  copy.dispose();
  reading--;
  return value!;
}

/** Some programs take gradients themselves, for `applyGradients`. */
function gradientsOf(f: () => Scalar, variables?: Variable[]): ReturnType<typeof core.variableGrads> {
  const given = core.variableGrads(f, variables);
  if (isRecording) losses.push(read(given.value));
  return given;
}

async function load(
  from: string | io.IOHandler,
  options?: io.LoadOptions,
): Promise<layersPackage.LayersModel> {
  const isElsewhere = typeof from === 'string' && /^https?:/.test(from);
  return isElsewhere ? standInModel(from) : await layersPackage.loadLayersModel(from, options);
}

// What programs for Node write goes nowhere.
io.registerSaveRouter((url) =>
  typeof url === 'string' && url.startsWith('file://')
    ? {
        save: async () => ({
          modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' as const },
        }),
      }
    : (null as never),
);

/** Records the steps of all optimizers from now on, and gives the record of the first so many. */
export async function recordSteps(steps: number): Promise<ProgramRecord> {
  buffers = watchBuffers((backend() as unknown as { device: GPUDevice }).device);
  const minimize: Optimizer['minimize'] = Reflect.get(Optimizer.prototype, 'minimize');
  // What every optimizer calls at the end of its step.
  const count = Reflect.get(Optimizer.prototype, 'incrementIterations') as () => void;
  const all: Alive[] = [];
  // Of several optimizers, the last one to begin is what all that lives waits for.
  const met = new Set<Optimizer>();
  let first = 0;
  let isMinimizing = false;
  isRecording = true;
  await new Promise<void>((resolve) => {
    const end = (optimizer: Optimizer): void => {
      if (!isRecording) return;
      if (!met.has(optimizer)) first = all.length;
      met.add(optimizer);
      all.push(alive());
      if (all.length < steps) return;
      isRecording = false;
      resolve();
    };
    Reflect.set(Optimizer.prototype, 'incrementIterations', function countRecorded(this: Optimizer) {
      count.call(this);
      if (!isMinimizing) end(this);
    });
    Optimizer.prototype.minimize = function minimizeRecorded(
      f: () => Scalar,
      returnCost = false,
      variables?: Variable[],
    ): Scalar | null {
      isMinimizing = true;
      const loss = minimize.call(this, f, true, variables)!;
      isMinimizing = false;
      if (isRecording) losses.push(read(loss));
      if (!returnCost) loss.dispose();
      end(this);
      return returnCost ? loss : null;
    };
  });
  return { losses: await Promise.all(losses), steps, standIns, first: all[first]!, last: all.at(-1)! };
}
