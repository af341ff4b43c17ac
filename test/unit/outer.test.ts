import { describe, expect, inject, test } from 'vitest';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { momentum } from '../../src/index.js';
import {
  type Compress,
  ReferenceOuterOptimizer,
  averageDeltas,
  inspectDelta,
  nesterov,
} from '../../src/outer/index.js';
import { readSafetensors, writeSafetensors } from '../../src/safetensors/index.js';
import { errorOf } from '../support/error-of.js';

const random = new Random(inject('seed'));
const ALL: readonly Compress[] = ['none', 'bf16', 'int8', { topK: 0.25, bits: 2 }, { topK: 100, bits: 32 }];
/** A step by the mean, whole and at once. */
const PLAIN = momentum({ lr: 1, momentum: 0 });

interface Peer {
  readonly outer: ReferenceOuterOptimizer;
  readonly w: Float32Array<ArrayBuffer>;
}

function makePeer(compress: Compress = 'none', values = [1, 2, 3, 4], rule = PLAIN): Peer {
  const w = Float32Array.from(values);
  return { w, outer: new ReferenceOuterOptimizer([{ name: 'w', data: w }], { every: 1, rule, compress }) };
}

const move = ({ w }: Peer, by: readonly number[]): void => by.forEach((step, k) => (w[k] = w[k]! + step));

/** The same delta with other metadata and, if given, other values; its checksum is its own again, or not. */
async function forge(
  bytes: Uint8Array<ArrayBuffer>,
  change: (header: Record<string, unknown>) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const file = await readSafetensors(bytes);
  const header = JSON.parse(file.metadata['webgpu-optim-delta']!) as Record<string, unknown>;
  change(header);
  const tensors = [];
  for (const { name, dtype, shape, bytes: read } of await allTensors(file))
    tensors.push({ name, dtype, shape, data: read });
  return writeSafetensors('bytes', tensors, { 'webgpu-optim-delta': JSON.stringify(header) });
}

async function allTensors(file: Awaited<ReturnType<typeof readSafetensors>>) {
  const all = [];
  for (const tensor of file.tensors.values())
    all.push({ name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, bytes: await tensor.bytes() });
  return all;
}

describe('a fleet on identical data with one inner step is one peer', () => {
  for (const count of [1, 2, 4, 8]) {
    test(`${count} peers`, async () => {
      const values = Array.from(random.weights(1000));
      const steps = Array.from(random.gradients(1000));
      const peers = Array.from({ length: count }, () => makePeer('none', values));
      for (const peer of peers) move(peer, steps);
      const alone = peers[0]!.w.slice();
      const deltas = await Promise.all(peers.map(({ outer }, k) => outer.delta({ peer: String(k) })));
      await Promise.all(peers.map(({ outer }) => outer.apply(deltas)));
      for (const { w } of peers) expect(bitDifference(w, peers[0]!.w)).toBeUndefined();
      // a − (a − w): the difference is rounded, so are the sums of the mean, and what it is taken from.
      peers[0]!.w.forEach((weight, k) => {
        const bound = 2 ** -24 * (count * Math.abs(values[k]! - alone[k]!) + Math.abs(weight)) * 1.001;
        expect(Math.abs(weight - alone[k]!)).toBeLessThanOrEqual(bound);
      });
    });
  }
});

test('the mean is weighted by samples', async () => {
  const [a, b] = [makePeer(), makePeer()];
  move(a, [4, 0, 0, 0]);
  move(b, [0, 4, 0, 0]);
  const deltas = [await a.outer.delta({ samples: 30 }), await b.outer.delta({ samples: 10 })];
  await a.outer.apply(deltas);
  expect([...a.w]).toEqual([4, 3, 3, 4]);
  await b.outer.apply(await averageDeltas(deltas));
  expect([...b.w]).toEqual([4, 3, 3, 4]);
});

