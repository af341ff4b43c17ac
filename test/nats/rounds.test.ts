/** A fleet over a real NATS server: rounds, late joiners, names, and what stays on the server. */
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NatsServer } from '../../scripts/nats-server.js';
import { natsTransport } from '../../src/nats/index.js';
import { errorOf } from '../support/error-of.js';
import { FakeOuter } from '../support/fake-outer.js';
import { type NatsPeer, NatsWorld } from '../support/nats-fleet.js';

const world = new NatsWorld();
let server: NatsServer;
beforeAll(async () => void (server = await world.server()));
afterAll(() => world.end());

const NOBODY = { changed: () => undefined, lost: () => undefined };

/** Each test has a run of its own, on one server. */
let runs = 0;
const newRun = (): string => `run${(runs += 1)}`;

const round = async (peers: readonly NatsPeer[]): Promise<void> => {
  for (const [k, { outer }] of peers.entries()) outer.step(k);
  await Promise.all(peers.map(({ fleet }) => fleet.sync()));
};

test('peers that close a round at the same time agree, round after round', async () => {
  const transport = { run: newRun() };
  const peers = await Promise.all(
    Array.from('abcdef', (peer) => world.join(server, peer, { transport, outer: new FakeOuter(6) })),
  );
  for (let k = 0; k < 4; k += 1) await round(peers);
  for (const { outer, fleet } of peers) {
    expect(outer.weights).toEqual([4, 4, 4, 4, 4, 4]);
    expect([...outer.history]).toEqual([...peers[0]!.outer.history]);
    expect(fleet.members()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  }
  const [gone, ...others] = peers;
  await gone!.fleet.leave();
  const start = performance.now();
  await Promise.all(others.map(({ fleet }) => fleet.sync()));
  // It has said farewell: nobody waits until it has expired.
  expect(performance.now() - start).toBeLessThan(5000);
  expect(others[0]!.fleet.members()).toEqual(['b', 'c', 'd', 'e', 'f']);
  await Promise.all(others.map(({ fleet }) => fleet.leave()));
});

test('a late joiner begins from the newest snapshot and the rounds since; what is old is removed from the server', async () => {
  const run = newRun();
  const options = { transport: { run }, fleet: { snapshotEvery: 4, keepRounds: 1 } };
  const a = await world.join(server, 'a', options);
  for (let k = 0; k < 9; k += 1) await round([a]);
  const b = await world.join(server, 'b', options);
  expect(b.outer.round).toBe(9);
  expect(b.outer.weights).toEqual(a.outer.weights);
  await round([a, b]);
  expect(b.outer.weights).toEqual(a.outer.weights);
  const manager = await jetstreamManager(a.connection);
  const subjectsOf = async (stream: string, filter: string): Promise<string[]> => {
    const { state } = await manager.streams.info(stream, { subjects_filter: filter });
    return Object.keys(state.subjects ?? {});
  };
  const prefix = `$KV.fleet-${run}-rounds.`;
  const keys = (await subjectsOf(`KV_fleet-${run}-rounds`, '>')).map((key) => key.slice(prefix.length));
  // Snapshots were made of rounds 0, 4 and 8: rounds from 7 on are kept.
  expect(keys.toSorted()).toEqual([
    'round.7.close',
    'round.7.delta.a',
    'round.8.close',
    'round.8.delta.a',
    'round.9.close',
    'round.9.delta.a',
    'round.9.delta.b',
    'snapshot',
  ]);
  // One snapshot and four deltas, each a name and its bytes.
  expect(await subjectsOf(`OBJ_fleet-${run}-bytes`, '$O.*.M.>')).toHaveLength(5);
  expect(await subjectsOf(`OBJ_fleet-${run}-bytes`, '$O.*.C.>')).toHaveLength(5);
  await Promise.all([a.fleet.leave(), b.fleet.leave()]);
});

test('the run stays when all have left', async () => {
  const transport = { run: newRun() };
  const a = await world.join(server, 'a', { transport });
  await round([a]);
  await a.fleet.leave();
  const b = await world.join(server, 'b', { transport });
  expect([b.outer.round, b.outer.weights[0]]).toEqual([1, 1]);
  await b.fleet.leave();
});

test('the first close of a round stands, and the snapshot of the highest round, of equal ones the first', async () => {
  const seat = await natsTransport(await world.connection(server), { run: newRun() }).join('a', NOBODY);
  const close = { round: 0, closedBy: 'a', taken: [], refused: [] };
  expect(await seat.close(close)).toEqual(close);
  expect(await seat.close({ ...close, closedBy: 'b' })).toEqual(close);
  const bytes = new Uint8Array(3);
  const facts = { round: 2, keepFrom: 0, taken: {}, settings: { normFactor: 10 } };
  const first = await seat.putSnapshot(facts, bytes);
  expect(await seat.putSnapshot(facts, bytes)).toEqual(first);
  expect(await seat.putSnapshot({ ...facts, round: 1 }, bytes)).toEqual(first);
  const next = await seat.putSnapshot({ ...facts, round: 3 }, bytes);
  expect(next.round).toBe(3);
  expect(await seat.fetch(first.id)).toBeUndefined();
  expect(await seat.fetch(next.id)).toEqual(bytes);
  await seat.leave();
});

describe('names', () => {
  test('two peers with one name: the second is told; when the first has left, it is free', async () => {
    const transport = { run: newRun() };
    const first = await world.join(server, 'a', { transport });
    const error = await errorOf(() => world.join(server, 'a', { transport }));
    expect(error.code).toBe('fleet');
    expect(error.message).toBe(
      'peer "a" is in this fleet already; give another name. If it is this one\'s last life: it is forgotten 15 s after its last sign of life.',
    );
    expect(first.fleet.members()).toEqual(['a']);
    await first.fleet.leave();
    await (await world.join(server, 'a', { transport })).fleet.leave();
  });

  test('a peer that has crashed is not waited for once it has expired, and comes back under its name', async () => {
    const transport = { run: newRun(), expirySeconds: 2 };
    const a = await world.join(server, 'a', { transport });
    const b = await world.join(server, 'b', { transport });
    await round([a, b]);
    // No farewell.
    await b.connection.close();
    expect((await errorOf(() => b.fleet.sync())).message).toContain('the connection to NATS is closed');
    expect((await a.fleet.sync()).taken).toEqual(['a']);
    expect(a.events.findLast(({ kind }) => kind === 'members')).toEqual({ kind: 'members', members: ['a'] });
    const again = await world.join(server, 'b', { transport });
    expect(again.outer.weights).toEqual(a.outer.weights);
    // Its heart beats on: it is a member for longer than the expiry.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(a.fleet.members()).toEqual(['a', 'b']);
    await Promise.all([a.fleet.leave(), again.fleet.leave()]);
  });

  test.each([
    [{ run: 'a.b' }, 'run is "a.b"; give a name of 1 to 64 of the characters A–Z, a–z, 0–9, _ and -.'],
    [{ run: '>' }, 'run is ">"'],
    [{}, 'run is undefined'],
    [{ run: 'r', expirySeconds: 0.5 }, 'expirySeconds is 0.5; give at least 1.'],
    [{ run: 'r', patienceSeconds: 0 }, 'patienceSeconds is 0'],
    [{ run: 'r', maxBytes: 1.5 }, 'maxBytes is 1.5'],
    [{ run: 'r', storage: 'disk' }, 'storage is "disk"; give "file" or "memory".'],
    [{ run: 'r', replicas: 2 }, 'replicas is 2; give 1, 3 or 5.'],
    [{ run: 'r', peer: 'a' }, 'unknown option "peer"; natsTransport knows run, expirySeconds'],
  ])('%j is refused', async (options, message) => {
    const connection = await world.connection(server);
    const error = await errorOf(() => natsTransport(connection, options as { run: string }));
    expect(error.code).toBe('invalid-option');
    expect(error.message).toContain(message);
  });

  test('what is no connection is refused, and a peer whose name is no key', async () => {
    expect((await errorOf(() => natsTransport({} as never, { run: 'r' }))).message).toBe(
      'connection is {  }; give what wsconnect() or connect() gives.',
    );
    const transport = natsTransport(await world.connection(server), { run: newRun() });
    expect((await errorOf(() => transport.join('a.b', NOBODY))).message).toContain('peer is "a.b"');
  });

  test('another expiry than the run has is refused', async () => {
    const run = newRun();
    const a = await world.join(server, 'a', { transport: { run } });
    const error = await errorOf(() => world.join(server, 'b', { transport: { run, expirySeconds: 3 } }));
    expect(error.message).toBe(
      `expirySeconds is 3, and this run's is 15; give all peers the same, or delete the stream KV_fleet-${run}-peers.`,
    );
    await a.fleet.leave();
  });
});

describe('bytes', () => {
  test('of many messages arrive whole; what is cut or gone is nothing', async () => {
    const run = newRun();
    const connection = await world.connection(server);
    const seat = await natsTransport(connection, { run }).join('a', NOBODY);
    const bytes = Uint8Array.from({ length: 300_000 }, (_, k) => k % 251);
    const { id } = await seat.post(0, bytes);
    const fetched = await seat.fetch(id);
    expect(Buffer.from(fetched!).equals(bytes)).toBe(true);
    const manager = await jetstreamManager(connection);
    const stream = `OBJ_fleet-${run}-bytes`;
    const { state } = await manager.streams.info(stream, { subjects_filter: '$O.*.C.>' });
    const [chunks] = Object.keys(state.subjects!);
    expect(state.subjects![chunks!]).toBe(3);
    // The last two chunks stay.
    await manager.streams.purge(stream, { filter: chunks!, keep: 2 });
    expect(await seat.fetch(id)).toBeUndefined();
    await manager.streams.purge(stream, { filter: chunks! });
    expect(await seat.fetch(id)).toBeUndefined();
    expect(await seat.fetch('delta.0.a.nothing')).toBeUndefined();
    await seat.leave();
  });

  test('go in messages as small as the server wants them', async () => {
    const small = await world.server('max_payload: 8192');
    const connection = await world.connection(small);
    const seat = await natsTransport(connection, { run: newRun() }).join('a', NOBODY);
    const bytes = Uint8Array.from({ length: 50_000 }, (_, k) => k % 253);
    const { id } = await seat.post(0, bytes);
    expect(Buffer.from((await seat.fetch(id))!).equals(bytes)).toBe(true);
    await seat.leave();
  });
});

test('nothing is left running', async () => {
  const connection = await world.connection(server);
  // What connecting needed is over.
  await connection.flush();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  const transport = natsTransport(connection, { run: newRun() });
  const seat = await transport.join('a', NOBODY);
  expect(timers()).toBeGreaterThan(before);
  await seat.leave();
  expect(timers()).toBeLessThanOrEqual(before);
});
