/** Rounds of a fleet, over the transport within a process: who is waited for, what is applied, and what each peer is told. */
import { describe, expect, test, vi } from 'vitest';
import { OptimizerError } from '../../src/errors.js';
import type { FleetOptions } from '../../src/fleet/options.js';
import type { FleetSeat, FleetTransport } from '../../src/fleet/transport.js';
import { alteredTransport } from '../support/altered-transport.js';
import { errorOf } from '../support/error-of.js';
import { type FleetPeer, type FleetPeerOptions, fleetTest } from '../support/fleet-test.js';
import { FakeOuter, inspectFake } from '../support/fake-outer.js';

const world = fleetTest();
const { join } = world;

const joinAll = (names: string, options: FleetPeerOptions = {}): Promise<FleetPeer[]> =>
  Promise.all(Array.from(names, (name) => join(name, options)));
const leaveAll = (peers: readonly FleetPeer[]): Promise<unknown> =>
  Promise.all(peers.map(({ fleet }) => fleet.leave()));

const altered = (change: (seat: FleetSeat) => Partial<FleetSeat>): FleetTransport =>
  alteredTransport(world.memory, change);

describe('a round', () => {
  test('takes all members in, and all have the same bits', async () => {
    const peers = await joinAll('abc');
    for (const [k, { outer }] of peers.entries()) outer.step(k, k + 1);
    const reports = await Promise.all(peers.map(({ fleet }) => fleet.sync({ samples: 5 })));
    for (const [k, { outer }] of peers.entries()) {
      expect(outer.weights).toEqual([1, 2, 3, 0]);
      expect(outer.round).toBe(1);
      expect(reports[k]).toMatchObject({ round: 0, taken: ['a', 'b', 'c'], refused: [], isOwnTaken: true });
    }
    expect(reports[0]!.byteLengthSent).toBeGreaterThan(0);
    const joined = peers[0]!.events.filter(({ kind }) => kind === 'members').length;
    await Promise.all(peers.map(({ fleet }) => fleet.sync()));
    expect(peers[0]!.events.filter(({ kind }) => kind === 'members')).toHaveLength(joined);
    // Two others' deltas, of as many bytes.
    expect(reports[0]!.byteLengthReceived).toBe(2 * reports[0]!.byteLengthSent);
    await leaveAll(peers);
  });

  test('calls that are not awaited are a round each', async () => {
    const peers = await joinAll('ab');
    for (const { outer } of peers) outer.step();
    const reports = await Promise.all(
      peers.flatMap(({ fleet }) => [fleet.sync(), fleet.sync(), fleet.sync()]),
    );
    expect(reports.map(({ round }) => round)).toEqual([0, 1, 2, 0, 1, 2]);
    expect(peers.map(({ outer }) => outer.weights[0])).toEqual([2, 2]);
    await leaveAll(peers);
  });

  test('steps that are made while it goes on are kept for the next', async () => {
    const [a, b] = (await joinAll('ab')) as [FleetPeer, FleetPeer];
    a.outer.step(0);
    const first = a.fleet.sync();
    await vi.advanceTimersByTimeAsync(0);
    a.outer.step(0, 10);
    await Promise.all([first, b.fleet.sync()]);
    expect([a.outer.weights[0], a.outer.anchor[0]]).toEqual([11, 1]);
    await Promise.all([a.fleet.sync(), b.fleet.sync()]);
    expect(b.outer.weights[0]).toBe(11);
    await leaveAll([a, b]);
  });

  test('does not wait for who has left, nor for who was dropped', async () => {
    const [a, b, c] = (await joinAll('abc')) as [FleetPeer, FleetPeer, FleetPeer];
    const waiting = a.fleet.sync();
    await vi.advanceTimersByTimeAsync(1000);
    expect(a.outer.round).toBe(0);
    await b.fleet.leave();
    world.memory.drop('c');
    expect((await waiting).taken).toEqual(['a']);
    expect(a.events.filter(({ kind }) => kind === 'members').at(-1)).toEqual({
      kind: 'members',
      members: ['a'],
    });
    await leaveAll([a, c]);
  });

  test('is closed at its deadline without a member that is late, which goes on from there and loses nothing', async () => {
    const [a, b, late] = (await joinAll('abc')) as [FleetPeer, FleetPeer, FleetPeer];
    for (const { outer } of [a, b, late]) outer.step();
    const syncs = Promise.all([a.fleet.sync(), b.fleet.sync()]);
    await vi.advanceTimersByTimeAsync(59_999);
    expect(a.outer.round).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect((await syncs)[0].taken).toEqual(['a', 'b']);
    late.outer.step();
    const reports = await Promise.all([late.fleet.sync({ samples: 2 }), a.fleet.sync(), b.fleet.sync()]);
    expect(reports[0]).toMatchObject({ round: 1, isOwnTaken: true });
    expect(late.events).toContainEqual({
      kind: 'missed',
      report: expect.objectContaining({ round: 0, isOwnTaken: false }) as unknown,
    });
    expect([a, b, late].map(({ outer }) => outer.weights[0])).toEqual([4, 4, 4]);
    await leaveAll([a, b, late]);
  });

  test('that another peer has closed waits for nobody any more', async () => {
    const [a, c] = [await join('a', { deadlineSeconds: 10 }), await join('c')];
    const b = await join('b', { deadlineSeconds: 1000 });
    const syncs = Promise.all([a.fleet.sync(), b.fleet.sync()]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await syncs).map(({ taken }) => taken)).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
    await leaveAll([a, b, c]);
  });

  test('a delta that comes after the close goes into the next one, with its samples', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const sent: number[] = [];
    const slow = altered((seat) => ({
      post: async (round, bytes) => {
        sent.push((await inspectFake(bytes)).samples);
        await gate;
        return seat.post(round, bytes);
      },
    }));
    const [a] = (await joinAll('a')) as [FleetPeer];
    const b = await join('b', { transport: slow });
    b.outer.step();
    const first = Promise.all([a.fleet.sync(), b.fleet.sync({ samples: 3 })]);
    await vi.advanceTimersByTimeAsync(60_000);
    open();
    const [, report] = await first;
    expect(report).toMatchObject({ round: 0, taken: ['a'], isOwnTaken: false });
    expect(b.outer.weights[0]).toBe(1);
    const [, next] = await Promise.all([a.fleet.sync(), b.fleet.sync({ samples: 4 })]);
    expect(next).toMatchObject({ round: 1, isOwnTaken: true });
    await Promise.all([a.fleet.sync(), b.fleet.sync({ samples: 5 })]);
    expect(sent).toEqual([3, 7, 5]);
    expect([a, b].map(({ outer }) => outer.weights[0])).toEqual([1, 1]);
    await leaveAll([a, b]);
  });
});

