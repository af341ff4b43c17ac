/** In place of `@tensorflow/tfjs`: the parts of it that are installed, with a record of all losses. */
import '@tensorflow/tfjs-backend-webgpu';
import { type Scalar, type Variable, Optimizer, backend, clone, keep, memory } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { type LiveBuffers, watchBuffers } from '../../test/support/live-buffers.js';

export * from '@tensorflow/tfjs-core';
export * from '@tensorflow/tfjs-layers';

/** What is alive as a step ends. */
export interface Alive {
  readonly tensors: number;
  /** Buffers that this package made. */
  readonly buffers: number;
}

/** What a page reports once it has made the steps that it was asked for. */
export interface ProgramRecord {
  readonly losses: readonly number[];
  readonly first: Alive;
  readonly last: Alive;
}

const losses: Promise<number>[] = [];
let buffers: LiveBuffers | undefined;
// Copies of losses that are being read.
let reading = 0;

function alive(): Alive {
  const ours = buffers!.labels.filter((label) => label.startsWith('webgpu-optim'));
  return { tensors: memory().numTensors - reading, buffers: ours.length };
}

async function read(loss: Scalar): Promise<number> {
  const copy = keep(clone(loss));
  reading++;
  const [value] = await copy.data();
  copy.dispose();
  reading--;
  return value!;
}

/** Records the steps of all optimizers from now on, and gives the record of the first so many. */
export async function recordSteps(steps: number): Promise<ProgramRecord> {
  buffers = watchBuffers((backend() as unknown as { device: GPUDevice }).device);
  const minimize: Optimizer['minimize'] = Reflect.get(Optimizer.prototype, 'minimize');
  const all: Alive[] = [];
  await new Promise<void>((resolve) => {
    Optimizer.prototype.minimize = function minimizeRecorded(
      f: () => Scalar,
      returnCost = false,
      variables?: Variable[],
    ): Scalar | null {
      const loss = minimize.call(this, f, true, variables)!;
      if (all.length < steps) {
        losses.push(read(loss));
        if (!returnCost) loss.dispose();
        all.push(alive());
        if (all.length === steps) resolve();
      }
      if (returnCost) return loss;
      loss.dispose();
      return null;
    };
  });
  return { losses: await Promise.all(losses), first: all[0]!, last: all.at(-1)! };
}
