/** A NATS server that is away, comes back, has no room, or lets nobody in: one clear error, or the run goes on. */
import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { afterEach, describe, expect, test } from 'vitest';
import { startNatsServer } from '../../scripts/nats-server.js';
import { natsTransport } from '../../src/nats/index.js';
import { errorOf } from '../support/error-of.js';
import { FakeOuter } from '../support/fake-outer.js';
import { NatsWorld } from '../support/nats-fleet.js';

let world = new NatsWorld();
afterEach(async () => {
  await world.end();
  world = new NatsWorld();
});

const NOBODY = { changed: () => undefined, lost: () => undefined };
const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('a server that goes away', () => {
  test.each(['SIGKILL', 'SIGTERM'] as const)(
    '(%s) in the midst of a round, and comes back: the round goes on',
    async (signal) => {
      const server = await world.server();
      const a = await world.join(server, 'a');
      const b = await world.join(server, 'b');
      for (const { outer } of [a, b]) outer.step();
      await Promise.all([a.fleet.sync(), b.fleet.sync()]);
      for (const { outer } of [a, b]) outer.step();
      const first = a.fleet.sync();
      await sleep(100);
      // Its requests are under way.
      const second = b.fleet.sync();
      await server.kill(signal);
      await sleep(300);
      await server.start();
      for (const report of await Promise.all([first, second])) {
        expect(report).toMatchObject({ round: 1, taken: ['a', 'b'], isOwnTaken: true });
      }
      expect(a.outer.weights).toEqual([4, 0, 0, 0]);
      expect(b.outer.weights).toEqual([4, 0, 0, 0]);
      await Promise.all([a.fleet.leave(), b.fleet.leave()]);
    },
  );

  test('for longer than anybody waits: the call says so, and the next one goes on', async () => {
    const server = await world.server();
    const transport = { patienceSeconds: 0.5 };
    const a = await world.join(server, 'a', { transport });
    a.outer.step();
    await server.kill();
    const error = await errorOf(() => a.fleet.sync());
    expect(error.code).toBe('fleet');
    expect(error.message).toMatch(
      /^the delta cannot be put: the NATS server does not answer, and has not for 0\.5 s \(.+\)\. Nothing is lost; call again once it is back\.$/u,
    );
    await server.start();
    while ((await errorOf(() => a.fleet.sync()).catch(() => undefined)) !== undefined) await sleep(50);
    expect([a.outer.round, a.outer.anchor[0]]).toEqual([1, 1]);
    await a.fleet.leave();
  });

  test('for longer than the connection tries: the peer is out, and says what to do', async () => {
    const server = await world.server();
    const a = await world.join(server, 'a', {
      connection: { maxReconnectAttempts: 2 },
      fleet: { minPeers: 2 },
    });
    const pending = errorOf(() => a.fleet.sync());
    await sleep(50);
    await server.kill();
    for (const error of [await pending, await errorOf(() => a.fleet.sync())]) {
      expect(error.code).toBe('fleet');
      expect(error.message).toContain('the connection to NATS is closed');
      expect(error.message).toContain('maxReconnectAttempts: -1 never gives up');
    }
    await a.fleet.leave();
  });

  test('and comes back without what it had stored: the peer is out, and keeps its weights', async () => {
    const server = await world.server();
    const a = await world.join(server, 'a', { fleet: { minPeers: 2 } });
    a.outer.step();
    const pending = errorOf(() => a.fleet.sync());
    await sleep(50);
    a.outer.step();
    await server.kill();
    server.wipe();
    await server.start();
    expect((await pending).message).toContain('The run’s streams were deleted; leave, and join again.');
    await a.fleet.leave();
    const again = await world.join(server, 'a', { outer: a.outer, fleet: { keepProgress: true } });
    await again.fleet.sync();
    // What was learnt after the delta that went down with the server.
    expect(a.outer.anchor[0]).toBe(1);
    await again.fleet.leave();
  });

  test('leave() does not wait for it', async () => {
    const server = await world.server();
    const a = await world.join(server, 'a');
    await server.kill();
    await sleep(50);
    const start = performance.now();
    await a.fleet.leave();
    expect(performance.now() - start).toBeLessThan(1000);
  });
});

