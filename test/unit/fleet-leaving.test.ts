/** How a peer's part in a fleet ends, what is refused at its beginning, and trouble of the transport. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { type Fleet, joinFleetWith } from '../../src/fleet/join-fleet.js';
import type { FleetEvent } from '../../src/fleet/events.js';
import type { FleetOptions } from '../../src/fleet/options.js';
import type { FleetListener, FleetSeat, FleetTransport } from '../../src/fleet/transport.js';
import { OptimizerError } from '../../src/errors.js';
import { alteredTransport } from '../support/altered-transport.js';
import { errorOf } from '../support/error-of.js';
import { FakeOuter, fakeCodec } from '../support/fake-outer.js';
import { type FleetPeerOptions, fleetTest } from '../support/fleet-test.js';

const world = fleetTest();
const join = async (peer: string, options?: FleetPeerOptions): Promise<Fleet> =>
  (await world.join(peer, options)).fleet;

const NOBODY: FleetListener = { changed: () => undefined, lost: () => undefined };

describe('options', () => {
  test.each([
    [undefined, 'joinFleet’s options is undefined'],
    [{ peer: 'a' }, 'deadlineSeconds is undefined; give a number of seconds above 0, up to 604800.'],
    [{ peer: 'a b', deadlineSeconds: 1 }, 'peer is "a b"; give a name of 1 to 64 of the characters'],
    [{ peer: 'a.b', deadlineSeconds: 1 }, 'peer is "a.b"'],
    [{ peer: '*', deadlineSeconds: 1 }, 'peer is "*"'],
    [{ peer: '', deadlineSeconds: 1 }, 'peer is ""'],
    [{ peer: 'ä', deadlineSeconds: 1 }, 'peer is "ä"'],
    [{ peer: 'a'.repeat(65), deadlineSeconds: 1 }, 'peer is "aaa'],
    [{ peer: 3, deadlineSeconds: 1 }, 'peer is 3'],
    [{ peer: 'a', deadlineSeconds: 0 }, 'deadlineSeconds is 0'],
    [{ peer: 'a', deadlineSeconds: Infinity }, 'deadlineSeconds is Infinity'],
    [{ peer: 'a', deadlineSeconds: Number.NaN }, 'deadlineSeconds is NaN'],
    [{ peer: 'a', deadlineSeconds: 1, minPeers: 0 }, 'minPeers is 0; give an integer from 1 on.'],
    [{ peer: 'a', deadlineSeconds: 1, minPeers: 1.5 }, 'minPeers is 1.5'],
    [{ peer: 'a', deadlineSeconds: 1, keepRounds: -1 }, 'keepRounds is -1; give an integer from 0 on.'],
    [{ peer: 'a', deadlineSeconds: 1, snapshotEvery: 0 }, 'snapshotEvery is 0'],
    [{ peer: 'a', deadlineSeconds: 1, normFactor: 1 }, 'normFactor is 1'],
    [{ peer: 'a', deadlineSeconds: 1, keepProgress: 1 }, 'keepProgress is 1'],
    [{ peer: 'a', deadlineSeconds: 1, onEvent: {} }, 'onEvent is {'],
    [{ peer: 'a', deadlineSeconds: 1, signal: {} }, 'signal is {'],
    [{ peer: 'a', deadline: 1 }, 'unknown option "deadline"; joinFleet knows peer, deadlineSeconds'],
  ])('%j is refused', async (options, message) => {
    const error = await errorOf(() =>
      joinFleetWith(fakeCodec, new FakeOuter(), world.memory, options as FleetOptions),
    );
    expect(error.code).toBe('invalid-option');
    expect(error.message).toContain(message);
  });

  test.each([
    [{ samples: 0 }, 'samples is 0; give the number of samples since the last call, a finite number > 0.'],
    [{ samples: Number.NaN }, 'samples is NaN'],
    [{ samples: Infinity }, 'samples is Infinity'],
    [{ samples: '3' }, 'samples is "3"'],
    [{ sample: 3 }, 'unknown option "sample"; sync knows samples'],
    [3, 'sync() has 3'],
  ])('sync(%j) is refused, and does nothing', async (options, message) => {
    const outer = new FakeOuter();
    const fleet = await join('a', { outer });
    const error = await errorOf(() => fleet.sync(options as never));
    expect(error.code).toBe('invalid-option');
    expect(error.message).toContain(message);
    expect(outer.round).toBe(0);
    await fleet.leave();
  });
});

describe('leave()', () => {
  test('rejects what is pending, and what is called later, and ends the membership', async () => {
    const [a, b] = await Promise.all([join('a'), join('b')]);
    const pending = [errorOf(() => a.sync()), errorOf(() => a.sync())];
    await vi.advanceTimersByTimeAsync(10);
    await a.leave();
    for (const error of [...(await Promise.all(pending)), await errorOf(() => a.sync())]) {
      expect(error.code).toBe('fleet');
      expect(error.message).toBe('peer "a" has left the fleet; call joinFleet() again.');
    }
    expect(a.members()).toEqual([]);
    expect(b.members()).toEqual(['b']);
    await a.leave();
    await b.leave();
  });

  test('lets a round that is being applied end', async () => {
    const outer = new FakeOuter();
    let applying = (): void => undefined;
    const begun = new Promise<void>((resolve) => (applying = resolve));
    const apply = outer.apply.bind(outer);
    outer.apply = async (deltas) => {
      applying();
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await apply(deltas);
    };
    const fleet = await join('a', { outer });
    const sync = fleet.sync();
    await begun;
    const other = await world.memory.join('b', NOBODY);
    const left = fleet.leave();
    await vi.advanceTimersByTimeAsync(999);
    expect(other.members()).toEqual(['a', 'b']);
    await vi.advanceTimersByTimeAsync(1);
    expect((await sync).taken).toEqual(['a']);
    await left;
    expect(outer.round).toBe(1);
  });

  test('its name is free again', async () => {
    const first = await join('a');
    expect((await errorOf(() => join('a'))).message).toContain('peer "a" is a member already');
    await first.leave();
    await (await join('a')).leave();
  });
});

describe('a signal', () => {
  test('that is aborted beforehand: nothing begins', async () => {
    await expect(join('a', { signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
    expect((await world.memory.join('a', NOBODY)).members()).toEqual(['a']);
  });

  test('while the seat is on its way: the seat is given back', async () => {
    const controller = new AbortController();
    const slow: FleetTransport = {
      join: async (peer, listener) => {
        await new Promise((resolve) => setTimeout(resolve, 1000));
        return world.memory.join(peer, listener);
      },
    };
    const joining = join('a', { transport: slow, signal: controller.signal });
    controller.abort('enough');
    await expect(joining).rejects.toBe('enough');
    await vi.advanceTimersByTimeAsync(1000);
    expect((await world.memory.join('a', NOBODY)).members()).toEqual(['a']);
  });

  test('during a round: as leave(), with its reason', async () => {
    const controller = new AbortController();
    const [a, b] = await Promise.all([join('a', { signal: controller.signal }), join('b')]);
    const sync = a.sync();
    await vi.advanceTimersByTimeAsync(10);
    controller.abort('enough');
    await expect(sync).rejects.toBe('enough');
    await expect(a.sync()).rejects.toBe('enough');
    await a.leave();
    expect(b.members()).toEqual(['b']);
    await b.leave();
  });
});

const troubled = (change: (seat: FleetSeat) => Partial<FleetSeat>): FleetTransport => ({
  // The transport of the test that runs, also where this is made before.
  join: (peer, listener) => alteredTransport(world.memory, change).join(peer, listener),
});

describe('trouble', () => {
  const away = new OptimizerError('fleet', 'the server is away');

  test('a seat that is lost rejects what is pending, with its reason', async () => {
    const [a, b] = await Promise.all([join('a'), join('b')]);
    const pending = errorOf(() => a.sync());
    await vi.advanceTimersByTimeAsync(10);
    world.memory.drop('a');
    expect((await pending).message).toBe('peer "a" was dropped; join again.');
    expect((await errorOf(() => a.sync())).message).toBe('peer "a" was dropped; join again.');
    await a.leave();
    expect(b.members()).toEqual(['b']);
    await b.leave();
  });

  test('a delta that could not be put is put by the next call: the same bytes', async () => {
    let isAway = true;
    const sent: string[] = [];
    const transport = troubled((seat) => ({
      post: async (round, bytes) => {
        sent.push(new TextDecoder().decode(bytes));
        // It arrived, and the answer did not.
        const posted = await seat.post(round, bytes);
        if (isAway) throw away;
        return posted;
      },
    }));
    const outer = new FakeOuter();
    const a = await join('a', { transport, outer });
    outer.step();
    expect(await errorOf(() => a.sync())).toBe(away);
    isAway = false;
    outer.step();
    expect((await a.sync()).isOwnTaken).toBe(true);
    expect(outer.weights[0]).toBe(2);
    expect(outer.anchor[0]).toBe(1);
    expect(sent[0]).toBe(sent[1]);
    await a.leave();
  });

  test.each(['fetch', 'close'] as const)(
    '%s that fails rejects the call, and the next goes on',
    async (name) => {
      let isAway = false;
      const fail = (): never => {
        throw away;
      };
      const transport = troubled((seat) => ({
        [name]: async (argument: never) => (isAway ? fail() : seat[name](argument)),
      }));
      const outers = [new FakeOuter(), new FakeOuter()] as const;
      const [a, b] = await Promise.all([
        join('a', { transport, outer: outers[0] }),
        join('b', { transport, outer: outers[1] }),
      ]);
      for (const outer of outers) outer.step();
      isAway = true;
      const errors = await Promise.all([a, b].map((fleet) => errorOf(() => fleet.sync())));
      expect(errors).toEqual([away, away]);
      isAway = false;
      const reports = await Promise.all([a.sync(), b.sync()]);
      expect(reports.map(({ round, taken }) => [round, taken])).toEqual([
        [0, ['a', 'b']],
        [0, ['a', 'b']],
      ]);
      expect(outers.map(({ weights }) => weights[0])).toEqual([2, 2]);
      await Promise.all([a.leave(), b.leave()]);
    },
  );

  test('a snapshot that cannot be put is said, and tried again after the next round', async () => {
    let isFull = false;
    const events: FleetEvent[] = [];
    const transport = troubled((seat) => ({
      putSnapshot: async (facts, bytes) => {
        if (isFull) throw away;
        return seat.putSnapshot(facts, bytes);
      },
    }));
    const a = await join('a', { transport, snapshotEvery: 2, onEvent: (event) => events.push(event) });
    isFull = true;
    await a.sync();
    await a.sync();
    expect(events.at(-1)).toEqual({ kind: 'trouble', error: away });
    isFull = false;
    await a.sync();
    expect(events.at(-1)).toMatchObject({ kind: 'snapshot', round: 3 });
    await a.leave();
  });

  describe('a close that lists what is gone', () => {
    const gone = new Set<string>();
    beforeEach(() => gone.clear());
    const deaf = troubled((seat) => ({
      fetch: async (id) => (gone.has(id) ? undefined : seat.fetch(id)),
    }));

    /** Two peers, the second of which is late; the delta of the first is gone for it. */
    const late = async (): Promise<{ a: Fleet; b: Fleet; outers: [FakeOuter, FakeOuter] }> => {
      const outers: [FakeOuter, FakeOuter] = [new FakeOuter(), new FakeOuter()];
      const spied = troubled((seat) => ({
        post: async (round, bytes) => {
          const posted = await seat.post(round, bytes);
          gone.add(posted.id);
          return posted;
        },
      }));
      const a = await join('a', { transport: spied, outer: outers[0], snapshotEvery: 2, deadlineSeconds: 1 });
      const b = await join('b', { transport: deaf, outer: outers[1], deadlineSeconds: 10 });
      for (const outer of outers) outer.step();
      const sync = a.sync();
      await vi.advanceTimersByTimeAsync(1000);
      await sync;
      return { a, b, outers };
    };

    test('is waited for in a snapshot', async () => {
      const { a, b, outers } = await late();
      const sync = b.sync();
      await vi.advanceTimersByTimeAsync(500);
      const other = a.sync();
      await vi.advanceTimersByTimeAsync(1000);
      await other;
      // The snapshot of round 2 is here: b goes on from there.
      gone.clear();
      const third = a.sync();
      expect(await sync).toMatchObject({ round: 2, isOwnTaken: true });
      await third;
      expect(outers.map(({ weights }) => weights[0])).toEqual([2, 2]);
      await Promise.all([a.leave(), b.leave()]);
    });

    test('and after the deadline is said; nothing is lost', async () => {
      const { a, b, outers } = await late();
      const failing = errorOf(() => b.sync());
      await vi.advanceTimersByTimeAsync(10_000);
      expect((await failing).message).toBe(
        'round 0, closed by "a", lists the delta of "a", which cannot be had: its bytes are gone, or not whole. ' +
          'For 10 s there was no snapshot of round 1 or later in its place. Nothing was changed; call sync() again to look again.',
      );
      expect([outers[1].round, outers[1].weights[0]]).toEqual([0, 1]);
      gone.clear();
      await Promise.all([a.sync(), b.sync()]);
      expect(outers.map(({ weights }) => weights[0])).toEqual([2, 2]);
      await Promise.all([a.leave(), b.leave()]);
    });
  });
});
