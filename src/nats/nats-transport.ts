import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import { Objm } from '@nats-io/obj';
import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../errors.js';
import { fleetError } from '../fleet/fleet-error.js';
import { checkName } from '../fleet/names.js';
import { checkSeconds } from '../fleet/options.js';
import type { FleetTransport } from '../fleet/transport.js';
import { Attempts } from './attempts.js';
import { ByteStore } from './byte-store.js';
import { NatsSeat, type RunStores } from './nats-seat.js';

/** How a fleet's run is kept on a NATS server. */
export interface NatsTransportOptions {
  /** Name of the run: 1 to 64 of A–Z, a–z, 0–9, _ and -. Peers of one run find each other. */
  readonly run: string;
  /** Seconds after its last sign of life at which a peer is no longer waited for, and its name is free; 15 unless said. All peers have the same. */
  readonly expirySeconds?: number | undefined;
  /** Seconds that a request is made again while the server is away; 60 unless said. */
  readonly patienceSeconds?: number | undefined;
  /** The most bytes that deltas and snapshots of the run may take on the server; unless said, as many as the account has. */
  readonly maxBytes?: number | undefined;
  /** Where the server keeps the run; `'file'` unless said. */
  readonly storage?: 'file' | 'memory' | undefined;
  /** Servers of a cluster that keep the run: 1, 3 or 5; 1 unless said. */
  readonly replicas?: number | undefined;
}

const KNOWN = ['run', 'expirySeconds', 'patienceSeconds', 'maxBytes', 'storage', 'replicas'] as const;

/** Begins the names of all that a run has on a server. */
const PREFIX = 'fleet-';

/** A server without JetStream looks like one that is just starting: whoever joins wants to know soon. */
const OPENING_SECONDS = 5;

/** The server keeps ages of messages in steps of this. */
const SHORTEST_EXPIRY_SECONDS = 1;

/**
 * A transport over NATS, with its JetStream: three streams on the server hold the run. Peers are keys that expire
 * (`KV_fleet-<run>-peers`), rounds are keys of deltas and closes (`KV_fleet-<run>-rounds`), and bytes are in an object store (`OBJ_fleet-<run>-bytes`). They stay
 * when all peers have left, so that the run goes on when some come back; `nats stream rm` removes them.
 *
 * You make the connection: `wsconnect` of `@nats-io/nats-core` in browsers and Deno, `connect` of `@nats-io/transport-node` in Node. So who may
 * take part, and how it is encrypted, is NATS's: users, tokens, keys, TLS. Give `maxReconnectAttempts: -1`, so that a
 * server that is away for long is waited for. The server needs JetStream (`nats-server -js`), and may be as old as 2.9.
 *
 * @example
 *   const connection = await wsconnect({ servers: 'wss://nats.example.org', token, maxReconnectAttempts: -1 });
 *   const transport = natsTransport(connection, { run: 'moby-dick' });
 *   const fleet = await joinFleet(outer, transport, { peer: 'laptop', deadlineSeconds: 60 });
 */
export function natsTransport(connection: NatsConnection, options: NatsTransportOptions): FleetTransport {
  const checked = checkOptions(options);
  if (typeof (connection as Partial<NatsConnection> | undefined)?.status !== 'function') {
    refuse('connection', connection, 'what wsconnect() or connect() gives');
  }
  return {
    join: async (peer, listener) => {
      checkName(peer, 'peer');
      const opening = new Attempts(connection, Math.min(checked.patienceSeconds, OPENING_SECONDS));
      const open = (): Promise<RunStores> => openRun(connection, checked);
      const stores = await opening.of(`run ${quote(checked.run)} cannot be opened`, open);
      const attempts = new Attempts(connection, checked.patienceSeconds);
      const seat = new NatsSeat(connection, stores, attempts, peer, checked.expirySeconds, listener);
      await seat.begin();
      return seat;
    },
  };
}

type Checked = ReturnType<typeof checkOptions>;

async function openRun(connection: NatsConnection, options: Checked): Promise<RunStores> {
  const { run, expirySeconds, maxBytes, storage, replicas } = options;
  const client = jetstream(connection);
  const manager = await client.jetstreamManager();
  const buckets = new Kvm(client);
  const kept = { replicas, storage: storage as never };
  const peers = await buckets.create(`${PREFIX}${run}-peers`, { ...kept, ttl: expirySeconds * 1000 });
  const { ttl } = await peers.status();
  if (ttl !== expirySeconds * 1000) {
    throw fleetError(
      `expirySeconds is ${expirySeconds}, and this run's is ${ttl / 1000}; give all peers the same, or delete the stream KV_${PREFIX}${run}-peers.`,
    );
  }
  const rounds = await buckets.create(`${PREFIX}${run}-rounds`, kept);
  const bucket = `${PREFIX}${run}-bytes`;
  const objects = await new Objm(client).create(bucket, {
    ...kept,
    ...(maxBytes !== undefined && { max_bytes: maxBytes }),
  });
  return {
    peers,
    rounds,
    bytes: new ByteStore(objects, manager, bucket, STALL_SECONDS),
    manager,
    roundsStream: `KV_${PREFIX}${run}-rounds`,
    roundsPrefix: `$KV.${PREFIX}${run}-rounds.`,
  };
}

/** Without any byte for so long, a transfer begins anew. */
const STALL_SECONDS = 10;

function checkOptions(given: unknown) {
  if (!isRecord(given)) refuse('natsTransport’s options', given, 'an object, { run }');
  rejectUnknownKeys(given, KNOWN, 'natsTransport', 'invalid-option');
  const { run, expirySeconds = 15, patienceSeconds = 60, maxBytes, storage = 'file', replicas = 1 } = given;
  checkName(run, 'run');
  checkSeconds(expirySeconds, 'expirySeconds');
  checkSeconds(patienceSeconds, 'patienceSeconds');
  if (expirySeconds < SHORTEST_EXPIRY_SECONDS) {
    refuse('expirySeconds', expirySeconds, `at least ${SHORTEST_EXPIRY_SECONDS}`);
  }
  if (maxBytes !== undefined && !(Number.isSafeInteger(maxBytes) && (maxBytes as number) > 0)) {
    refuse('maxBytes', maxBytes, 'a positive integer, or leave it out');
  }
  if (storage !== 'file' && storage !== 'memory') refuse('storage', storage, '"file" or "memory"');
  if (replicas !== 1 && replicas !== 3 && replicas !== 5) refuse('replicas', replicas, '1, 3 or 5');
  return { run, expirySeconds, patienceSeconds, maxBytes: maxBytes as number | undefined, storage, replicas };
}

function refuse(name: string, value: unknown, wanted: string): never {
  throw new OptimizerError('invalid-option', `${name} is ${quote(value)}; give ${wanted}.`);
}
