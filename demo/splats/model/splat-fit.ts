import { Optimizer } from '../../../src/index.js';
import { dispatch } from '../../shared/kernels.js';
import { Reader } from '../../shared/reader.js';
import { allocate } from '../../site/webgpu.js';
import {
  type PictureBuffers,
  type SplatBuffers,
  createPictureBuffers,
  createSplatBuffers,
} from './buffers.js';
import { type StepCommands, StepBinder } from './commands.js';
import { Densifier } from './densifier.js';
import { type FieldName, dataOf, fieldNames, gradientOf, parameterOf } from './fields.js';
import { firstSplats } from './first-splats.js';
import { type Densification, type SplatPlan, reasonAgainst, roomFor } from './plan.js';
import { course, rates, rule } from './rates.js';
import { PrefixSums } from './scan.js';

/** What a fit starts from. */
export interface SplatFitOptions {
  readonly plan: SplatPlan;
  /** RGBA, 8 bits each, one word per pixel, row after row. */
  readonly photo: Uint32Array<ArrayBuffer>;
  /** Decides the first splats; an integer in [0, 2³²). */
  readonly seed: number;
  /** Whether the optimizer's state outlives densifications; else it is dropped at each, and counts of steps begin anew. */
  readonly keepsState: boolean;
}

interface Destroyable {
  destroy(): void;
}

/**
 * Two-dimensional Gaussians that learn a photograph: tiles, picture, gradients, optimizer, densification, all on the GPU. Nothing
 * is read back but what {@link readLosses} and {@link readPicture} are asked for.
 */
export class SplatFit {
  readonly #frame = new Uint32Array(6);
  #stepCount = 0;
  #count: number;
  #buffers: SplatBuffers;
  #commands: StepCommands;
  #mapped: Promise<void> = Promise.resolve();

  private constructor(
    private readonly device: GPUDevice,
    /** Its size and course. */
    readonly plan: SplatPlan,
    /** Steps all fields. */
    readonly optimizer: Optimizer,
    buffers: SplatBuffers,
    private readonly picture: PictureBuffers,
    private readonly binder: StepBinder,
    private readonly densifier: Densifier,
    private readonly lossReader: Reader,
    private readonly pictureReader: Reader,
    private readonly keepsState: boolean,
    private readonly owned: Destroyable[],
  ) {
    const { shape, tiles, startCount } = plan;
    this.#frame.set([shape.width, shape.height, ...tiles]);
    this.#count = startCount;
    this.#buffers = buffers;
    this.#commands = binder.bind(buffers, startCount);
  }

