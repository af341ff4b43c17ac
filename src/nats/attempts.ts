import type { NatsConnection } from '@nats-io/nats-core';
import { OptimizerError, quote } from '../errors.js';
import { Bell } from '../fleet/bell.js';
import { Deadline } from '../fleet/deadline.js';
import { fleetError } from '../fleet/fleet-error.js';
import { unlessAborted } from '../safetensors/signal.js';

/** What the NATS client says while a server is away, or has just come back. */
const PASSING = new Set([
  'TimeoutError',
  'NoResponders',
  'RequestError',
  'JetStreamNotEnabled',
  'ConnectionError',
]);
/** JetStream's: temporarily unavailable; no quorum; a peer is not there yet. */
const PASSING_CODES = new Set([10008, 10009, 10010]);
/** JetStream's: a stream, an account or the server has no more room. */
const NO_ROOM = /maximum|insufficient|exceeded|no space/iu;

const FIRST_PAUSE_SECONDS = 0.1;
const LONGEST_PAUSE_SECONDS = 2;

/** Makes requests again while a server is away, and says in this library's words what remains wrong. */
export class Attempts {
  readonly #ended = new AbortController();
  /** Aborted while there is no connection: requests that are under way then get no answer. */
  #away = new AbortController();
  readonly #bell = new Bell();

  constructor(
    private readonly connection: NatsConnection,
    private readonly patienceSeconds: number,
  ) {}

  get isConnected(): boolean {
    return !this.#away.signal.aborted;
  }

  disconnected(): void {
    this.#away.abort(passingError('disconnected'));
  }

  reconnected(): void {
    this.#away = new AbortController();
    this.#bell.ring();
  }

  /** No request is made again after the end; who waits gives up. */
  end(): void {
    this.#ended.abort();
    this.#bell.ring();
  }

  /**
   * @param what went wrong if it fails, for the error: "the delta cannot be put".
   * @throws OptimizerError `fleet`.
   */
  async of<T>(what: string, act: () => Promise<T>): Promise<T> {
    const patience = new Deadline(this.patienceSeconds);
    let pauseSeconds = FIRST_PAUSE_SECONDS;
    try {
      for (;;) {
        const problem = await this.#once(what, act);
        if ('result' in problem) return problem.result;
        await this.#pause(pauseSeconds, patience);
        pauseSeconds = Math.min(2 * pauseSeconds, LONGEST_PAUSE_SECONDS);
        const { error } = problem;
        if (this.connection.isClosed() || this.#ended.signal.aborted) throw this.#errorOf(what, error);
        if (patience.hasPassed) throw this.#awayError(what, error);
      }
    } finally {
      patience.cancel();
    }
  }

  /** @returns what the request gave, or why it is to be made again. */
  async #once<T>(
    what: string,
    act: () => Promise<T>,
  ): Promise<{ readonly result: T } | { readonly error: unknown }> {
    const { signal } = this.#away;
    if (signal.aborted) return { error: signal.reason };
    try {
      return { result: await unlessAborted(act(), signal) };
    } catch (error) {
      if (error instanceof OptimizerError) throw error;
      if (!isPassing(error)) throw this.#errorOf(what, error);
      return { error };
    }
  }

  /** Some time, and for as long as there is no connection, but no longer than anybody waits. */
  async #pause(seconds: number, patience: Deadline): Promise<void> {
    const pause = new Deadline(seconds);
    await Promise.race([pause.passes, patience.passes, this.#bell.next]);
    pause.cancel();
    while (!this.isConnected && !patience.hasPassed && !this.#ended.signal.aborted) {
      await Promise.race([patience.passes, this.#bell.next]);
    }
  }

  #awayError(what: string, cause: unknown): OptimizerError {
    if (nameOf(cause) === 'JetStreamNotEnabled') return this.#errorOf(what, cause);
    const message = `${what}: the NATS server does not answer, and has not for ${this.patienceSeconds} s (${textOf(cause)}).`;
    return fleetError(`${message} Nothing is lost; call again once it is back.`, cause);
  }

  #errorOf(what: string, error: unknown): OptimizerError {
    if (this.connection.isClosed()) return closedError(what, error);
    const text = textOf(error);
    const remedy = NO_ROOM.test(text)
      ? 'Give the account or its streams more room, compress deltas more, or lower snapshotEvery and keepRounds.'
      : remedyFor(nameOf(error));
    return fleetError(`${what}: the NATS server says ${quote(text)}. ${remedy}`, error);
  }
}

/** What is said once a connection is closed for good. */
export function closedError(what: string, cause: unknown): OptimizerError {
  const why = cause instanceof Error ? ` (${textOf(cause)})` : '';
  return fleetError(
    `${what}: the connection to NATS is closed${why}. Connect anew, and join again; maxReconnectAttempts: -1 never gives up.`,
    cause,
  );
}

/** Whether JetStream refused a write because somebody else's came before. */
export function isConflict(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return code === 10071 || code === 10164;
}

function isPassing(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return PASSING.has(nameOf(error)) || PASSING_CODES.has(code as number);
}

function remedyFor(name: string): string {
  if (name === 'StreamNotFoundError') return 'The run’s streams were deleted; leave, and join again.';
  if (name === 'PermissionViolationError')
    return 'Allow the user to publish and subscribe to $JS.API.>, $KV.>, $O.> and _INBOX.>.';
  if (name === 'JetStreamNotEnabled')
    return 'Start it with JetStream (nats-server -js), or enable it for the account.';
  return 'Look into the log of the server.';
}

/** An error that is tried again after, as the client's own. */
export function passingError(message: string): Error {
  return Object.assign(new Error(message), { name: 'TimeoutError' });
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  // A request that is not allowed is one that failed, for the client.
  const { cause } = error;
  return cause instanceof Error && cause.name === 'PermissionViolationError' ? cause.name : error.name;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
