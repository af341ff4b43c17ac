import type { Photo } from '../../shared/photo.js';
import { nextPortion } from '../../shared/portion.js';
import { PausableRun } from '../../site/pausable-run.js';
import type { DemoDevice } from '../../site/webgpu.js';
import type { SplatPlan } from '../model/plan.js';
import { SplatFit } from '../model/splat-fit.js';
import { type Settings, planFor } from '../settings.js';
import { Picture } from './picture.js';

/** Between two pictures. */
const PICTURE_GAP_MS = 400;
/** Of the newest portion in the time per step. */
const NEWEST_WEIGHT = 0.2;

/** What is known after a portion of steps. */
export interface Progress {
  readonly step: number;
  /** Splats, and how many there is room for without new buffers. */
  readonly count: number;
  readonly room: number;
  /** Of a step of both runs. */
  readonly msPerStep: number;
  /** Of the steps since the last report. */
  readonly kept: Float32Array;
  readonly dropped: Float32Array;
}

/** Where the two runs' pictures go. */
export interface Canvases {
  readonly kept: HTMLCanvasElement;
  readonly dropped: HTMLCanvasElement;
}

/** Two fits of one seed, step by step side by side: one keeps the optimizer's state at densifications, the other drops it. */
export class PageRun extends PausableRun {
  #stepsPerPortion = 1;
  #msPerStep: number | undefined;
  /** Losses that have been reported. */
  #known = 0;

  private constructor(
    private readonly device: GPUDevice,
    private readonly fits: readonly [SplatFit, SplatFit],
    private readonly pictures: readonly [Picture, Picture],
    private readonly report: (progress: Progress) => void,
  ) {
    super();
  }

  /** Allocates and compiles everything. Nothing is left on the GPU if it fails. */
  static async create(
    { device }: DemoDevice,
    canvases: Canvases,
    photo: Photo,
    settings: Settings,
    report: (progress: Progress) => void,
  ): Promise<PageRun> {
    const options = { plan: planFor(settings), photo: photo.pixels, seed: settings.seed };
    const kept = await SplatFit.create(device, { ...options, keepsState: true });
    let dropped: SplatFit | undefined;
    try {
      dropped = await SplatFit.create(device, { ...options, keepsState: false });
      const pictures = [new Picture(canvases.kept, photo), new Picture(canvases.dropped, photo)] as const;
      return new PageRun(device, [kept, dropped], pictures, report);
    } catch (error) {
      kept.destroy();
      dropped?.destroy();
      throw error;
    }
  }

  /** The course of both. */
  get plan(): SplatPlan {
    return this.fits[0].plan;
  }

  /**
   * Fits until done or stopped. Everything on the GPU is freed when the promise settles, also when it fails.
   *
   * @returns whether it came to its end.
   */
  async run(): Promise<boolean> {
    try {
      const { steps } = this.plan.shape;
      let nextPicture = 0;
      while (!this.isStopped && this.fits[0].stepCount < steps) {
        await this.ready();
        if (this.isStopped) break;
        await this.#portion(Math.min(this.#stepsPerPortion, steps - this.fits[0].stepCount));
        if (performance.now() < nextPicture) continue;
        await this.#showPictures();
        nextPicture = performance.now() + PICTURE_GAP_MS;
      }
      if (this.isStopped) return false;
      // The last update shows in no step's loss.
      for (const fit of this.fits) fit.render();
      await this.#tell(steps + 1);
      await this.#showPictures();
      return !this.isStopped;
    } finally {
      for (const fit of this.fits) fit.destroy();
    }
  }

  /** Steps of both fits, submitted with the next frame, of which a hidden tab has none. */
  async #portion(steps: number): Promise<void> {
    await new Promise(requestAnimationFrame);
    if (this.isStopped) return;
    const start = performance.now();
    for (let k = 0; k < steps; k++) {
      for (const fit of this.fits) fit.step();
    }
    await this.device.queue.onSubmittedWorkDone();
    const ms = performance.now() - start;
    this.#stepsPerPortion = nextPortion(steps, ms);
    const newest = ms / steps;
    this.#msPerStep =
      this.#msPerStep === undefined ? newest : this.#msPerStep + NEWEST_WEIGHT * (newest - this.#msPerStep);
    await Promise.all(this.fits.map((fit) => fit.settled));
    await this.#tell(this.fits[0].stepCount);
  }

  /** Reports the losses up to the one before `end`. */
  async #tell(end: number): Promise<void> {
    const first = this.#known;
    if (first === end) return;
    const [kept, dropped] = await Promise.all([
      this.fits[0].readLosses(first, end),
      this.fits[1].readLosses(first, end),
    ]);
    this.#known = end;
    if (this.isStopped) return;
    const { stepCount: step, count, buffers } = this.fits[0];
    this.report({ step, count, room: buffers.room, msPerStep: this.#msPerStep ?? 0, kept, dropped });
    if (![...kept, ...dropped].every(Number.isFinite)) {
      throw new Error('The error is no number any more. Choose fewer splats, or another seed.');
    }
  }

  async #showPictures(): Promise<void> {
    const pixels = await Promise.all(this.fits.map((fit) => fit.readPicture()));
    if (this.isStopped) return;
    this.pictures.forEach((picture, k) => picture.show(pixels[k]!));
  }
}
