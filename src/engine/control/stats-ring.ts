import { OptimizerError } from '../../errors.js';
import { CONTROL_STATE_BYTE_LENGTH, type ControlState, parseControlState } from './control-state.js';

/** Reads that may be under way at once; one more waits for the first of them. */
const CAPACITY = 4;

/** Reads the control state through a few mapped buffers, made once, so that asking often costs no allocation. */
export class StatsRing {
  readonly #device: GPUDevice;
  readonly #source: GPUBuffer;
  readonly #all: readonly GPUBuffer[];
  readonly #free: GPUBuffer[];
  readonly #waiting: ((buffer: GPUBuffer) => void)[] = [];

  #isDestroyed = false;

  /** Creates the buffers; run it in error scopes. */
  constructor(device: GPUDevice, source: GPUBuffer, label: string) {
    this.#device = device;
    this.#source = source;
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    this.#all = Array.from({ length: CAPACITY }, (_, k) =>
      device.createBuffer({ label: `${label} stats ${k}`, size: CONTROL_STATE_BYTE_LENGTH, usage }),
    );
    this.#free = [...this.#all];
  }

  /** Whether a read would have to wait for another. */
  get isBusy(): boolean {
    return this.#free.length === 0;
  }

  /** The control state behind everything submitted so far; under load, behind somewhat more. */
  async read(): Promise<ControlState> {
    const buffer =
      this.#free.pop() ?? (await new Promise<GPUBuffer>((resolve) => this.#waiting.push(resolve)));
    try {
      if (this.#isDestroyed) {
        throw new OptimizerError('destroyed', 'the optimizer was destroyed while stats were waited for.');
      }
      const encoder = this.#device.createCommandEncoder({ label: 'webgpu-optim stats' });
      encoder.copyBufferToBuffer(this.#source, 0, buffer, 0, CONTROL_STATE_BYTE_LENGTH);
      this.#device.queue.submit([encoder.finish()]);
      await buffer.mapAsync(GPUMapMode.READ);
      const bytes = buffer.getMappedRange().slice(0);
      buffer.unmap();
      return parseControlState(bytes);
    } finally {
      const next = this.#waiting.shift();
      if (next) next(buffer);
      else this.#free.push(buffer);
    }
  }

  destroy(): void {
    this.#isDestroyed = true;
    for (const buffer of this.#all) buffer.destroy();
  }
}