for (const compress of ALL) {
  const name = JSON.stringify(compress);

  test(`${name}: a mean is what its deltas are, whatever their order`, async () => {
    const values = Array.from(random.weights(5000));
    const peers = [0, 1, 2].map(() => makePeer(compress, values, nesterov()));
    for (let round = 0; round < 2; round++) {
      for (const peer of peers) move(peer, Array.from(random.gradients(5000)));
      const deltas = await Promise.all(
        peers.map(({ outer }, k) => outer.delta({ samples: k + 1, peer: `p${k}` })),
      );
      const mean = await averageDeltas(deltas.toReversed());
      expect(await inspectDelta(mean)).toMatchObject({ round, samples: 6, compress: 'none' });
      await peers[0]!.outer.apply(deltas);
      await peers[1]!.outer.apply(deltas.toReversed());
      await peers[2]!.outer.apply(mean);
      for (const { w } of peers) expect(bitDifference(w, peers[0]!.w)).toBeUndefined();
    }
  });

  test(`${name}: nothing is lost of what a peer had to leave out, nor of a delta that came too late`, async () => {
    const [a, b] = [makePeer(compress), makePeer(compress)];
    const sum = [0, 0, 0, 0];
    const moves = Array.from({ length: 6 }, () => Array.from(random.weights(4)));
    for (const [round, step] of moves.entries()) {
      move(a, step);
      step.forEach((value, k) => (sum[k] = sum[k]! + value));
      const delta = await a.outer.delta();
      const other = await b.outer.delta({ peer: 'b' });
      await a.outer.apply(round === 2 ? [other] : [delta]);
      await b.outer.apply(round === 2 ? [other] : [delta]);
    }
    // What is still left over comes when nothing is added to it: of 4 elements the largest are soon given.
    for (let round = 0; round < 60; round++) {
      const delta = await a.outer.delta();
      await a.outer.apply(delta);
      await b.outer.apply(delta);
    }
    // The coarsest, 2 bits of 1 of 4, keep the largest as it is; float32 of some ten numbers up to 10 rounds by 2⁻²⁰ each time.
    b.w.forEach((weight, k) => expect(Math.abs(weight - (k + 1 + sum[k]!))).toBeLessThan(200 * 2 ** -20));
    expect(bitDifference(a.w, b.w)).toBeUndefined();
  });
}

test('a snapshot brings a late joiner, and one that fell behind, to where the others are', async () => {
  const rule = nesterov();
  const [a, late, behind] = [
    makePeer('int8', [1, 2, 3, 4], rule),
    makePeer('int8', [9, 9, 9, 9], rule),
    makePeer('int8', [1, 2, 3, 4], rule),
  ];
  move(behind, [0.5, 0, 0, 0]);
  for (let round = 0; round < 3; round++) {
    move(a, Array.from(random.weights(4)));
    await a.outer.apply(await a.outer.delta());
  }
  const snapshot = await a.outer.snapshot();
  await late.outer.loadSnapshot(snapshot);
  await behind.outer.loadSnapshot(snapshot, { keepProgress: true });
  expect([late.outer.round, behind.outer.round]).toEqual([3, 3]);
  expect(bitDifference(late.w, a.w)).toBeUndefined();
  expect([...behind.w]).toEqual([Math.fround(a.w[0]! + 0.5), ...a.w.slice(1)]);
  const deltas = [await behind.outer.delta({ peer: 'behind' }), await late.outer.delta({ peer: 'late' })];
  for (const { outer } of [a, late, behind]) await outer.apply(deltas);
  expect(bitDifference(late.w, a.w)).toBeUndefined();
  expect(bitDifference(behind.w, a.w)).toBeUndefined();
  expect(
    bitDifference(await readBack(await late.outer.snapshot()), await readBack(await a.outer.snapshot())),
  ).toBeUndefined();
});

test("what is no snapshot, or another model's, is said so, and nothing changes", async () => {
  const peer = makePeer();
  move(peer, [1, 0, 0, 0]);
  const other = new ReferenceOuterOptimizer([{ name: 'w', data: new Float32Array(3) }], {
    every: 1,
    rule: PLAIN,
  });
  const strange = new ReferenceOuterOptimizer([{ name: 'v', data: new Float32Array(4) }], {
    every: 1,
    rule: PLAIN,
  });
  const own = await peer.outer.snapshot();
  const ofOtherRule = await makePeer('none', [1, 2, 3, 4], nesterov()).outer.snapshot();
  const given = [
    await other.snapshot(),
    await strange.snapshot(),
    ofOtherRule,
    own.slice(0, -5),
    await peer.outer.delta(),
  ];
  for (const snapshot of given) {
    const error = await errorOf(() => peer.outer.loadSnapshot(snapshot));
    expect(error.message).toContain(
      'it is no snapshot of a peer with the same parameters and outer rule, or is not whole: ',
    );
    expect([...peer.w]).toEqual([2, 2, 3, 4]);
    expect(peer.outer.round).toBe(0);
  }
  await peer.outer.loadSnapshot(own);
  expect([...peer.w]).toEqual([1, 2, 3, 4]);
});