  /**
   * Allocates and compiles everything. Nothing is left on the GPU if it fails.
   *
   * @throws Error if the device's limits forbid the plan or it is out of memory, OptimizerError likewise.
   */
  static async create(
    device: GPUDevice,
    { plan, photo, seed, keepsState }: SplatFitOptions,
  ): Promise<SplatFit> {
    const reason = reasonAgainst(plan, device.limits);
    if (reason !== undefined) throw new Error(`The splats are too many: ${reason}. Choose fewer.`);
    const owned: Destroyable[] = [];
    const own = <T extends Destroyable>(resource: T): T => {
      owned.push(resource);
      return resource;
    };
    try {
      const { startCount, shape, tiles } = plan;
      const most = Math.max(roomFor(shape.count), tiles[0] * tiles[1]);
      const { buffers, picture, lossReader, pictureReader, compiling } = await allocate(device, () => ({
        buffers: createSplatBuffers(device, plan, roomFor(startCount), owned as GPUBuffer[]),
        picture: createPictureBuffers(device, plan, owned as GPUBuffer[]),
        lossReader: own(new Reader(device, 4 * (shape.steps + 1), 'splats losses')),
        pictureReader: own(new Reader(device, 4 * photo.length, 'splats picture')),
        compiling: PrefixSums.create(device, most, owned as GPUBuffer[]),
      }));
      device.queue.writeBuffer(buffers.splats, 0, firstSplats(plan, photo, seed));
      device.queue.writeBuffer(picture.photo, 0, photo);
      const sums = await compiling;
      const [binder, densifier, optimizer] = await Promise.all([
        StepBinder.create(device, sums, plan, picture),
        Densifier.create(device, sums, picture),
        Optimizer.create(device, {
          rule,
          groups: rates.map(({ names, lr }) => ({
            lr: course(lr, shape.steps),
            params: names.map((name) => parameterOf(name, startCount, buffers, plan)),
          })),
          label: 'splats',
        }).then(own),
      ]);
      return new SplatFit(
        device,
        plan,
        optimizer,
        buffers,
        picture,
        binder,
        densifier,
        lossReader,
        pictureReader,
        keepsState,
        owned,
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

  /** Splats as of now. */
  get count(): number {
    return this.#count;
  }

  /** What has a place per splat; other buffers after growing beyond them. */
  get buffers(): SplatBuffers {
    return this.#buffers;
  }

  /** Settles when the device is known to have had room for all that was asked so far; rejects with what it had against it. */
  get settled(): Promise<void> {
    return this.#mapped;
  }

  /**
   * Submits one step: the gradients of the whole picture, the optimizer's update, and the densification that is planned behind it.
   *
   * @throws OptimizerError once the device has refused a densification.
   */
  step(): void {
    this.computeGradients();
    // Not encoded beside them: of an encoder that is the caller's it cannot know when it is submitted, and what a densification
    // leaves of its state would wait for the garbage collector.
    this.optimizer.step();
    this.#stepCount++;
    const densification = this.plan.densifications.find(({ step }) => step === this.#stepCount);
    if (densification) this.#densify(densification);
  }

  /** Submits the gradients of the next step, and no update. */
  computeGradients(): void {
    this.#encode('gradients', (encoder) => this.#encodeGradients(encoder));
  }

  /** Submits picture and loss of the splats as they are; the loss is that of the step to come. */
  render(): void {
    this.#encode('picture', (encoder) => this.#encodeForward(encoder));
  }

  /**
   * The mean squared errors of steps, from `first` to the one before `end`: each as it was before that step's update.
   *
   * @param first at most the number of steps made, and below `end`.
   */
  async readLosses(first: number, end: number): Promise<Float32Array> {
    return new Float32Array(await this.lossReader.read(this.picture.losses, 4 * first, 4 * (end - first)));
  }

  /** The picture as it was rendered last: RGBA, 8 bits each, row after row. */
  async readPicture(): Promise<ArrayBuffer> {
    return await this.pictureReader.read(this.picture.picture);
  }

  /** Frees everything on the GPU but the device. */
  destroy(): void {
    for (const resource of this.owned) resource.destroy();
  }

  #encode(what: string, encode: (encoder: GPUCommandEncoder) => void): void {
    const { device } = this;
    this.#frame[4] = this.#stepCount;
    device.queue.writeBuffer(this.picture.frame, 0, this.#frame);
    const encoder = device.createCommandEncoder({ label: `splats ${what}` });
    encode(encoder);
    device.queue.submit([encoder.finish()]);
  }

  #encodeForward(encoder: GPUCommandEncoder): void {
    encoder.clearBuffer(this.picture.tileEnds);
    const pass = encoder.beginComputePass({ label: 'splats forward' });
    dispatch(pass, this.#commands.forward);
    pass.end();
  }

  #encodeGradients(encoder: GPUCommandEncoder): void {
    this.#encodeForward(encoder);
    const pass = encoder.beginComputePass({ label: 'splats backward' });
    dispatch(pass, this.#commands.backward);
    pass.end();
  }

  /** All of it is submitted at once; the optimizer's state goes where the map says, and nothing is waited for. */
  #densify(densification: Densification): void {
    const { device, optimizer, densifier } = this;
    const { after } = densification;
    const from = this.#buffers;
    const to =
      after <= from.room
        ? from
        : createSplatBuffers(device, this.plan, roomFor(after), this.owned as GPUBuffer[]);
    densifier.makeMap(from, to, densification);
    const homes = (home: (name: FieldName) => object) =>
      Object.fromEntries(fieldNames.map((name) => [name, home(name)]));
    const mapped = optimizer.mapRows(fieldNames, {
      from: { buffer: to.rowMap, size: 4 * after },
      rowCount: after,
      ...(to !== from && {
        data: homes((name) => dataOf(name, to.splats)) as Record<string, GPUBufferBinding>,
        grad: homes((name) => gradientOf(name, to.gradients)) as Record<string, GPUBufferBinding>,
      }),
    });
    this.#mapped = Promise.all([this.#mapped, mapped]).then(() => undefined);
    // Whoever asks gets it; meanwhile it is nobody's.
    this.#mapped.catch(() => undefined);
    if (!this.keepsState) optimizer.resetState();
    densifier.halve(to, densification);
    const encoder = device.createCommandEncoder({ label: 'splats strains' });
    encoder.clearBuffer(to.strains);
    device.queue.submit([encoder.finish()]);
    if (to !== from) this.#leave(from);
    this.#buffers = to;
    this.#count = after;
    this.#commands = this.binder.bind(to, after);
  }

  /** What is submitted still reads it; nothing else will. */
  #leave({ room: _room, ...buffers }: SplatBuffers): void {
    for (const buffer of Object.values(buffers)) {
      buffer.destroy();
      this.owned.splice(this.owned.indexOf(buffer), 1);
    }
  }
}