describe('too few', () => {
  test('a round waits for minPeers; past the deadline the call rejects, and the next goes on with the same delta', async () => {
    const a = await join('a', { minPeers: 2 });
    a.outer.step();
    const failing = errorOf(() => a.fleet.sync());
    await vi.advanceTimersByTimeAsync(60_000);
    const error = await failing;
    expect(error.code).toBe('fleet');
    expect(error.message).toBe(
      "round 0: after 60 s 1 of at least 2 peers have put a delta. Call sync() again to wait on; this peer's delta stays where it is.",
    );
    a.outer.step(0, 10);
    const again = a.fleet.sync();
    const b = await join('b');
    await b.fleet.sync();
    expect((await again).isOwnTaken).toBe(true);
    expect([a.outer.weights[0], b.outer.weights[0]]).toEqual([11, 1]);
    await leaveAll([a, b]);
  });

  test('of members that have all been heard, minPeers are enough at once', async () => {
    const peers = await joinAll('ab', { minPeers: 2 });
    await Promise.all(peers.map(({ fleet }) => fleet.sync()));
    await leaveAll(peers);
  });

  test('who has heard of no member closes no round alone', async () => {
    const [b] = (await joinAll('b')) as [FleetPeer];
    let isDeaf = true;
    const deaf = altered((seat) => ({ members: () => (isDeaf ? [] : seat.members()) }));
    const a = await join('a', { transport: deaf });
    const waiting = a.fleet.sync();
    await vi.advanceTimersByTimeAsync(1000);
    expect(a.outer.round).toBe(0);
    isDeaf = false;
    await b.fleet.sync();
    expect((await waiting).taken).toEqual(['a', 'b']);
    await leaveAll([a, b]);
  });
});

