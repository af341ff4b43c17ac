import type { KV } from '@nats-io/kv';
import type { OptimizerError } from '../errors.js';
import { quote } from '../errors.js';
import { fleetError } from '../fleet/fleet-error.js';
import { isConflict } from './attempts.js';

/** How many times a name is written anew before it would be forgotten. */
const BEATS_PER_EXPIRY = 3;

/** A peer's name as its own: a key that nobody else may create, and that the server forgets if it is not written anew in time. */
export class NameClaim {
  /** Tells this life of a peer from others under the same name. */
  readonly #life = crypto.randomUUID();
  #revision = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #beating: Promise<void> = Promise.resolve();
  #isReleased = false;

  constructor(
    private readonly kv: KV,
    private readonly peer: string,
    private readonly expirySeconds: number,
    private readonly onLost: (error: OptimizerError) => void,
  ) {}

  /** @throws OptimizerError `fleet` if a living peer has the name. */
  async take(): Promise<void> {
    if (!(await this.#create())) throw this.#taken();
    this.#schedule();
  }

  /** Gives the name back. */
  async release(): Promise<void> {
    this.#isReleased = true;
    clearTimeout(this.#timer);
    await this.#beating;
    if (this.#revision > 0) await this.kv.delete(this.peer, { previousSeq: this.#revision });
  }

  /** No more signs of life; the name is forgotten some time later. */
  stop(): void {
    this.#isReleased = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    this.#timer = setTimeout(
      () => {
        this.#beating = this.#beat().finally(() => {
          if (!this.#isReleased) this.#schedule();
        });
      },
      (this.expirySeconds * 1000) / BEATS_PER_EXPIRY,
    );
  }

  async #beat(): Promise<void> {
    try {
      this.#revision = await this.kv.update(this.peer, this.#life, this.#revision);
    } catch (error) {
      // A server that is away is found again by the next beat, or not at all, which ends the connection.
      if (isConflict(error)) await this.#reclaim().catch(() => undefined);
    }
  }

  /** After a time without connection the name may have been forgotten, or be another's. */
  async #reclaim(): Promise<void> {
    const entry = await this.kv.get(this.peer);
    if (entry?.operation === 'PUT' && entry.string() === this.#life) this.#revision = entry.revision;
    else if (!this.#isReleased && !(await this.#create())) {
      this.stop();
      this.onLost(this.#taken());
    }
  }

  /** @returns whether the name was free, or is this life's already: an answer may have been lost. */
  async #create(): Promise<boolean> {
    try {
      this.#revision = await this.kv.create(this.peer, this.#life);
      return true;
    } catch (error) {
      if (!isConflict(error)) throw error;
      const entry = await this.kv.get(this.peer);
      if (entry?.operation !== 'PUT' || entry.string() !== this.#life) return false;
      this.#revision = entry.revision;
      return true;
    }
  }

  #taken(): OptimizerError {
    return fleetError(
      `peer ${quote(this.peer)} is in this fleet already; give another name. If it is this one's last life: ` +
        `it is forgotten ${this.expirySeconds} s after its last sign of life.`,
    );
  }
}
