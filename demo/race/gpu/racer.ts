import { Optimizer } from '../../../src/index.js';
import { allocate } from '../../site/webgpu.js';
import { type RacerSpec, learningRateOf, ruleOf } from '../racer-spec.js';

/** The one parameter of a racer's optimizer: all of its particles. */
const PARTICLES = 'particles';

/** One optimizer on its way: its particles are one parameter tensor, x and y side by side. */
export class Racer {
  /** Of x and y, f32. */
  readonly positions: GPUBuffer;
  readonly gradients: GPUBuffer;
  #optimizer!: Optimizer;
  #spec: RacerSpec;
  /** Settles when the last change of the optimizer has. */
  #changing: Promise<void> = Promise.resolve();
  #destroyed = false;

  private constructor(
    private readonly device: GPUDevice,
    spec: RacerSpec,
    start: Float32Array<ArrayBuffer>,
  ) {
    this.#spec = spec;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const create = (what: string): GPUBuffer =>
      device.createBuffer({ label: `racer ${what}`, size: start.byteLength, usage });
    this.positions = create('positions');
    this.gradients = create('gradients');
    device.queue.writeBuffer(this.positions, 0, start);
  }

  /**
   * Puts particles at the start.
   *
   * @throws OptimizerError if the spec is not allowed, Error if the GPU is out of memory; nothing is left then.
   */
  static async create(device: GPUDevice, spec: RacerSpec, start: Float32Array<ArrayBuffer>): Promise<Racer> {
    let racer!: Racer;
    try {
      await allocate(device, () => (racer = new Racer(device, spec, start)));
      racer.#optimizer = await racer.#createOptimizer(spec);
    } catch (error) {
      racer.#freeBuffers();
      throw error;
    }
    return racer;
  }

  /** What it runs with now. */
  get spec(): RacerSpec {
    return this.#spec;
  }

  /** Its optimizer, for its state and learning rate. */
  get optimizer(): Optimizer {
    return this.#optimizer;
  }

  /**
   * Goes on from here with other options. A learning rate is set as it is; anything else makes a new optimizer, whose
   * state starts fresh.
   *
   * @throws OptimizerError if the spec is not allowed; the racer goes on as before then.
   */
  change(spec: RacerSpec): Promise<void> {
    const change = this.#changing.then(() => this.#change(spec));
    this.#changing = change.catch(() => undefined);
    return change;
  }

  /** Encodes one step of the optimizer. */
  encode(encoder: GPUCommandEncoder): void {
    this.#optimizer.encode(encoder);
  }

  /** A slot of the optimizer's state: a number per coordinate of every particle. */
  readState(slot: string): Promise<Float32Array> {
    return this.#optimizer.readState(PARTICLES, slot);
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#optimizer.destroy();
    this.#freeBuffers();
  }

  async #change(spec: RacerSpec): Promise<void> {
    if (this.#destroyed) return;
    if (isOnlyAnotherRate(this.#spec, spec)) {
      this.#optimizer.lr = learningRateOf(spec);
    } else {
      const next = await this.#createOptimizer(spec);
      // The race may have ended meanwhile, and this racer with it.
      if (this.#destroyed) return next.destroy();
      this.#optimizer.destroy();
      this.#optimizer = next;
    }
    this.#spec = spec;
  }

  #createOptimizer(spec: RacerSpec): Promise<Optimizer> {
    return Optimizer.create(this.device, {
      label: `racer ${spec.rule}`,
      rule: ruleOf(spec),
      params: [{ name: PARTICLES, data: this.positions, grad: this.gradients }],
    });
  }

  #freeBuffers(): void {
    this.positions.destroy();
    this.gradients.destroy();
  }
}

function isOnlyAnotherRate(a: RacerSpec, b: RacerSpec): boolean {
  const rest = ({ rule, options }: RacerSpec): string => {
    const entries = Object.entries(options).filter(([name]) => name !== 'lr');
    return JSON.stringify([rule, entries.toSorted(([x], [y]) => (x < y ? -1 : 1))]);
  };
  return rest(a) === rest(b);
}
