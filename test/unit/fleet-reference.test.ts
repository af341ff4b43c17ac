/** A fleet of real outer optimizers, on the CPU: their deltas, snapshots and bits. */
import { beforeEach, expect, inject, test } from 'vitest';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import {
  type Compress,
  type Fleet,
  type FleetOptions,
  ReferenceOuterOptimizer,
  joinFleet,
  memoryTransport,
} from '../../src/outer/index.js';
import { alteredTransport } from '../support/altered-transport.js';
import { errorOf } from '../support/error-of.js';

const ELEMENT_COUNT = 65;

interface Peer {
  readonly data: Float32Array<ArrayBuffer>;
  readonly outer: ReferenceOuterOptimizer;
  readonly fleet: Fleet;
}

let transport = memoryTransport();
beforeEach(() => void (transport = memoryTransport()));

async function join(
  peer: string,
  data: Float32Array<ArrayBuffer>,
  compress: Compress = 'none',
  options: Partial<FleetOptions> = {},
): Promise<Peer> {
  const outer = new ReferenceOuterOptimizer([{ name: 'w', data }], { every: 1, compress });
  const fleet = await joinFleet(outer, transport, { peer, deadlineSeconds: 10, ...options });
  return { data, outer, fleet };
}

function expectSame(peers: readonly Peer[]): void {
  for (const { data } of peers) expect(bitDifference(data, peers[0]!.data)).toBeUndefined();
}

test.each(['none', 'int8', { topK: 0.25, bits: 8 }] as const)(
  '%j: all peers have the same bits, a late one too',
  async (compress) => {
    const random = new Random(inject('seed'));
    const train = ({ data }: Peer): void => {
      for (const [k, step] of random.weights(ELEMENT_COUNT).entries()) data[k]! -= 0.01 * step;
    };
    const peers: Peer[] = [];
    for (const name of 'abc')
      peers.push(await join(name, random.weights(ELEMENT_COUNT), compress, { snapshotEvery: 3 }));
    expectSame(peers);
    for (let round = 0; round < 5; round += 1) {
      if (round === 4)
        peers.push(await join('late', random.weights(ELEMENT_COUNT), compress, { snapshotEvery: 3 }));
      for (const peer of peers) train(peer);
      const reports = await Promise.all(peers.map(({ fleet }) => fleet.sync({ samples: 8 })));
      for (const report of reports) expect(report).toMatchObject({ round, isOwnTaken: true, refused: [] });
      expect(reports[0]!.taken).toHaveLength(peers.length);
      expectSame(peers);
    }
    await Promise.all(peers.map(({ fleet }) => fleet.leave()));
  },
);

test('a peer whose weights are not finite is told at once, and begins anew from the anchor; the others do without it', async () => {
  const options = { deadlineSeconds: 1 };
  const [a, b] = await Promise.all([
    join('a', new Float32Array(3), 'none', options),
    join('b', new Float32Array(3), 'none', options),
  ]);
  a.data[0] = 1;
  b.data[0] = Number.NaN;
  const first = a.fleet.sync();
  expect((await errorOf(() => b.fleet.sync())).code).toBe('invalid-delta');
  expect((await first).taken).toEqual(['a']);
  await b.outer.loadSnapshot(await b.outer.snapshot());
  b.data[1] = 1;
  const [, report] = await Promise.all([a.fleet.sync(), b.fleet.sync()]);
  expect(report.isOwnTaken).toBe(true);
  expectSame([a, b]);
  await Promise.all([a.fleet.leave(), b.fleet.leave()]);
});

test('a delta far beyond the others is refused', async () => {
  const peers: Peer[] = [];
  for (const name of 'abcd') peers.push(await join(name, new Float32Array(3)));
  for (const { data } of peers) data[0] = 1;
  peers[3]!.data[0] = 1e30;
  const [report] = await Promise.all(peers.map(({ fleet }) => fleet.sync()));
  expect(report).toMatchObject({ taken: ['a', 'b', 'c'], refused: [{ peer: 'd' }] });
  expectSame(peers.slice(0, 3));
  await Promise.all(peers.map(({ fleet }) => fleet.leave()));
});

test('a round that is closed with nobody goes by for all alike', async () => {
  const memory = transport;
  const idle = alteredTransport(memory, (seat) => ({
    close: (close) => seat.close({ ...close, taken: [] }),
  }));
  const peers: Peer[] = [];
  for (const peer of 'ab') {
    const data = new Float32Array(3);
    const outer = new ReferenceOuterOptimizer([{ name: 'w', data }], { every: 1, compress: 'int8' });
    peers.push({ data, outer, fleet: await joinFleet(outer, idle, { peer, deadlineSeconds: 10 }) });
  }
  for (const [k, { data }] of peers.entries()) data[k] = 1;
  for (const report of await Promise.all(peers.map(({ fleet }) => fleet.sync()))) {
    expect(report).toMatchObject({ round: 0, taken: [], refused: [], isOwnTaken: false });
  }
  // What each has learnt is still in its weights.
  expect(peers.map(({ data }) => [...data])).toEqual([
    [1, 0, 0],
    [0, 1, 0],
  ]);
  const late = await join('late', new Float32Array(3));
  expect([late.outer.round, ...late.data]).toEqual([1, 0, 0, 0]);
  await Promise.all([...peers, late].map(({ fleet }) => fleet.leave()));
});
