import { Reader } from '../../shared/reader.js';

/** Milliseconds of the parts of one step, on the GPU. */
export interface StepParts {
  readonly forward: number;
  readonly backward: number;
  readonly optimizer: number;
}

const STAMPS = 5;

/** Takes the time of single steps by the GPU's own clock. */
export class StepTimer {
  readonly #querySet: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #reader: Reader;

  /** @param device must have the feature `timestamp-query`. */
  constructor(device: GPUDevice) {
    this.#querySet = device.createQuerySet({
      label: 'large step times',
      type: 'timestamp',
      count: STAMPS,
    });
    this.#resolved = device.createBuffer({
      label: 'large step times',
      size: 8 * STAMPS,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    this.#reader = new Reader(device, 8 * STAMPS, 'large step times');
  }

  /** Whether the last times are still being read. */
  get isBusy(): boolean {
    return this.#reader.isBusy;
  }

  /** For the descriptor of a pass: writes the times of its beginning and end. */
  around(part: 'forward' | 'backward'): GPUComputePassTimestampWrites {
    const first = part === 'forward' ? 0 : 2;
    return {
      querySet: this.#querySet,
      beginningOfPassWriteIndex: first,
      endOfPassWriteIndex: first + 1,
    };
  }

  /** Notes the end of the step; the optimizer's pass is its own, so an empty one stands behind it. */
  finish(encoder: GPUCommandEncoder): void {
    const timestampWrites = { querySet: this.#querySet, endOfPassWriteIndex: 4 };
    encoder.beginComputePass({ label: 'large end of step', timestampWrites }).end();
    encoder.resolveQuerySet(this.#querySet, 0, STAMPS, this.#resolved, 0);
  }

  /** The parts of the step that was submitted last; undefined if the clock was set back meanwhile, as it may be. */
  async read(): Promise<StepParts | undefined> {
    const stamps = new BigInt64Array(await this.#reader.read(this.#resolved));
    const ms = (from: number, to: number): number => Number(stamps[to]! - stamps[from]!) / 1e6;
    const parts = { forward: ms(0, 1), backward: ms(2, 3), optimizer: ms(3, 4) };
    return Object.values(parts).every((part) => part >= 0) ? parts : undefined;
  }

  destroy(): void {
    this.#querySet.destroy();
    this.#resolved.destroy();
    this.#reader.destroy();
  }
}