test('a peer whose name another has taken meanwhile is out', async () => {
  const server = await world.server();
  const transport = { expirySeconds: 1 };
  const connection = await world.connection(server);
  let lost!: (error: Error) => void;
  const losing = new Promise<Error>((resolve) => (lost = resolve));
  const seat = await natsTransport(connection, { run: 'test', ...transport }).join('a', { ...NOBODY, lost });
  // As if it had slept: the name is another's.
  const peers = await new Kvm(connection).open('fleet-test-peers');
  await peers.put('a', 'another life');
  expect((await losing).message).toContain('peer "a" is in this fleet already');
  await seat.leave();
  expect((await peers.get('a'))?.string()).toBe('another life');
});

describe('no room', () => {
  const big = (): FakeOuter => new FakeOuter(200_000);

  test('on the server: its words, and what to do', async () => {
    const server = await startNatsServer('', 'max_file_store: 1500000');
    try {
      const a = await world.join(server, 'a', { outer: big() });
      const error = await errorOf(async () => {
        for (let k = 0; k < 6; k += 1) await a.fleet.sync();
      });
      expect(error.message).toMatch(
        /^the delta cannot be put: the NATS server says ".*(insufficient|exceeded).*"\. Give the account or its streams more room, compress/u,
      );
      await a.fleet.leave();
    } finally {
      await server.destroy();
    }
  });

  test('in the run’s own limit: a first snapshot that does not fit keeps the peer out', async () => {
    const server = await world.server();
    const error = await errorOf(() =>
      world.join(server, 'a', { outer: big(), transport: { maxBytes: 100_000 } }),
    );
    expect(error.code).toBe('fleet');
    expect(error.message).toContain(
      'the snapshot cannot be put: the NATS server says "maximum bytes exceeded".',
    );
    // And the name is free again.
    await (await world.join(server, 'a')).fleet.leave();
  });
});

describe('who is let in', () => {
  test('is decided by NATS: by user and password', async () => {
    const server = await world.server('authorization { users: [{ user: "u", password: "p" }] }');
    await expect(world.connection(server, { user: 'u', pass: 'wrong' })).rejects.toThrow(/authorization/iu);
    const a = await world.join(server, 'a', { connection: { user: 'u', pass: 'p' } });
    expect((await a.fleet.sync()).taken).toEqual(['a']);
    await a.fleet.leave();
  });

  test('by a token', async () => {
    const server = await world.server('authorization { token: "secret" }');
    const a = await world.join(server, 'a', { connection: { token: 'secret' } });
    expect((await a.fleet.sync()).taken).toEqual(['a']);
    await a.fleet.leave();
  });

  test('a user who may not write is told what is to be allowed', async () => {
    const server = await world.server(
      'authorization { users: [{ user: "u", password: "p", permissions: { publish: "x", subscribe: ">" } }] }',
    );
    const error = await errorOf(() => world.join(server, 'a', { connection: { user: 'u', pass: 'p' } }));
    expect(error.code).toBe('fleet');
    expect(error.message).toMatch(
      /Permissions Violation.+Allow the user to publish and subscribe to \$JS\.API\.>/u,
    );
  });

  test('a server without JetStream says so', async () => {
    const server = await startNatsServer('', false);
    try {
      const connection = await world.connection(server);
      const transport = natsTransport(connection, { run: 'test', patienceSeconds: 0.5 });
      const error = await errorOf(() => transport.join('a', NOBODY));
      expect(error.message).toBe(
        'run "test" cannot be opened: the NATS server says "jetstream is not enabled". Start it with JetStream (nats-server -js), or enable it for the account.',
      );
    } finally {
      await world.end();
      await server.destroy();
    }
  });
});

test('records that no peer writes are said, and once they are removed the round goes on', async () => {
  const server = await world.server();
  const a = await world.join(server, 'a');
  const bucket = await new Kvm(jetstream(a.connection)).open('fleet-test-rounds');
  const records: [string, string][] = [
    ['round.0.close', '{"taken":7}'],
    ['round.0.close', '{'],
    ['round.0.delta.b', 'null'],
  ];
  for (const [key, text] of records) {
    await bucket.put(key, text);
    a.outer.step();
    const synced = a.fleet.sync();
    // What somebody else put as a delta concerns nobody.
    if (key.endsWith('close')) {
      const error = await errorOf(() => synced);
      expect(error.code).toBe('fleet');
      expect(error.message).toContain(`key "${key}" of the run holds`);
      await bucket.purge(key);
      expect(await a.fleet.sync()).toMatchObject({ taken: ['a'] });
    } else expect(await synced).toMatchObject({ taken: ['a'] });
    records.forEach((record) => (record[0] = record[0].replace(/\d/u, String(a.outer.round))));
  }
  await a.fleet.leave();
});