test('what compression had left over is forgotten with a snapshot', async () => {
  for (const compress of ALL.slice(1)) {
    const peer = makePeer(compress);
    move(peer, [0.1, 0.7, 0.3, 0.123456]);
    await peer.outer.apply(await peer.outer.delta());
    await peer.outer.loadSnapshot(await peer.outer.snapshot());
    expect((await inspectDelta(await peer.outer.delta())).norm).toBe(0);
  }
});

async function readBack(snapshot: Uint8Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>> {
  const file = await readSafetensors(snapshot);
  const tensors = await allTensors(file);
  return new Float32Array(
    tensors
      .filter(({ dtype }) => dtype === 'F32')
      .flatMap(({ bytes }) => [...new Float32Array(bytes.slice().buffer)]),
  );
}

test('calls that nobody awaits take effect in their order', async () => {
  const [a, b] = [makePeer(), makePeer()];
  move(a, [1, 0, 0, 0]);
  const first = a.outer.delta();
  const applied = first.then((delta) =>
    Promise.all([a.outer.apply(delta), a.outer.snapshot(), a.outer.delta()]),
  );
  const [, snapshot, second] = await applied;
  await b.outer.loadSnapshot(snapshot);
  expect([...b.w]).toEqual([2, 2, 3, 4]);
  expect(await inspectDelta(second)).toMatchObject({ round: 1, norm: 0 });
});

describe('deltas that do not fit are refused, and nothing changes', () => {
  const refused = async (given: unknown, message: string | RegExp, peer = makePeer()): Promise<void> => {
    const before = peer.w.slice();
    const { round } = peer.outer;
    const error = await errorOf(() => peer.outer.apply(given as Uint8Array));
    expect(error.code).toBe('invalid-delta');
    expect(error.message).toMatch(message);
    expect(bitDifference(peer.w, before)).toBeUndefined();
    expect(peer.outer.round).toBe(round);
  };

  test('none, and what is none', async () => {
    for (const given of [[], undefined, null, 'delta', [new ArrayBuffer(8)], {}])
      await refused(given, /Uint8Array|list/);
    await refused(new Uint8Array(100), 'no file, or is cut');
    await refused(await makePeer().outer.snapshot(), 'no metadata "webgpu-optim-delta"');
  });

  for (const compress of ALL) {
    test(`cut at any byte, or with any bit changed: ${JSON.stringify(compress)}`, async () => {
      const peer = makePeer(compress, [1, 2, 3, 4, 5]);
      move(peer, [1, 2, 3, 4, 5]);
      const delta = await peer.outer.delta();
      for (let k = 0; k < 20; k++) {
        await refused(delta.slice(0, random.integer(delta.length)), /cut|changed|lacks/, peer);
        const other = delta.slice();
        const at = random.integer(delta.length);
        other[at] = other[at]! ^ (1 << random.integer(8));
        await refused(other, /./, peer);
      }
      await peer.outer.apply(delta);
    });
  }

  test('of another round', async () => {
    const [a, b] = [makePeer(), makePeer()];
    const early = await a.outer.delta({ peer: 'a' });
    await a.outer.apply(early);
    await refused(
      await a.outer.delta({ peer: 'a' }),
      'the delta of "a" is of round 1, from the future: this peer is in round 0',
      b,
    );
    await refused(early, 'the delta of "a" is of round 0, from the past: this peer is in round 1', a);
    await refused([await b.outer.delta(), await a.outer.delta()], 'deltas are of rounds 0 and 1', b);
  });

  test('of another model', async () => {
    const longer = makePeer('none', [1, 2]);
    await refused(await longer.outer.delta(), 'parameter "w" has 2 elements there, and 4 here');
    const other = new ReferenceOuterOptimizer([{ name: 'v', data: new Float32Array(4) }], { every: 1 });
    await refused(await other.delta(), 'it lacks ["w"] and has ["v"]');
  });

  test('twice, or two of one peer', async () => {
    const [a, b] = [makePeer(), makePeer()];
    move(b, [1, 1, 1, 1]);
    const delta = await a.outer.delta({ peer: 'a' });
    await refused([delta, delta.slice()], 'two deltas hold the same', a);
    await refused([delta, await b.outer.delta({ peer: 'a' })], 'two deltas are of peer "a"', a);
    await refused([await averageDeltas([delta]), delta], 'two deltas hold the same', a);
  });

  test('with a header that says what cannot be', async () => {
    const delta = await makePeer().outer.delta();
    const cases: [Record<string, unknown>, RegExp][] = [
      [{ version: 2 }, /of version 2, but this library reads version 1/],
      [{ round: -1 }, /of round -1/],
      [{ samples: 0 }, /counts for 0 samples/],
      [{ samples: null }, /counts for null samples/],
      [{ peer: 7 }, /of peer 7/],
      [{ lengths: { w: 1.5 } }, /has lengths/],
      [{ lengths: { w: 5 } }, /of 16 bytes, which its header does not say/],
      [{ lengths: { w: 4, v: 1 } }, /changed|no tensor/],
      [{ contributors: [1] }, /has contributors/],
      [{ round: 1 }, /changed since it was written/],
    ];
    for (const [change, message] of cases) {
      await refused(await forge(delta, (header) => Object.assign(header, change)), message);
    }
    const unknown = await forge(delta, (header) => (header['compress'] = 'zip'));
    const error = await errorOf(() => makePeer().outer.apply(unknown));
    expect(error.code).toBe('invalid-delta');
    expect(error.message).toContain('"zip"');
  });

  test('not finite: the peer that has them is told, and goes on from a snapshot', async () => {
    for (const compress of ALL) {
      for (const bad of [NaN, Infinity, -Infinity]) {
        const [a, b] = [makePeer(compress), makePeer(compress)];
        move(a, [1, bad, 0, 0]);
        const error = await errorOf(() => a.outer.delta());
        expect(error.code).toBe('invalid-delta');
        expect(error.message).toContain('parameter "w" has weights that are not finite');
        await a.outer.loadSnapshot(await b.outer.snapshot());
        expect([...a.w]).toEqual([1, 2, 3, 4]);
        move(a, [0, 0, 1, 0]);
        await b.outer.apply(await a.outer.delta());
        expect([...b.w]).toEqual([1, 2, 4, 4]);
      }
    }
  });
});

test('options that make no sense are refused', async () => {
  const make = (options: object) =>
    errorOf(() => new ReferenceOuterOptimizer([{ name: 'w', data: new Float32Array(1) }], options as never));
  const cases: [object, string][] = [
    [{}, 'every is undefined'],
    [{ every: 0 }, 'every is 0'],
    [{ every: 1.5 }, 'every is 1.5'],
    [{ every: 1, compress: 'zip' }, 'compress is "zip"'],
    [{ every: 1, compress: { topK: 0, bits: 2 } }, 'topK is 0'],
    [{ every: 1, compress: { topK: 0.6, bits: 2 } }, 'topK is 0.6'],
    [{ every: 1, compress: { topK: 2049, bits: 2 } }, 'topK is 2049'],
    [{ every: 1, compress: { topK: 1.5, bits: 2 } }, 'topK is 1.5'],
    [{ every: 1, compress: { topK: NaN, bits: 2 } }, 'topK is NaN'],
    [{ every: 1, compress: { topK: 1, bits: 3 } }, 'bits is 3'],
    [{ every: 1, compress: { topK: 1, bits: 2, block: 64 } }, 'block'],
    [{ every: 1, evry: 1 }, 'evry'],
    [{ every: 1, rule: 'nesterov' }, '"nesterov"'],
  ];
  for (const [options, message] of cases) expect((await make(options)).message).toContain(message);
  expect((await make([])).message).toContain('the options are');
  const { outer } = makePeer();
  for (const options of [
    { samples: 0 },
    { samples: NaN },
    { samples: '1' },
    { peer: '' },
    { peer: 1 },
    { sample: 1 },
    7,
  ]) {
    expect((await errorOf(() => outer.delta(options as never))).code).toBe('invalid-config');
  }
  expect(
    (await errorOf(() => outer.loadSnapshot(new Uint8Array(3), { keepProgress: 1 } as never))).code,
  ).toBe('invalid-config');
});
