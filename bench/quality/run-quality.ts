import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import * as tf from '@tensorflow/tfjs-core';
import { TASKS, type TaskFiles } from './tasks.js';
import { type Run, trainOnce } from './train-once.js';
import type { Variant } from './variants.js';

export { TASKS } from './tasks.js';
export { RULE_VARIANTS, VARIANTS } from './variants.js';

/** What is to be run: each variant with each seed. */
export interface QualityRequest {
  readonly gpu: GPU;
  readonly files: TaskFiles;
  readonly task: string;
  readonly variants: readonly Variant[];
  readonly seeds: number;
  readonly firstSeed: number;
  /** Of the first step, in place of the task's. */
  readonly lr: number | undefined;
  readonly onRun: (run: Run) => void;
}

/** Trains a task in each variant with each seed, all of a seed's behind one another. */
export async function runQuality(request: QualityRequest): Promise<void> {
  const { gpu, files, task: name, variants, seeds, firstSeed, lr, onRun } = request;
  await tf.setBackend('cpu');
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('requestAdapter() gave null: Node found no Vulkan driver that Dawn can use.');
  const device = await adapter.requestDevice({ label: 'quality' });
  const known = TASKS[name]!;
  const settings = { ...known, lr: lr ?? known.lr };
  const task = settings.open(files);
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    for (const variant of variants) onRun(await trainOnce(device, task, settings, variant, seed));
  }
  task.destroy();
  device.destroy();
}
