import type { GpuSession } from '../gpu-session.js';
import type { LearningRates } from '../presets.js';
import type { Model, Task } from '../../../lab/tasks/task.js';

/** A task in a session. */
export interface OpenTask {
  readonly task: Task;
  readonly batchSize: number;
  /** What learns, in a few words. */
  readonly network: string;
  /** Shows on the page what the networks make of examples. Waits for the GPU. */
  show(models: readonly Model[]): Promise<void>;
}

/** Something to learn, as the page has it. */
export interface PageTask {
  readonly title: string;
  /** Steps of a run, when nobody says otherwise. */
  readonly steps: number;
  readonly learningRates: LearningRates;
  /** The unit in which losses are shown, and how many of it a nat is. */
  readonly lossUnit: string;
  readonly lossPerNat: number;
  /** A loss to compare with, in `lossUnit`; only once loaded. */
  readonly baseline?: () => { readonly label: string; readonly loss: number };
  /** Fetches the data; once, however often it is called. */
  load(): Promise<void>;
  /** Puts the data on the GPU. The task is the caller's to destroy. */
  open(session: GpuSession): Promise<OpenTask>;
  /** Takes back what `show` showed. */
  clear(): void;
}