describe('poison', () => {
  test('a NaN is refused, said to all, and never applied', async () => {
    const peers = await joinAll('abc');
    const [a, , c] = peers as [FleetPeer, FleetPeer, FleetPeer];
    for (const { outer } of peers) outer.step();
    c.outer.weights[1] = Number.NaN;
    const reports = await Promise.all(peers.map(({ fleet }) => fleet.sync()));
    const refusal = { peer: 'c', reason: 'its norm is NaN: it holds NaN or Infinity' };
    for (const report of reports) expect(report).toMatchObject({ taken: ['a', 'b'], refused: [refusal] });
    expect(reports.map(({ isOwnTaken }) => isOwnTaken)).toEqual([true, true, false]);
    for (const { outer, events } of peers) {
      expect(outer.anchor).toEqual([2, 0, 0, 0]);
      expect(events).toContainEqual({ kind: 'refused', round: 0, ...refusal });
    }
    // What the page recommends to the peer itself.
    await c.outer.loadSnapshot(await c.outer.snapshot());
    expect(c.outer.weights).toEqual(a.outer.weights);
    await leaveAll(peers);
  });

  test('a norm beyond the others is refused', async () => {
    const peers = await joinAll('abc');
    for (const { outer } of peers) outer.step();
    peers[1]!.outer.step(0, 1000);
    const [report] = await Promise.all(peers.map(({ fleet }) => fleet.sync()));
    expect(report!.refused[0]!.reason).toMatch(/norm is 1\.00e\+3, more than 10 times 1\.00/u);
    expect(peers[0]!.outer.weights[0]).toBe(2);
    await leaveAll(peers);
  });

  test('where nothing else is there, the call rejects with the reason', async () => {
    const a = await join('a');
    a.outer.weights[0] = Infinity;
    const failing = errorOf(() => a.fleet.sync());
    await vi.advanceTimersByTimeAsync(60_000);
    expect((await failing).message).toContain('none of 1 deltas can be applied ("a": its norm is ');
    await a.fleet.leave();
  });

  test('what a lying peer closes a round with is not applied, by nobody', async () => {
    const liar = altered((seat) => ({
      close: async (close) => {
        const all = seat.posted(close.round).map(async (delta) => {
          const { checksum } = await inspectFake((await seat.fetch(delta.id))!);
          return { ...delta, checksum };
        });
        return seat.close({ ...close, taken: await Promise.all(all), refused: [] });
      },
    }));
    const peers = [await join('a', { transport: liar }), ...(await joinAll('bc'))];
    for (const { outer } of peers) outer.step();
    peers[2]!.outer.weights[1] = Number.NaN;
    const last = [peers[1]!.fleet.sync(), peers[2]!.fleet.sync()];
    // The liar sees all first.
    const reports = await Promise.all([peers[0]!.fleet.sync(), ...last]);
    for (const report of reports) expect(report.taken).toEqual(['a', 'b']);
    for (const { outer } of peers) expect(outer.anchor).toEqual([2, 0, 0, 0]);
    await leaveAll(peers);
  });

  test('a delta of another round, peer or model is refused, and what is none', async () => {
    const a = await join('a');
    const foreign = new FakeOuter();
    foreign.round = 7;
    const posts = {
      b: await foreign.delta({ peer: 'b' }),
      c: await new FakeOuter().delta({ peer: 'x' }),
      d: await new FakeOuter(5).delta({ peer: 'd' }),
      e: (await new FakeOuter().delta({ peer: 'e' })).subarray(0, 9),
    };
    for (const [peer, bytes] of Object.entries(posts)) {
      const seat = await world.memory.join(peer, { changed: () => undefined, lost: () => undefined });
      await seat.post(0, bytes);
    }
    expect(await a.fleet.sync()).toMatchObject({
      taken: ['a'],
      refused: [
        { peer: 'b', reason: 'it is of round 7' },
        { peer: 'c', reason: 'it says that it is by "x"' },
        { peer: 'd', reason: 'it is of another model: "w" has 5 elements, and here 4' },
        { peer: 'e', reason: '9 bytes are no delta.' },
      ],
    });
    await a.fleet.leave();
  });
});

