import { Random } from '../../proof/random.js';
import {
  Optimizer,
  OptimizerError,
  type OptimizerErrorCode,
  type StateDict,
  adam,
  loadCheckpoint,
  saveCheckpoint,
} from '../../src/index.js';
import { type ChangingTensor, change, makeTensors, parameterOf } from '../support/changing-run.js';
import { type LiveObjects, countObjects } from './live-objects.js';

/** What is alive behind so many steps. */
export interface Sample {
  readonly step: number;
  readonly buffers: number;
  readonly bufferBytes: number;
  /** Bind groups, pipelines and other objects of WebGPU. */
  readonly others: number;
  /** Promises of the library that had not settled yet, before they were waited for. */
  readonly pending: number;
  readonly heapBytes: number;
}

/** What `npm run soak` was asked for. */
export interface SoakOptions {
  readonly steps: number;
  readonly seed: number;
  readonly gpu: GPU;
  /** Collects garbage. */
  readonly collect: () => void;
  readonly onSample: (sample: Sample) => void;
}

const TENSORS = 12;
const SAMPLES = 100;
/** One of so many steps comes with a change. */
const CHANGE_SHARE = 3;
/** Promises that nobody waits for, until somebody waits for all. */
const MOST_PENDING = 40;
/** Of one, all may not be gone that only others of what it found referred to. */
const LEAST_COLLECTIONS = 3;
const MOST_COLLECTIONS = 20;
/** What a checkpoint or a dict may be refused with when the run was changed since it was saved. */
const MISFITS: ReadonlySet<OptimizerErrorCode> = new Set(['invalid-state-dict', 'invalid-checkpoint']);

/** Steps one run for long, with everything changing. @returns what was alive on the way. */
export async function soak({ steps, seed, gpu, collect, onSample }: SoakOptions): Promise<Sample[]> {
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('requestAdapter() gave null: Node found no Vulkan driver that Dawn can use.');
  const device = await adapter.requestDevice({ label: 'soak' });
  const problems: string[] = [];
  device.addEventListener('uncapturederror', ({ error }) => problems.push(error.message));
  const live = countObjects(device);
  const random = new Random(seed);
  const run = await SoakRun.create(device, random);
  const samples: Sample[] = [];
  const every = Math.max(1, Math.floor(steps / SAMPLES));
  for (let step = 0; step <= steps; step++) {
    if (step % every === 0) {
      const pending = run.pendingCount;
      await run.settle();
      await collectAll(live, collect);
      const { buffers, bufferBytes, others } = live;
      const heapBytes = process.memoryUsage().heapUsed;
      samples.push({ step, buffers, bufferBytes, others, pending, heapBytes });
      onSample(samples.at(-1)!);
    }
    if (run.pendingCount > MOST_PENDING) await run.settle();
    // As a page that draws between its steps.
    else if (step % 16 === 0) await new Promise((resolve) => setTimeout(resolve));
    run.advance();
    if (problems.length > 0) throw new Error(`The device reported at step ${step}: ${problems[0]}`);
  }
  await run.settle();
  run.destroy();
  device.destroy();
  return samples;
}

/** Collects garbage until no more of what a device made is found in it. */
async function collectAll(live: LiveObjects, collect: () => void): Promise<void> {
  for (let [round, before] = [0, Infinity]; round < MOST_COLLECTIONS; round++) {
    collect();
    // What was collected is told of in a turn of its own.
    await new Promise((resolve) => setTimeout(resolve, 10));
    const left = live.buffers + live.others;
    if (round >= LEAST_COLLECTIONS && left >= before) return;
    before = left;
  }
}

/** One optimizer, from the first step to the last, and what is done with it. */
class SoakRun {
  readonly #pending = new Set<Promise<void>>();
  #failure: unknown;
  /** Groups that are on their way. */
  #joining = 0;
  #checkpoint: Uint8Array<ArrayBuffer> | undefined;
  #dict: StateDict | undefined;

  private constructor(
    private readonly device: GPUDevice,
    private readonly random: Random,
    private readonly tensors: readonly ChangingTensor[],
    private readonly optimizer: Optimizer,
  ) {}

