import { MAX_RACERS, type RaceSetup, startPositions } from '../setup.js';
import { allocate } from '../../site/webgpu.js';
import { Clock, MAX_STEPS_PER_SUBMISSION } from './clock.js';
import { Differentiator } from './differentiator.js';
import { PositionReader } from './position-reader.js';
import { Racer } from './racer.js';

/** The particles of some optimizers on one surface. All of it stays on the GPU until somebody asks. */
export class Race {
  #step = 0;
  readonly #clock: Clock;
  readonly #reader: PositionReader;
  readonly #groups: readonly GPUBindGroup[];

  private constructor(
    private readonly device: GPUDevice,
    readonly setup: RaceSetup,
    private readonly differentiator: Differentiator,
    readonly racers: readonly Racer[],
  ) {
    this.#clock = new Clock(device);
    this.#reader = new PositionReader(device, racers.length, setup.particles);
    this.#groups = racers.map(({ positions, gradients }) =>
      differentiator.bind(positions, gradients, this.#clock.binding),
    );
  }

  /**
   * Makes everything that the race needs; its steps make nothing.
   *
   * @throws OptimizerError if an optimizer's options are not allowed, Error if there are too many racers or the GPU is out
   *   of memory; nothing is left then.
   */
  static async create(device: GPUDevice, setup: RaceSetup): Promise<Race> {
    if (setup.racers.length > MAX_RACERS) {
      throw new Error(`There are ${setup.racers.length} racers; give ${MAX_RACERS} at most.`);
    }
    const differentiator = await Differentiator.create(device, setup.surface);
    const start = startPositions(setup);
    const outcomes = await Promise.allSettled(setup.racers.map((spec) => Racer.create(device, spec, start)));
    const racers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    try {
      const failed = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failed) throw failed.reason;
      return await allocate(device, () => new Race(device, setup, differentiator, racers));
    } catch (error) {
      for (const racer of racers) racer.destroy();
      throw error;
    }
  }

  /** Steps made so far. */
  get step(): number {
    return this.#step;
  }

  /** Makes some steps, up to {@link MAX_STEPS_PER_SUBMISSION}, of all racers in one submission. */
  advance(count: number): void {
    const steps = Math.min(count, MAX_STEPS_PER_SUBMISSION);
    const encoder = this.device.createCommandEncoder({ label: 'race' });
    this.#clock.set(this.#step, steps);
    for (let k = 0; k < steps; k++) {
      this.differentiator.encode(encoder, this.#groups, this.#clock.offsetOf(k), this.setup.particles);
      for (const racer of this.racers) racer.encode(encoder);
    }
    this.device.queue.submit([encoder.finish()]);
    this.#step += steps;
  }

  /** The positions as they are now, per racer: of all particles, or of the first ones if there are very many. */
  read(): Promise<Float32Array[]> {
    return this.#reader.read(this.racers.map(({ positions }) => positions));
  }

  destroy(): void {
    this.#clock.destroy();
    this.#reader.destroy();
    for (const racer of this.racers) racer.destroy();
  }
}
