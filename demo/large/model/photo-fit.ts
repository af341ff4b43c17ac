import { Optimizer, ParameterArena, type Parameter, type Rule } from '../../../src/index.js';
import { allocate } from '../../site/webgpu.js';
import { type ModelBuffers, createBuffers, denseViews, gridWords } from './buffers.js';
import { type ModelCommands, prepareCommands } from './commands.js';
import { dispatch } from '../../shared/kernels.js';
import { layoutOf } from '../../../src/kernel/rule-layout.js';
import { FLOATS, type ModelDtypes } from './dtypes.js';
import { FEATURES } from './levels.js';
import { type ModelPlan, reasonAgainst } from './plan.js';
import { Reader } from '../../shared/reader.js';
import { seedTables, seedWords } from './seed-tables.js';
import { type StepParts, StepTimer } from './step-timer.js';

/** What a fit starts from. */
export interface FitOptions {
  readonly plan: ModelPlan;
  /** RGBA, 8 bits each, one word per pixel, row after row. */
  readonly photo: Uint32Array<ArrayBuffer>;
  /** A rule without norms per tensor: those take no sparse gradients. */
  readonly rule: Rule;
  /** Decides first values and batches; an integer in [0, 2⁵³). */
  readonly seed: number;
  /** How its numbers are kept; default as float32. */
  readonly dtypes?: ModelDtypes;
}

interface Destroyable {
  destroy(): void;
}

/**
 * A hash grid with a small network behind it that learns a photograph: tables, batches, gradients, optimizer and the
 * picture, all on the GPU. A step creates no GPU object but its command buffer.
 */
export class PhotoFit {
  readonly #batchWords: Uint32Array<ArrayBuffer>;
  #stepCount = 0;

  private constructor(
    private readonly device: GPUDevice,
    /** Its layout. */
    readonly plan: ModelPlan,
    /** What the kernels read and write. */
    readonly buffers: ModelBuffers,
    /** The network's weights, and the levels with dense gradients. */
    readonly arena: ParameterArena,
    /** Steps everything; its learning rate may be set at any time. */
    readonly optimizer: Optimizer,
    private readonly commands: ModelCommands,
    private readonly timer: StepTimer | undefined,
    private readonly batchReader: Reader,
    private readonly pictureErrorReader: Reader,
    private readonly pictureReader: Reader,
    private readonly owned: readonly Destroyable[],
    seed: number,
  ) {
    this.#batchWords = Uint32Array.of(...seedWords(seed), 0, 0, plan.shape.width * plan.shape.height, 0);
  }

  /**
   * Allocates and compiles everything. Nothing is left on the GPU if it fails.
   *
   * @throws Error if the device's limits forbid the plan or it is out of memory, OptimizerError likewise.
   */
  static async create(
    device: GPUDevice,
    { plan, photo, rule, seed, dtypes = FLOATS }: FitOptions,
  ): Promise<PhotoFit> {
    const reason = reasonAgainst(plan, device.limits);
    if (reason !== undefined) throw new Error(`The model is too large: ${reason}. Choose a smaller table.`);
    const owned: Destroyable[] = [];
    const own = <T extends Destroyable>(resource: T): T => {
      owned.push(resource);
      return resource;
    };
    try {
      const arena = own(await createArena(device, plan, seed, dtypes));
      const { buffers, batchReader, pictureErrorReader, pictureReader, timer } = await allocate(
        device,
        () => ({
          buffers: createBuffers(device, plan, dtypes.weights, owned as GPUBuffer[]),
          batchReader: own(new Reader(device, 4, 'large batch error')),
          pictureErrorReader: own(new Reader(device, 4, 'large picture error')),
          pictureReader: own(new Reader(device, 4 * photo.length, 'large picture')),
          timer: device.features.has('timestamp-query') ? own(new StepTimer(device)) : undefined,
        }),
      );
      device.queue.writeBuffer(buffers.grid, 0, gridWords(plan));
      device.queue.writeBuffer(buffers.photo, 0, photo);
      const unused = { table: buffers.sparseTable, gradients: buffers.fixed };
      const views = denseViews(arena, plan, unused);
      const [commands, optimizer] = await Promise.all([
        prepareCommands(device, plan, buffers, views, dtypes.weights),
        Optimizer.create(device, {
          rule,
          params: parameters(arena, plan, buffers, dtypes),
          label: 'large',
          ...(layoutOf(rule).slots.length > 0 && { stateDtype: dtypes.state }),
        }).then(own),
      ]);
      await seedTables(
        device,
        [
          ...(plan.denseEntries > 0 ? [{ table: views.table, before: 0 }] : []),
          { table: { buffer: buffers.sparseTable }, before: plan.denseEntries },
        ],
        seed,
        dtypes.weights,
      );
      return new PhotoFit(
        device,
        plan,
        buffers,
        arena,
        optimizer,
        commands,
        timer,
        batchReader,
        pictureErrorReader,
        pictureReader,
        owned,
        seed,
      );
    } catch (error) {
      for (const resource of owned) resource.destroy();
      throw error;
    }
  }