  static async create(device: GPUDevice, random: Random): Promise<SoakRun> {
    const tensors = makeTensors(device, (each) => each, random, TENSORS);
    const config = { rule: adam({ lr: 0.01 }), label: 'soaked', ...SETTINGS };
    const groups = [0, 1, 2].map((g) => ({
      params: tensors.filter((_, k) => k % 3 === g).map((tensor) => parameterOf(tensor)),
    }));
    return new SoakRun(device, random, tensors, await Optimizer.create(device, { ...config, groups }));
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Makes a step, and perhaps a change before it. */
  advance(): void {
    const { random, optimizer, tensors } = this;
    if (random.integer(CHANGE_SHARE) === 0) this.#change();
    const isRested = tensors.every(({ isThere, isFrozen }) => isFrozen || !isThere);
    if (isRested) this.#unfreeze();
    if (random.integer(8) === 0) {
      const encoder = this.device.createCommandEncoder({ label: 'caller' });
      optimizer.encode(encoder);
      this.device.queue.submit([encoder.finish()]);
    } else optimizer.step(random.integer(8) === 0 ? { skip: [this.#pick().name] } : undefined);
  }

  /** Waits for all that is under way. @throws what went wrong that was not to go wrong. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending);
    await this.device.queue.onSubmittedWorkDone();
    if (this.#failure) throw this.#failure;
  }

  destroy(): void {
    this.optimizer.destroy();
  }

  #change(): void {
    const { optimizer, random, tensors } = this;
    switch (random.integer(16)) {
      case 0:
        return this.#note(saveCheckpoint(optimizer, 'bytes').then(({ bytes }) => (this.#checkpoint = bytes)));
      case 1:
        if (!this.#checkpoint) return undefined;
        return this.#note(loadCheckpoint(optimizer, this.#checkpoint, { strict: false }), MISFITS);
      case 2:
        return this.#note(optimizer.stateDict().then((dict) => (this.#dict = dict)));
      case 3:
        if (!this.#dict) return undefined;
        return this.#note(optimizer.loadStateDict(this.#dict, { strict: false }), MISFITS);
      case 4:
        optimizer.swapEma();
        return optimizer.swapEma();
      case 5:
        optimizer.eval();
        this.#note(optimizer.readParam(this.#pick().name));
        return optimizer.train();
      case 6:
        this.#note(optimizer.stats());
        return this.#note(optimizer.norms());
      case 7:
        this.#note(optimizer.readState(this.#pick().name, 'exp_avg'));
        optimizer.gradScale = random.pick([1, 0.5]);
        return optimizer.zeroGrad();
      case 8:
        if (this.#joining > 0) return undefined;
        this.#joining++;
        return this.#note(
          optimizer
            .addGroup({ params: [this.#pick().name], lr: random.pick([0.01, 0.02]) })
            .finally(() => this.#joining--),
        );
      default: {
        // Some of these are refused, or refuse it, until it is there.
        if (this.#joining > 0) return undefined;
        const made = change(optimizer, tensors, random);
        if (made) this.#note(made);
      }
    }
  }

  #pick(): ChangingTensor {
    return this.random.pick(this.tensors.filter(({ isThere }) => isThere));
  }

  #unfreeze(): void {
    const there = this.tensors.filter(({ isThere }) => isThere);
    this.optimizer.unfreeze(there.map(({ name }) => name));
    for (const tensor of there) tensor.isFrozen = false;
  }

  /** Nobody waits for it before {@link settle}. */
  #note(promise: Promise<unknown>, allowed: ReadonlySet<OptimizerErrorCode> = new Set()): void {
    const noted = promise.then(
      () => undefined,
      (error: unknown) => {
        if (error instanceof OptimizerError && allowed.has(error.code)) return;
        this.#failure ??= error;
      },
    );
    this.#pending.add(noted);
    void noted.finally(() => this.#pending.delete(noted));
  }
}

const SETTINGS = {
  skipNonFinite: true,
  maxGradNorm: 1,
  ema: { decay: 0.9 },
  lossScale: { init: 8, growthInterval: 50 },
} as const;
