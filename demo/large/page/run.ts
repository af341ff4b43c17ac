import { nextPortion } from '../../shared/portion.js';
import { PausableRun } from '../../site/pausable-run.js';
import type { DemoDevice } from '../../site/webgpu.js';
import type { StepParts } from '../model/step-timer.js';
import { PhotoFit } from '../model/photo-fit.js';
import type { Photo } from '../../shared/photo.js';
import { type Settings, planFor, ruleFor } from '../settings.js';
import { PictureView } from './picture-view.js';
import type { ViewFrame } from './view-frame.js';

/** Painting may take this share of the time, at most. */
const PAINT_SHARE = 0.25;
/** Between two pictures, however fast they are painted. */
const LEAST_PAINT_GAP_MS = 200;
/** Of the newest portion in the time per step. */
const NEWEST_WEIGHT = 0.2;

/** Who hears how a run goes. */
export interface RunListener {
  /** After each portion of steps. */
  stepped(step: number, msPerStep: number): void;
  /** The GPU's own times of a step. */
  timed(parts: StepParts): void;
  /** A whole picture is painted. */
  painted(step: number, psnr: number): void;
}

/** One fit on the page: steps, and a picture now and then, until it is stopped. */
export class PageRun extends PausableRun {
  private msPerStep: number | undefined;
  private stepsPerPortion = 1;
  private tilesPerPortion = 1;
  private paintMs = Infinity;

  private constructor(
    private readonly device: GPUDevice,
    /** What is fitted. */
    readonly fit: PhotoFit,
    private readonly view: PictureView,
    private readonly listener: RunListener,
    private readonly frame: () => ViewFrame,
  ) {
    super();
  }

  /** Allocates and compiles everything. Nothing is left on the GPU if it fails. */
  static async create(
    { device }: DemoDevice,
    canvas: HTMLCanvasElement,
    photo: Photo,
    settings: Settings,
    listener: RunListener,
    frame: () => ViewFrame,
  ): Promise<PageRun> {
    const { rule, lr, seed, weights, state } = settings;
    const plan = planFor(settings);
    const fit = await PhotoFit.create(device, {
      plan,
      photo: photo.pixels,
      rule: ruleFor(rule, lr),
      seed,
      dtypes: { weights, state },
    });
    try {
      return new PageRun(device, fit, new PictureView(canvas, photo), listener, frame);
    } catch (error) {
      fit.destroy();
      throw error;
    }
  }

  /** Fits until stopped. Everything on the GPU is freed when the promise settles, also when it fails. */
  async run(): Promise<void> {
    try {
      while (!this.isStopped) {
        await this.paint();
        let trainedMs = 0;
        const gap = Math.max(LEAST_PAINT_GAP_MS, this.paintMs * (1 / PAINT_SHARE - 1));
        while (!this.isStopped && trainedMs < gap) {
          await this.ready();
          if (this.isStopped) break;
          trainedMs += await this.train();
        }
      }
    } finally {
      this.fit.destroy();
    }
  }

  /** Draws the picture as it was painted last. */
  redraw(): void {
    if (!this.isStopped) this.view.draw(this.frame());
  }

  /** A portion of steps; returns its milliseconds. */
  private async train(): Promise<number> {
    const steps = this.stepsPerPortion;
    const ms = await this.portion(() => {
      // One step of a portion is timed: reading the clocks back is not free.
      for (let k = 0; k < steps; k++) {
        if (k === steps - 1) this.fit.step((parts) => !this.isStopped && this.listener.timed(parts));
        else this.fit.step();
      }
    });
    this.stepsPerPortion = nextPortion(steps, ms);
    const newest = ms / steps;
    this.msPerStep =
      this.msPerStep === undefined ? newest : this.msPerStep + NEWEST_WEIGHT * (newest - this.msPerStep);
    if (this.isStopped) return ms;
    this.listener.stepped(this.fit.stepCount, this.msPerStep);
    if (Number.isNaN(await this.fit.batchPsnr())) {
      throw new Error('The error is no number any more: the learning rate is too high. Try a tenth of it.');
    }
    return ms;
  }

  /** The whole picture, in portions of tiles; what is painted shows at once. */
  private async paint(): Promise<void> {
    const step = this.fit.stepCount;
    let [tile, total] = [0, 0];
    while (tile < this.fit.tileCount && !this.isStopped) {
      const end = Math.min(this.fit.tileCount, tile + this.tilesPerPortion);
      const count = end - tile;
      const ms = await this.portion(() => {
        for (; tile < end; tile++) this.fit.paintTile(tile);
      });
      total += ms;
      this.tilesPerPortion = nextPortion(count, ms);
      if (this.isStopped) return;
      this.view.update(await this.fit.readPicture());
      this.redraw();
    }
    this.paintMs = total;
    const psnr = await this.fit.picturePsnr();
    if (!this.isStopped) this.listener.painted(step, psnr);
  }

  /** Submits with the next frame, of which a hidden tab has none, and waits until the GPU is done. */
  private async portion(submit: () => void): Promise<number> {
    await new Promise(requestAnimationFrame);
    if (this.isStopped) return 0;
    const start = performance.now();
    submit();
    await this.device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  }
}
