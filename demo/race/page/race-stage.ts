import { type DemoDevice, openDevice } from '../../site/webgpu.js';
import { Race } from '../gpu/race.js';
import type { RacerSpec } from '../racer-spec.js';
import type { RaceSetup } from '../setup.js';
import { type Colours, Renderer } from '../view/renderer.js';
import { Driver, type DriverListener } from './driver.js';

/** The device, what is drawn with it, and the race that is on: one at a time. */
export class RaceStage {
  #race: Race | undefined;
  /** Counts the races asked for: only the last one is shown. */
  #asked = 0;
  #loading: Promise<void> = Promise.resolve();

  private constructor(
    private readonly demoDevice: DemoDevice,
    private readonly renderer: Renderer,
    readonly driver: Driver,
  ) {}

  /**
   * Opens a device and draws on the canvas from then on.
   *
   * @throws WebGpuUnavailableError, or what else keeps it from drawing; the GPU is free then.
   */
  static async open(
    canvas: HTMLCanvasElement,
    colours: Colours,
    leavesTrails: boolean,
    listener: DriverListener,
  ): Promise<RaceStage> {
    const demoDevice = await openDevice('race device', (error) => listener.failed(error));
    try {
      const renderer = await Renderer.create(demoDevice.device, canvas, colours);
      if (demoDevice.failure) throw demoDevice.failure;
      return new RaceStage(demoDevice, renderer, new Driver(renderer, leavesTrails, listener));
    } catch (error) {
      const cause = await demoDevice.causeOf(error);
      demoDevice.close();
      throw cause;
    }
  }

  get adapterName(): string {
    return this.demoDevice.adapterName;
  }

  /** The race that is on. */
  get race(): Race | undefined {
    return this.#race;
  }

  /**
   * Sets up a race in place of the one that is on.
   *
   * @param stops see {@link Driver.take}.
   * @returns the race, or nothing if another one was asked for meanwhile.
   * @throws what {@link Race.create} throws; the race before is gone then, too.
   */
  async load(setup: RaceSetup, stops: readonly number[]): Promise<Race | undefined> {
    const number = ++this.#asked;
    const before = this.#loading;
    const loading = before.then(() => (number === this.#asked ? this.#load(setup, stops) : undefined));
    this.#loading = loading.then(
      () => undefined,
      () => undefined,
    );
    return loading;
  }

  /** Gives one racer other options, while the race goes on. */
  async change(index: number, spec: RacerSpec): Promise<void> {
    await this.#race?.racers[index]?.change(spec);
  }

  setColours(colours: Colours): void {
    this.renderer.setColours(colours);
    this.driver.redraw();
  }

  /** What an error on this stage comes from: the device's failure, if it has one. */
  async causeOf(error: unknown): Promise<unknown> {
    return await this.demoDevice.causeOf(error);
  }

  /** Frees the GPU. */
  close(): void {
    this.#asked++;
    this.driver.destroy();
    this.renderer.destroy();
    this.#race?.destroy();
    this.#race = undefined;
    this.demoDevice.close();
  }

  async #load(setup: RaceSetup, stops: readonly number[]): Promise<Race> {
    this.driver.release();
    this.#race?.destroy();
    this.#race = undefined;
    const race = await Race.create(this.demoDevice.device, setup);
    try {
      await this.renderer.show(race);
    } catch (error) {
      race.destroy();
      throw error;
    }
    this.#race = race;
    this.driver.take(race, stops);
    return race;
  }
}