describe('coming late', () => {
  const rounds = async (peers: readonly FleetPeer[], count: number): Promise<void> => {
    for (let k = 0; k < count; k += 1) {
      for (const { outer } of peers) outer.step();
      await Promise.all(peers.map(({ fleet }) => fleet.sync()));
    }
  };

  test('all begin with the weights of the first', async () => {
    const first = new FakeOuter();
    await first.loadSnapshot(new TextEncoder().encode('{"round":5,"anchor":[1,2,3,4]}'));
    const [a, b] = await Promise.all([join('a', { outer: first }), join('b')]);
    expect(b.outer.weights).toEqual([1, 2, 3, 4]);
    await leaveAll([a, b]);
  });

  test('of two that are the first, one is', async () => {
    const outers = [new FakeOuter(), new FakeOuter()] as const;
    await outers[0].loadSnapshot(new TextEncoder().encode('{"round":0,"anchor":[1,1,1,1]}'));
    await outers[1].loadSnapshot(new TextEncoder().encode('{"round":0,"anchor":[2,2,2,2]}'));
    const peers = await Promise.all([join('a', { outer: outers[0] }), join('b', { outer: outers[1] })]);
    expect(outers[1].weights).toEqual(outers[0].weights);
    await leaveAll(peers);
  });

  test('a late joiner gets the newest snapshot, and the rounds since', async () => {
    const a = await join('a', { snapshotEvery: 3 });
    await rounds([a], 5);
    expect(a.events.filter(({ kind }) => kind === 'snapshot')).toMatchObject([{ round: 0 }, { round: 3 }]);
    const b = await join('b');
    expect(b.outer.round).toBe(5);
    expect(b.outer.weights).toEqual(a.outer.weights);
    await rounds([a, b], 1);
    expect(b.outer.weights).toEqual(a.outer.weights);
    await leaveAll([a, b]);
  });

  test('what it learnt alone is dropped, unless it is to be kept', async () => {
    const a = await join('a');
    const alone = new FakeOuter();
    alone.step(1, 5);
    const b = await join('b', { outer: alone });
    expect(alone.weights).toEqual([0, 0, 0, 0]);
    await b.fleet.leave();
    alone.step(2, 5);
    const again = await join('b', { keepProgress: true, outer: alone });
    expect(alone.weights).toEqual([0, 0, 5, 0]);
    await Promise.all([a.fleet.sync(), again.fleet.sync()]);
    expect(a.outer.weights).toEqual([0, 0, 5, 0]);
    await leaveAll([a, again]);
  });

  test('one of another model does not become a member, and holds up nobody', async () => {
    const a = await join('a');
    await expect(join('b', { outer: new FakeOuter(5) })).rejects.toThrow('another model');
    expect(a.fleet.members()).toEqual(['a']);
    await a.fleet.sync();
    await a.fleet.leave();
  });

  test('one with another normFactor is told, and does not become a member', async () => {
    const a = await join('a');
    const error = await errorOf(() => join('b', { normFactor: 5 }));
    expect(error.message).toBe("normFactor is 5, and this fleet's is 10; give all peers the same.");
    expect(a.fleet.members()).toEqual(['a']);
    await a.fleet.leave();
  });

  /** A peer that sleeps while another one makes rounds; its transport hears nothing meanwhile. */
  const sleeper = async (
    options: Partial<FleetOptions>,
    count: number,
  ): Promise<{ a: FleetPeer; b: FleetPeer }> => {
    const a = await join('a', options);
    const b = await join('b', options);
    await rounds([a, b], 1);
    b.outer.step(1, 3);
    world.memory.drop('b');
    await rounds([a], count);
    return { a, b };
  };

  test('rounds that were missed are applied, and progress is kept', async () => {
    const { a, b } = await sleeper({ snapshotEvery: 100 }, 4);
    const again = await join('b', { keepProgress: true, snapshotEvery: 100, outer: b.outer });
    expect([b.outer.round, b.outer.weights[1]]).toEqual([5, 3]);
    await rounds([a, again], 1);
    expect(a.outer.weights).toEqual([8, 3, 0, 0]);
    expect(b.outer.weights).toEqual([8, 3, 0, 0]);
    await leaveAll([a, again]);
  });

  /** A peer that takes no part for some rounds, while its membership lasts. */
  const absent = async (
    options: Partial<FleetOptions>,
    isPosting: boolean,
  ): Promise<{ a: FleetPeer; b: FleetPeer }> => {
    const a = await join('a', { deadlineSeconds: 1, ...options });
    let isHidden = false;
    const b = await join('b', {
      transport: altered((seat) => ({
        posted: (round) => (isHidden ? [] : seat.posted(round)),
        closed: (round) => (isHidden ? undefined : seat.closed(round)),
        snapshot: () => seat.snapshot(),
      })),
      deadlineSeconds: 1,
      ...options,
    });
    b.outer.step(1, 3);
    isHidden = true;
    const failing = isPosting ? errorOf(() => b.fleet.sync()) : undefined;
    await vi.advanceTimersByTimeAsync(0);
    for (let k = 0; k < 9; k += 1) {
      const sync = a.fleet.sync();
      await vi.advanceTimersByTimeAsync(1000);
      await sync;
    }
    expect((await failing)?.code).toBe(isPosting ? 'fleet' : undefined);
    isHidden = false;
    return { a, b };
  };

  test('whose rounds have been forgotten begins anew from a snapshot, with its progress', async () => {
    const { a, b } = await absent({ snapshotEvery: 3, keepRounds: 1 }, false);
    await Promise.all([a.fleet.sync(), b.fleet.sync()]);
    expect(b.events).toContainEqual({ kind: 'loaded', from: 0, to: 9 });
    expect([a.outer.weights[1], b.outer.weights[1]]).toEqual([3, 3]);
    await leaveAll([a, b]);
  });

  test('who has heard nothing of that closes no forgotten round once more', async () => {
    const a = await join('a', { snapshotEvery: 3, keepRounds: 1 });
    let isDeaf = false;
    const deaf = altered((seat) => ({
      members: () => (isDeaf ? ['b'] : seat.members()),
      closed: (round) => (isDeaf ? undefined : seat.closed(round)),
      snapshot: () => (isDeaf ? undefined : seat.snapshot()),
    }));
    const b = await join('b', { transport: deaf, deadlineSeconds: 1 });
    isDeaf = true;
    for (let k = 0; k < 4; k += 1) {
      const sync = a.fleet.sync();
      await vi.advanceTimersByTimeAsync(60_000);
      await sync;
    }
    const failing = errorOf(() => b.fleet.sync());
    await vi.advanceTimersByTimeAsync(1000);
    expect((await failing).message).toBe(
      'round 0 has been forgotten by the others; call sync() again to catch up.',
    );
    expect(b.outer.round).toBe(0);
    isDeaf = false;
    await Promise.all([a.fleet.sync(), b.fleet.sync()]);
    expect([a.outer.round, b.outer.round]).toEqual([5, 5]);
    expect([...b.outer.history.keys()]).toEqual([3, 4]);
    await leaveAll([a, b]);
  });

  test('who waits in a round that is forgotten meanwhile goes on from the snapshot', async () => {
    const a = await join('a', { snapshotEvery: 1, keepRounds: 0, deadlineSeconds: 1 });
    const c = await join('c');
    let isDeaf = false;
    const deaf = altered((seat) => ({ closed: (round) => (isDeaf ? undefined : seat.closed(round)) }));
    const b = await join('b', { transport: deaf });
    isDeaf = true;
    const waiting = b.fleet.sync();
    const sync = a.fleet.sync();
    await vi.advanceTimersByTimeAsync(1000);
    expect((await sync).taken).toEqual(['a', 'b']);
    isDeaf = false;
    const next = a.fleet.sync();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await waiting).toMatchObject({ round: 1, taken: ['a', 'b'], refused: [] });
    await next;
    await leaveAll([a, b, c]);
  });

  test('whose rounds are kept applies them, whatever snapshots there are', async () => {
    const { a, b } = await absent({ snapshotEvery: 3, keepRounds: 20 }, false);
    await Promise.all([a.fleet.sync(), b.fleet.sync()]);
    expect(b.events.filter(({ kind }) => kind === 'loaded')).toHaveLength(1);
    expect(b.events.filter(({ kind }) => kind === 'missed')).toHaveLength(9);
    await leaveAll([a, b]);
  });

  test('if a peer that came later made that snapshot, it knows all the same whose deltas are in it', async () => {
    const options = { snapshotEvery: 3, keepRounds: 1, deadlineSeconds: 1 };
    const { a, b } = await absent(options, true);
    const c = await join('c', options);
    await a.fleet.leave();
    for (let k = 0; k < 4; k += 1) {
      const sync = c.fleet.sync();
      await vi.advanceTimersByTimeAsync(1000);
      await sync;
    }
    await Promise.all([b.fleet.sync(), c.fleet.sync()]);
    expect([b.outer.weights[1], c.outer.weights[1]]).toEqual([3, 3]);
    await leaveAll([b, c]);
  });

  test('if its delta did not arrive, no step of it is lost, nor any sample', async () => {
    let isAway = false;
    const a = await join('a', { deadlineSeconds: 1, snapshotEvery: 3, keepRounds: 1 });
    const b = await join('b', {
      transport: altered((seat) => ({
        closed: (round) => (isAway ? undefined : seat.closed(round)),
        post: async (round, bytes) => {
          if (isAway) throw new OptimizerError('fleet', 'away');
          return seat.post(round, bytes);
        },
      })),
    });
    b.outer.step(1, 3);
    isAway = true;
    expect((await errorOf(() => b.fleet.sync({ samples: 5 }))).message).toBe('away');
    b.outer.step(1);
    for (let k = 0; k < 9; k += 1) {
      const sync = a.fleet.sync();
      await vi.advanceTimersByTimeAsync(1000);
      await sync;
    }
    isAway = false;
    const [, report] = await Promise.all([a.fleet.sync(), b.fleet.sync({ samples: 2 })]);
    expect(b.events).toContainEqual({ kind: 'loaded', from: 0, to: 9 });
    expect(report.isOwnTaken).toBe(true);
    expect([a.outer.weights[1], b.outer.weights[1]]).toEqual([4, 4]);
    expect(b.outer.samples).toBe(7);
    await leaveAll([a, b]);
  });

  test('if its delta may be in that snapshot, no step is counted twice', async () => {
    const { a, b } = await absent({ snapshotEvery: 3, keepRounds: 1 }, true);
    expect(a.outer.anchor[1]).toBe(3);
    await Promise.all([a.fleet.sync(), b.fleet.sync()]);
    expect([a.outer.weights[1], b.outer.weights[1]]).toEqual([3, 3]);
    await leaveAll([a, b]);
  });
});