  /** Steps made so far. */
  get stepCount(): number {
    return this.#stepCount;
  }

  /** Tiles of the whole picture. */
  get tileCount(): number {
    const { width, height, batch } = this.plan.shape;
    return Math.ceil((width * height) / batch);
  }

  /**
   * Submits one step: gradients of a random batch, and the optimizer's update.
   *
   * @param onParts gets the step's times, if the device tells and the last times are read; then only is it called.
   */
  step(onParts?: (parts: StepParts) => void): void {
    const timer = onParts && this.timer?.isBusy === false ? this.timer : undefined;
    const encoder = this.device.createCommandEncoder({ label: 'large step' });
    this.#encodeGradients(encoder, timer);
    this.optimizer.encode(encoder);
    timer?.finish(encoder);
    this.device.queue.submit([encoder.finish()]);
    this.#stepCount++;
    if (timer && onParts) void reportTimes(timer, onParts);
  }

  /** Submits the gradients of the next step's batch, and no update: for tests. */
  computeGradients(): void {
    const encoder = this.device.createCommandEncoder({ label: 'large gradients' });
    this.#encodeGradients(encoder, undefined);
    this.device.queue.submit([encoder.finish()]);
  }

  /** Submits a tile of the picture; its squared errors are added to those of the tiles since tile 0. */
  paintTile(tile: number): void {
    this.#writeBatch(tile * this.plan.shape.batch);
    const encoder = this.device.createCommandEncoder({ label: 'large paint' });
    if (tile === 0) encoder.clearBuffer(this.buffers.pictureError);
    const pass = encoder.beginComputePass({ label: 'large paint' });
    dispatch(pass, this.commands.paint);
    pass.end();
    this.device.queue.submit([encoder.finish()]);
  }

  /** PSNR in dB of the picture as it was painted last, over all pixels and channels. */
  async picturePsnr(): Promise<number> {
    const { width, height } = this.plan.shape;
    return psnr(await this.pictureErrorReader.read(this.buffers.pictureError), width * height);
  }

  /** The picture as it was painted last: RGBA, 8 bits each, row after row. */
  async readPicture(): Promise<ArrayBuffer> {
    return this.pictureReader.read(this.buffers.picture);
  }

  /** PSNR in dB of the last batch, before its step. */
  async batchPsnr(): Promise<number> {
    return psnr(await this.batchReader.read(this.buffers.batchError), this.plan.shape.batch);
  }

  /** Frees everything on the GPU but the device. */
  destroy(): void {
    for (const resource of this.owned) resource.destroy();
  }

  #encodeGradients(encoder: GPUCommandEncoder, timer: StepTimer | undefined): void {
    this.#writeBatch(0);
    encoder.clearBuffer(this.buffers.batchError);
    encoder.clearBuffer(this.buffers.peaks);
    for (const part of ['forward', 'backward'] as const) {
      const timestampWrites = timer && { timestampWrites: timer.around(part) };
      const pass = encoder.beginComputePass({ label: `large ${part}`, ...timestampWrites });
      dispatch(pass, this.commands[part]);
      pass.end();
    }
  }

  #writeBatch(firstPixel: number): void {
    this.#batchWords[2] = this.#stepCount;
    this.#batchWords[3] = firstPixel;
    this.device.queue.writeBuffer(this.buffers.batch, 0, this.#batchWords);
  }
}

/** The peak is 1. */
function psnr(bytes: ArrayBuffer, pixelCount: number): number {
  return -10 * Math.log10(new Float32Array(bytes)[0]! / (3 * pixelCount));
}

async function reportTimes(timer: StepTimer, onParts: (parts: StepParts) => void): Promise<void> {
  try {
    const parts = await timer.read();
    if (parts) onParts(parts);
  } catch {
    // Destroyed or lost while the read was under way: whoever did that knows.
  }
}

/** The tables begin as zeros here; {@link seedTables} fills them. */
function createArena(
  device: GPUDevice,
  plan: ModelPlan,
  seed: number,
  { weights: dtype }: ModelDtypes,
): Promise<ParameterArena> {
  const layers = plan.layers.flatMap(({ inputs, outputs }, k) => [
    [`weights${k}`, { shape: [inputs, outputs], init: 'kaiming' }] as const,
    [`bias${k}`, { shape: [outputs] }] as const,
  ]);
  const table = plan.denseEntries > 0 ? { table: { shape: [plan.denseEntries, FEATURES], dtype } } : {};
  return ParameterArena.create(device, { ...Object.fromEntries(layers), ...table }, { seed, label: 'large' });
}

function parameters(
  arena: ParameterArena,
  plan: ModelPlan,
  buffers: ModelBuffers,
  { weights: dtype }: ModelDtypes,
): Parameter[] {
  if (plan.sparseEntries === 0) return [...arena.params];
  const { sparseTable: data, indices, values } = buffers;
  const length = FEATURES * plan.sparseEntries;
  const grad = { indices, values };
  return [...arena.params, { name: 'sparseTable', dtype, data, length, rowLength: FEATURES, grad }];
}
