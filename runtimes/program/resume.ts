import {
  type CheckpointSink,
  type OptimizerConfig,
  Optimizer,
  adamw,
  type loadCheckpoint,
  saveCheckpoint,
  schedules,
} from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';

type Source = Parameters<typeof loadCheckpoint>[1];

/** A place for a file: where it is written to, and read from. */
export interface Storage {
  readonly sink: Exclude<CheckpointSink, string>;
  /** Opens what was written. */
  open(): Promise<{ source: Source; close(): Promise<void> }>;
}

const ELEMENTS = 1029;
const HALF = 10;
const SKIPPED_STEP = 6;

/** A run: its own buffers on a device. */
class Run {
  private constructor(
    readonly device: GPUDevice,
    readonly gradients: GPUBuffer,
    readonly optimizer: Optimizer,
  ) {}

  /** @param checkpoint where it begins; absent: at the start. */
  static async open(device: GPUDevice, checkpoint?: Source): Promise<Run> {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const make = (label: string): GPUBuffer => device.createBuffer({ label, size: 4 * ELEMENTS, usage });
    const [weights, gradients] = [make('weights'), make('gradients')];
    const config: OptimizerConfig = {
      rule: adamw({ lr: schedules.cosine({ lr: 0.01, tMax: 2 * HALF }) }),
      params: [{ name: 'w', data: weights, grad: gradients }],
      maxGradNorm: 1,
      skipNonFinite: true,
      ema: { decay: 0.9 },
    };
    // What is restored brings its weights along.
    if (checkpoint !== undefined) {
      return new Run(device, gradients, await Optimizer.restore(device, config, checkpoint));
    }
    device.queue.writeBuffer(weights, 0, new Random(2).weights(ELEMENTS));
    return new Run(device, gradients, await Optimizer.create(device, config));
  }

  steps(from: number, to: number): void {
    for (let step = from; step < to; step++) {
      const values = new Random(100 + step).gradients(ELEMENTS);
      if (step === SKIPPED_STEP) values[5] = NaN;
      this.device.queue.writeBuffer(this.gradients, 0, values);
      this.optimizer.step();
    }
  }

  /** Weights, state, count, and what the last step came to. */
  async read(): Promise<Record<string, Float32Array>> {
    const { optimizer } = this;
    const slots = ['exp_avg', 'exp_avg_sq', 'ema', 'step'] as const;
    const states = slots.map(async (slot) => [slot, await optimizer.readState('w', slot)] as const);
    const { step, skipped, gradNorm, clipFactor, lr } = await optimizer.stats();
    return {
      weights: await optimizer.readParam('w'),
      ...Object.fromEntries(await Promise.all(states)),
      stats: Float32Array.of(step, skipped, gradNorm, clipFactor, lr),
    };
  }
}

/** Deno ends the process where a device is asked about an adapter that the garbage collector has. */
const adapters: GPUAdapter[] = [];

async function requestDevice(gpu: GPU, label: string): Promise<GPUDevice> {
  const adapter = await gpu.requestAdapter();
  if (adapter) adapters.push(adapter);
  else throw new Error(`There is no adapter for another device, "${label}".`);
  return await adapter.requestDevice({ label });
}

/**
 * Twenty steps in one go, and ten, a checkpoint, a new device and ten more: by bytes, and by a file.
 *
 * @returns what runs were resumed from.
 * @throws Error if the bits are not the same.
 */
export async function checkResume(gpu: GPU, storage: Storage): Promise<string[]> {
  const device = await requestDevice(gpu, 'first');
  const straight = await Run.open(device);
  straight.steps(0, 2 * HALF);
  const want = await straight.read();
  if (want['step']![0] !== 2 * HALF - 1) throw new Error(`${want['step']![0]} steps were made, not 19`);
  const stopped = await Run.open(device);
  stopped.steps(0, HALF);
  const { bytes } = await saveCheckpoint(stopped.optimizer, 'bytes');
  await saveCheckpoint(stopped.optimizer, storage.sink);
  device.destroy();

  const newDevice = await requestDevice(gpu, 'second');
  const goOn = async (source: Source, from: string): Promise<string> => {
    const resumed = await Run.open(newDevice, source);
    resumed.steps(HALF, 2 * HALF);
    for (const [name, got] of Object.entries(await resumed.read())) {
      const difference = bitDifference(got, want[name]!);
      if (difference !== undefined) throw new Error(`resumed from ${from}, ${name}: ${difference}`);
    }
    return from;
  };
  const file = await storage.open();
  try {
    return [await goOn(bytes, 'bytes'), await goOn(file.source, 'a file')];
  } finally {
    await file.close();
    newDevice.destroy();
  }
}
