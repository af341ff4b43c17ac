import { OptimizerError } from '../errors.js';
import { type ArenaBuffer, rejectDestroyedArena } from '../gpu/arena-buffers.js';
import { isDeviceLost, rejectLostDevice, settleOrLose } from '../gpu/device.js';

/** Knows whether an optimizer may be used, and for what; cheap enough to be asked at every step. */
export class UsageGuard {
  /** The arenas that the parameters lie in. */
  arenas: readonly ArenaBuffer[] = [];
  /** Whether the weights to evaluate with are in the place of those that train. */
  isEvaluating = false;
  /** Calls so far. */
  callCount = 0;
  #isDestroyed = false;
  /** What the device had against something that was made without waiting for it. */
  #failure: OptimizerError | undefined;
  /** The call that asks the caller's schedules at this moment. */
  #asking: string | undefined;
  /** What is under way that the run must not change under. */
  #holding: string | undefined;

  constructor(private readonly device: GPUDevice) {}

  /** Whether it ended: by `destroy()`, with the device, or because what was made at once turned out to be rejected. */
  get isOver(): boolean {
    return this.#isDestroyed || this.#failure !== undefined || isDeviceLost(this.device);
  }

  /**
   * @param call the call, for errors: `'step()'`, `'lr ='`.
   * @throws OptimizerError if the optimizer or an arena is destroyed, the device is lost, something made at once turned out
   *   to be rejected, or a schedule calls.
   */
  check(call: string): void {
    this.callCount++;
    if (this.#isDestroyed) throw destroyedError(call);
    rejectDestroyedArena(this.arenas, call);
    rejectLostDevice(this.device);
    if (this.#failure) throw this.#failure;
    this.#rejectFromSchedule(call);
  }

  /** As {@link check}, for what needs the weights that train. @throws OptimizerError `invalid-config` after `eval()`, too. */
  checkTraining(call: string): void {
    this.check(call);
    this.rejectHeld(call);
    if (!this.isEvaluating) return;
    throw new OptimizerError(
      'invalid-config',
      `${call} was called while the weights are those to evaluate with; call train() first.`,
    );
  }

  /**
   * Asks the caller's schedules; they may not use the optimizer, which is in the middle of a call.
   *
   * @param call the call that asks.
   */
  whileAsking<T>(call: string, ask: () => T): T {
    this.#asking = call;
    try {
      return ask();
    } finally {
      this.#asking = undefined;
    }
  }

  /**
   * Refuses changes of the run from now on.
   *
   * @param work what is under way, for errors: `'saveCheckpoint()'`.
   * @returns what lets them be made again.
   */
  hold(work: string): () => void {
    this.#holding = work;
    return () => (this.#holding = undefined);
  }

  /** @throws OptimizerError `invalid-config` while changes are refused. */
  rejectHeld(call: string): void {
    if (this.#holding === undefined) return;
    throw new OptimizerError(
      'invalid-config',
      `${call} was called while ${this.#holding} goes on, for which there was no memory to copy the state; await that first.`,
    );
  }

  /** Rejects all use once this does. */
  failWith(checked: Promise<unknown>): void {
    checked.catch((failure: OptimizerError) => this.fail(failure));
  }

  /** Rejects all use from now on. */
  fail(failure: OptimizerError): void {
    this.#failure ??= failure;
  }

  /**
   * A promise that a call gives out: a lost device rejects it with `device-lost`, and what fails since the optimizer was
   * destroyed meanwhile with `destroyed`.
   *
   * @param call the call, for errors.
   */
  settle<T>(call: string, pending: Promise<T>): Promise<T> {
    const explained = pending.catch((error: unknown): never => {
      if (this.#isDestroyed && !(error instanceof OptimizerError)) throw destroyedError(call);
      throw error;
    });
    return settleOrLose(this.device, explained);
  }

  /**
   * Ends all use.
   *
   * @returns whether this is the first time.
   * @throws OptimizerError `invalid-config` if a schedule calls.
   */
  destroy(): boolean {
    this.#rejectFromSchedule('destroy()');
    const isFirst = !this.#isDestroyed;
    this.#isDestroyed = true;
    return isFirst;
  }

  #rejectFromSchedule(call: string): void {
    if (this.#asking === undefined) return;
    throw new OptimizerError(
      'invalid-config',
      `${call} was called by a schedule while ${this.#asking} asked it for a rate; let a schedule compute, and call it ` +
        'elsewhere.',
    );
  }
}

function destroyedError(call: string): OptimizerError {
  return new OptimizerError('destroyed', `${call} was called after destroy(); create a new optimizer.`);
}
