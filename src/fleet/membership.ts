import type { OptimizerError } from '../errors.js';
import { unlessAborted } from '../safetensors/signal.js';
import { Bell } from './bell.js';
import { Deadline } from './deadline.js';
import type { FleetEvent } from './events.js';
import type { FleetListener, FleetSeat } from './transport.js';

/** A peer's time in a fleet: it begins with a seat, hears of changes, and ends once, with a reason. */
export class Membership implements FleetListener {
  readonly #bell = new Bell();
  readonly #ended = new AbortController();
  #seat: FleetSeat | undefined;
  #members = '';

  constructor(private readonly onEvent: ((event: FleetEvent) => void) | undefined) {}

  /** Where this peer sits. */
  get seat(): FleetSeat {
    return this.#seat!;
  }

  get hasEnded(): boolean {
    return this.#ended.signal.aborted;
  }

  /** Settles with the end. */
  get ended(): Promise<void> {
    const { signal } = this.#ended;
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  takeSeat(seat: FleetSeat): void {
    this.#seat = seat;
    this.#members = seat.members().join();
  }

  changed(): void {
    this.#bell.ring();
    if (this.#seat === undefined || this.hasEnded) return;
    const members = this.#seat.members();
    if (members.join() === this.#members) return;
    this.#members = members.join();
    this.tell({ kind: 'members', members });
  }

  lost(error: OptimizerError): void {
    this.end(error);
  }

  /** What is pending rejects with the reason, and what is called later. */
  end(reason: unknown): void {
    this.#ended.abort(reason);
  }

  /** Gives up the seat, if there is one. */
  async leaveSeat(): Promise<void> {
    await this.#seat?.leave();
  }

  /** Throws once the membership has ended. */
  check(): void {
    this.#ended.signal.throwIfAborted();
  }

  /** What a promise gives, unless the membership ends before. */
  unlessEnded<T>(promise: Promise<T>): Promise<T> {
    return unlessAborted(promise, this.#ended.signal);
  }

  /**
   * Looks, and looks again at each change, until there is something to see.
   *
   * @param look is told whether the time is over.
   */
  async until<T>(seconds: number, look: (isOver: boolean) => Promise<T | undefined>): Promise<T> {
    const deadline = new Deadline(seconds);
    try {
      for (;;) {
        // Taken before looking: what changes meanwhile is looked at, too.
        const changed = this.#bell.next;
        this.check();
        const seen = await this.unlessEnded(look(deadline.hasPassed));
        if (seen !== undefined) return seen;
        await this.unlessEnded(Promise.race([changed, deadline.passes]));
      }
    } finally {
      deadline.cancel();
    }
  }

  /** Tells the caller, by a microtask: what a listener throws is its own, and stops no round. */
  tell(event: FleetEvent): void {
    const { onEvent } = this;
    if (onEvent !== undefined) queueMicrotask(() => onEvent(event));
  }
}
