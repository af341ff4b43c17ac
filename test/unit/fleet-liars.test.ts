/** Peers that close rounds with what is not so: the others go on, and have the same bits. */
import { expect, test, vi } from 'vitest';
import { joinFleetWith } from '../../src/fleet/join-fleet.js';
import type { FleetSeat, FleetTransport, RoundClose, TakenDelta } from '../../src/fleet/transport.js';
import { alteredTransport } from '../support/altered-transport.js';
import { errorOf } from '../support/error-of.js';
import { FakeOuter, fakeCodec } from '../support/fake-outer.js';
import { type FleetPeer, fleetTest } from '../support/fleet-test.js';

const world = fleetTest();
const { join } = world;

/** A seat that closes rounds with a list of its own; what it would have listed is given. */
const closing =
  (list: (sound: RoundClose, seat: FleetSeat) => readonly TakenDelta[] | Promise<readonly TakenDelta[]>) =>
  (seat: FleetSeat): Partial<FleetSeat> => ({
    close: async (close) => seat.close({ ...close, taken: await list(close, seat) }),
  });

/** Transports of which the liar's closes round 0 before the honest ones' can. */
function liarFirst(lie: (seat: FleetSeat) => Partial<FleetSeat>): {
  liar: FleetTransport;
  honest: FleetTransport;
} {
  let lied = (): void => undefined;
  const lying = new Promise<void>((resolve) => (lied = resolve));
  const liar = alteredTransport(world.memory, (seat) => {
    const lies = lie(seat);
    const close = lies.close ?? ((sound) => seat.close(sound));
    return { ...lies, close: (sound) => close(sound).finally(lied) };
  });
  const honest = alteredTransport(world.memory, (seat) => ({
    close: (close) => lying.then(() => seat.close(close)),
  }));
  return { liar, honest };
}

/**
 * A round of two honest peers and a liar, which closes it; a fourth peer comes later, and a second round of all.
 *
 * @returns what each of the first three was told, once all four have the same bits.
 */
async function roundOf(lie: (seat: FleetSeat) => Partial<FleetSeat>) {
  const { liar, honest } = liarFirst(lie);
  const peers = [
    await join('liar', { transport: liar }),
    await join('b', { transport: honest }),
    await join('c', { transport: honest }),
  ];
  for (const [k, { outer }] of peers.entries()) outer.step(k);
  const reports = await Promise.all(peers.map(({ fleet }) => fleet.sync()));
  for (const { closedBy } of reports) expect(closedBy).toBe('liar');
  const anchor = [...peers[1]!.outer.anchor];
  const late = await join('late');
  expect(late.outer.anchor).toEqual(anchor);
  const [, b, c] = peers as [FleetPeer, FleetPeer, FleetPeer];
  await peers[0]!.fleet.leave();
  await Promise.all([b, c, late].map(({ fleet }) => fleet.sync()));
  // Nothing of the honest ones is lost.
  for (const { outer } of [b, c, late]) expect(outer.weights.slice(1)).toEqual([1, 1, 0]);
  expect(late.outer.history).toEqual(b.outer.history);
  expect(c.outer.history).toEqual(b.outer.history);
  await Promise.all([b, c, late].map(({ fleet }) => fleet.leave()));
  return { reports, anchor };
}

test('bytes that differ from what their own peer listed are refused by all alike', async () => {
  const { reports, anchor } = await roundOf((seat) => ({
    post: async (round, bytes) => seat.post(round, await forged(bytes)),
  }));
  const reason = 'its bytes are others than those that were listed';
  // The liar takes its own for sound.
  for (const report of reports.slice(1)) {
    expect(report).toMatchObject({ round: 0, taken: ['b', 'c'], refused: [{ peer: 'liar', reason }] });
  }
  expect(anchor).toEqual([0, 1, 1, 0]);
});

test('bytes that are no delta are refused by all alike', async () => {
  const { reports, anchor } = await roundOf((seat) => ({
    post: (round, bytes) => seat.post(round, bytes.subarray(0, 9)),
  }));
  for (const { taken } of reports.slice(1)) expect(taken).toEqual(['b', 'c']);
  expect(anchor).toEqual([0, 1, 1, 0]);
});

test('a delta that is listed twice counts once, and one that is listed as another peer’s not at all', async () => {
  const { reports, anchor } = await roundOf(
    closing(({ taken }) => {
      const [b, c, liar] = taken;
      return [liar!, liar!, b!, { ...c!, peer: 'x' }];
    }),
  );
  for (const { taken, refused } of reports) {
    expect(taken).toEqual(['b', 'liar']);
    expect(refused).toEqual([
      { peer: 'liar', reason: 'it is listed twice' },
      { peer: 'x', reason: 'it says that it is by "c"' },
    ]);
  }
  expect(anchor).toEqual([1, 1, 0, 0]);
});

test('of another model, by who has put none itself, is refused alike', async () => {
  const { reports } = await roundOf(
    closing(async ({ taken }, seat) => {
      const bytes = await new FakeOuter(5).delta({ peer: 'liar' });
      const { checksum } = await fakeCodec.inspect(bytes);
      return [...taken.slice(0, 2), { ...(await seat.post(0, bytes)), checksum }];
    }),
  );
  for (const { taken } of reports) expect(taken).toEqual(['b', 'c']);
});

test.each([
  ['nobody', () => []],
  ['what must be refused', ({ taken }: RoundClose) => [{ ...taken[0]!, checksum: 'another' }]],
])('a round that is closed with %s goes by, and nothing is lost', async (_, list) => {
  const { reports, anchor } = await roundOf(closing(list));
  for (const report of reports) expect(report).toMatchObject({ taken: [], isOwnTaken: false });
  expect(anchor).toEqual([0, 0, 0, 0]);
});

test('a delta that says it is of several peers is refused', async () => {
  const codec: typeof fakeCodec = {
    ...fakeCodec,
    inspect: async (bytes) => {
      const seen = await fakeCodec.inspect(bytes);
      return { ...seen, contributors: seen.peer === 'a' ? [{ checksum: 'of b' }] : [seen] };
    },
  };
  const fleets = await Promise.all(
    ['a', 'b'].map((peer) =>
      joinFleetWith(codec, new FakeOuter(), world.memory, { peer, deadlineSeconds: 60 }),
    ),
  );
  const refused = [{ peer: 'a', reason: 'it says that it is of several peers' }];
  const reports = await Promise.all(fleets.map((fleet) => fleet.sync()));
  for (const report of reports) expect(report).toMatchObject({ taken: ['b'], refused });
  await Promise.all(fleets.map((fleet) => fleet.leave()));
});

test('bytes that nobody has are waited for, and the error says who listed them', async () => {
  const { liar, honest } = liarFirst(closing(({ taken }) => [{ ...taken[0]!, id: 'nowhere' }]));
  const peers = [await join('liar', { transport: liar }), await join('b', { transport: honest })];
  const failing = peers.map(({ fleet }) => errorOf(() => fleet.sync()));
  await vi.advanceTimersByTimeAsync(60_000);
  for (const error of await Promise.all(failing)) {
    expect(error.message).toMatch(
      /^round 0, closed by "liar", lists the delta of "b", which cannot be had: its bytes are gone, or not whole\. For 60 s /u,
    );
  }
  await Promise.all(peers.map(({ fleet }) => fleet.leave()));
});

/** A delta of the same round and peer, with other values. */
async function forged(bytes: Uint8Array): Promise<Uint8Array> {
  const { round, peer } = await fakeCodec.inspect(bytes);
  const other = new FakeOuter();
  other.round = round;
  other.step(0, 3);
  return other.delta({ peer: peer! });
}
