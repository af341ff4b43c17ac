import { OptimizerError } from '../errors.js';
import { type ArenaBuffer, rejectDestroyedArena } from './arena-buffers.js';
import { isDeviceLost, rejectLostDevice } from './device.js';

/** Knows whether an optimizer may be used, and for what; cheap enough to be asked at every step. */
export class UsageGuard {
  /** The arenas that the parameters lie in. */
  arenas: readonly ArenaBuffer[] = [];
  /** Whether the weights to evaluate with are in the place of those that train. */
  isEvaluating = false;
  #isDestroyed = false;
  // What the device had against something that was made without waiting for it.
  #failure: OptimizerError | undefined;

  constructor(private readonly device: GPUDevice) {}

  /** Whether it ended, by `destroy()` or with the device. */
  get isOver(): boolean {
    return this.#isDestroyed || isDeviceLost(this.device);
  }

  /**
   * @param what the method that is called.
   * @throws OptimizerError if the optimizer or an arena is destroyed, the device is lost, or something made at once turned
   *   out to be rejected.
   */
  check(what: string): void {
    if (this.#isDestroyed) {
      throw new OptimizerError('destroyed', `${what}() was called after destroy(); create a new optimizer.`);
    }
    rejectDestroyedArena(this.arenas, what);
    rejectLostDevice(this.device);
    if (this.#failure) throw this.#failure;
  }

  /** As {@link check}, for what needs the weights that train. @throws OptimizerError `invalid-config` after `eval()`, too. */
  checkTraining(what: string): void {
    this.check(what);
    if (!this.isEvaluating) return;
    throw new OptimizerError(
      'invalid-config',
      `${what}() was called after eval(), while the weights are those to evaluate with; call train() first.`,
    );
  }

  /** Rejects all use once this does. */
  failWith(checked: Promise<void>): void {
    checked.catch((failure: OptimizerError) => (this.#failure ??= failure));
  }

  /** @returns whether this is the first time. */
  destroy(): boolean {
    const isFirst = !this.#isDestroyed;
    this.#isDestroyed = true;
    return isFirst;
  }
}
