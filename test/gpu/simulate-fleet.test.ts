import { expect, inject } from 'vitest';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { Optimizer, sgd } from '../../src/index.js';
import {
  type FleetSimulationOptions,
  OptimizerError,
  type SimulatedRound,
  simulateFleet,
} from '../../src/outer/index.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { quadraticPeer } from '../support/quadratic-peer.js';
import { makeParameter } from '../support/tensors.js';

const LENGTH = 65;
const seed = inject('seed');

type Peer = Awaited<ReturnType<typeof quadraticPeer>>;

/** Peers with targets of their own; the loss is the distance from the mean of these. */
function differentPeers(device: GPUDevice, track: Track, count: number) {
  const random = new Random(seed);
  const weights = random.weights(LENGTH);
  const targets = Array.from({ length: count }, () => random.weights(LENGTH));
  const common = weights.map((_, k) => targets.reduce((sum, own) => sum + own[k]! / count, 0));
  const made: Peer[] = [];
  const makePeer = async (k: number) => {
    const peer = await quadraticPeer(device, track, {
      weights,
      targets: targets[k]!,
      common,
      rule: sgd({ lr: 0.1 }),
    });
    made.push(peer);
    return peer;
  };
  return { made, makePeer };
}

const bitsOf = async (peer: Peer): Promise<Float32Array> => peer.optimizer.readParam('w');

// Weights stay within [1, 2], so that the difference of any two is exact, and a quarter of it, and the sum of four.
gpuTest(
  'four peers with the same data that exchange each step are one peer, bit for bit',
  async ({ device, track }) => {
    const random = new Random(seed);
    const weights = Float32Array.from({ length: LENGTH }, () => 1 + random.uniform());
    const targets = Float32Array.from({ length: LENGTH }, () => 1 + random.uniform());
    const alone = await quadraticPeer(device, track, { weights, targets, rule: sgd({ lr: 0.1 }) });
    const peers: Peer[] = [];
    let compared = 0;
    const { rounds, elementCount, bytesPerStep, dataParallelBytesPerStep, firstLoss, loss } =
      await simulateFleet({
        peers: 4,
        every: 1,
        rounds: 3,
        rule: sgd({ lr: 1 }),
        makePeer: async () => {
          const peer = await quadraticPeer(device, track, { weights, targets, rule: sgd({ lr: 0.1 }) });
          peers.push(peer);
          return peer;
        },
        onRound: async () => {
          await alone.step();
          const expected = await bitsOf(alone);
          for (const peer of peers) expect(bitDifference(await bitsOf(peer), expected)).toBeUndefined();
          compared++;
        },
      });
    expect(compared).toBe(3);
    expect(rounds.map(({ arrived }) => arrived)).toEqual([0, 1, 2].map(() => [0, 1, 2, 3]));
    expect(loss).toBeLessThan(firstLoss!);
    expect(loss).toBe(await alone.loss!());
    expect([elementCount, dataParallelBytesPerStep]).toEqual([LENGTH, 4 * LENGTH]);
    // Header and checksum beside the numbers.
    expect(bytesPerStep).toBeGreaterThan(4 * LENGTH);
    expect(peers.every(({ isDestroyed }) => isDestroyed)).toBe(true);
    alone.destroy();
  },
);

gpuTest('peers begin with the weights of the first', async ({ device, track }) => {
  const peers: Peer[] = [];
  await simulateFleet({
    peers: 2,
    every: 1,
    rounds: 1,
    makePeer: async (k) => {
      const peer = await quadraticPeer(device, track, { weights: [k], targets: [5], rule: sgd({ lr: 0.5 }) });
      peers.push(peer);
      return peer;
    },
    rule: sgd({ lr: 1 }),
    onRound: async () =>
      expect(await Promise.all(peers.map(bitsOf))).toEqual([0, 1].map(() => new Float32Array([2.5]))),
  });
});

const DROPPING = { peers: 4, every: 5, rounds: 8, dropouts: 0.5, compress: 'int8', seed } as const;

gpuTest('a simulation is the same each time, by its seed', async ({ device, track }) => {
  const run = (given: Partial<FleetSimulationOptions>) =>
    simulateFleet({ ...DROPPING, ...given, makePeer: differentPeers(device, track, 4).makePeer });
  const drawsOf = (rounds: readonly SimulatedRound[]) =>
    rounds.map(({ arrived, absent }) => [arrived, absent]);
  const first = await run({});
  expect(await run({})).toEqual(first);
  const other = await run({ seed: seed + 2 ** 32 });
  expect(drawsOf(other.rounds)).not.toEqual(drawsOf(first.rounds));
  // What else is drawn does not matter.
  const sleepy = await run({ absences: 0.25 });
  for (const [k, { dropped, absent }] of sleepy.rounds.entries()) {
    expect(first.rounds[k]!.dropped.filter((peer) => !absent.includes(peer))).toEqual(dropped);
  }
});

// Each round by itself takes a peer 1 − 0.9⁵ of its way.
gpuTest(
  'a fleet that loses half of its deltas still learns; one that loses all stays where it was',
  async ({ device, track }) => {
    const { makePeer } = differentPeers(device, track, 4);
    const { rounds, loss, firstLoss } = await simulateFleet({
      ...DROPPING,
      rounds: 12,
      makePeer,
      rule: sgd({ lr: 1 }),
    });
    expect(rounds.flatMap(({ dropped }) => dropped).length).toBeGreaterThan(0);
    // How much lower depends on which deltas the last rounds lost.
    expect(loss).toBeLessThan(firstLoss!);
    for (const { arrived, dropped, peerLosses } of rounds) {
      expect(new Set([...arrived, ...dropped])).toEqual(new Set([0, 1, 2, 3]));
      expect(peerLosses.every((own) => typeof own === 'number')).toBe(true);
    }
    const lost = await simulateFleet({
      ...DROPPING,
      rounds: 2,
      dropouts: 1,
      makePeer: differentPeers(device, track, 4).makePeer,
    });
    expect(lost.rounds.map(({ arrived }) => arrived)).toEqual([[], []]);
    expect(lost.loss).toBe(lost.firstLoss);
  },
);

gpuTest('peers that sleep catch up, by rounds that are kept or by a snapshot', async ({ device, track }) => {
  const { made, makePeer } = differentPeers(device, track, 4);
  const { rounds } = await simulateFleet({
    peers: 4,
    every: 2,
    rounds: 12,
    absences: 0.5,
    keepRounds: 2,
    seed: 7,
    makePeer,
    onRound: async ({ absent, arrived }) => {
      const present = made.filter((_, k) => !absent.includes(k));
      expect(arrived.length).toBe(present.length);
      const [first, ...others] = await Promise.all(present.map(bitsOf));
      for (const own of others) expect(bitDifference(own, first!)).toBeUndefined();
    },
  });
  const caught = rounds.flatMap(({ caughtUp }) => caughtUp);
  expect(caught.every(({ rounds: missed, bySnapshot }) => bySnapshot === missed > 2)).toBe(true);
  expect(new Set(caught.map(({ rounds: missed }) => missed))).toEqual(new Set([1, 2, 3]));
});

// Each step of a peer goes 1 down, so that a delta is as large as the steps in it, and counts for as many.
gpuTest(
  'what a peer could not give goes into its next delta, and counts for as much',
  async ({ device, track }) => {
    const optimizers: Optimizer[] = [];
    const pending = [0, 0, 0];
    // Peers whose deltas were lost with all others.
    const waiting = new Set<number>();
    let anchor = 0;
    const waysWithProgress = new Set<string>();
    await simulateFleet({
      peers: 3,
      every: 2,
      rounds: 48,
      dropouts: 0.5,
      absences: 0.5,
      keepRounds: 1,
      seed: 4,
      rule: sgd({ lr: 1 }),
      makePeer: async () => {
        const params = [makeParameter(device, track, 'w', [0], [1])];
        const optimizer = await Optimizer.create(device, { rule: sgd({ lr: 1 }), params });
        optimizers.push(optimizer);
        return { optimizer, step: () => optimizer.step(), destroy: () => optimizer.destroy() };
      },
      onRound: async ({ arrived, absent, caughtUp }) => {
        for (const { peer, bySnapshot } of caughtUp) {
          const way = bySnapshot
            ? waiting.has(peer)
              ? 'snapshot, with a lost delta'
              : 'snapshot'
            : 'rounds';
          if (pending[peer]! > 0) waysWithProgress.add(way);
        }
        const present = [0, 1, 2].filter((k) => !absent.includes(k));
        for (const k of present) pending[k]! += 2;
        for (const k of present) {
          if (arrived.length === 0) waiting.add(k);
          else waiting.delete(k);
        }
        const all = arrived.reduce((sum, k) => sum + pending[k]!, 0);
        for (const k of arrived) anchor -= pending[k]! ** 2 / all;
        for (const k of arrived) pending[k] = 0;
        for (const k of present) {
          // Numbers stay below 256, and at most ten roundings of each round are behind one.
          const [weight] = await optimizers[k]!.readParam('w');
          expect(Math.abs(weight! - (anchor - pending[k]!))).toBeLessThan(48 * 10 * 256 * 2 ** -24);
        }
      },
    });
    // All ways of catching up are met with progress that was not given yet.
    expect(anchor).toBeGreaterThan(-256);
    expect(waysWithProgress).toEqual(new Set(['rounds', 'snapshot', 'snapshot, with a lost delta']));
  },
);

// Of a constant gradient the same elements are the largest each time: what is left out would never move.
gpuTest('what compression leaves out goes into later rounds', async ({ device, track }) => {
  const gradients = [8, 4.25, 2.125, 1];
  const optimizers: Optimizer[] = [];
  const weights = [0, 0, 0, 0];
  const pending = [0, 0, 0, 0];
  await simulateFleet({
    peers: 2,
    every: 1,
    rounds: 16,
    compress: { topK: 0.25, bits: 32 },
    rule: sgd({ lr: 1 }),
    makePeer: async () => {
      const params = [makeParameter(device, track, 'w', weights, gradients)];
      const optimizer = await Optimizer.create(device, { rule: sgd({ lr: 1 }), params });
      optimizers.push(optimizer);
      return { optimizer, step: () => optimizer.step(), destroy: () => optimizer.destroy() };
    },
    onRound: async () => {
      gradients.forEach((gradient, k) => (pending[k]! += gradient));
      const largest = pending.indexOf(Math.max(...pending));
      weights[largest]! -= pending[largest]!;
      pending[largest] = 0;
      expect([...(await optimizers[0]!.readParam('w'))]).toEqual(weights);
    },
  });
  expect(weights.every((weight) => weight < 0)).toBe(true);
});

gpuTest('what is wrong is said at once, and leaves nothing behind', async ({ device, track }) => {
  const good = { peers: 2, every: 1, rounds: 1, makePeer: differentPeers(device, track, 2).makePeer };
  const cases: [given: object, message: RegExp][] = [
    [{ peers: 0 }, /peers is 0; give an integer from 1/],
    [{ rounds: 1.5 }, /rounds is 1.5;/],
    [{ every: 0 }, /every is 0;/],
    [{ compress: 'zip' }, /compress is "zip";/],
    [{ dropouts: 1.1 }, /dropouts is 1.1; give a share/],
    [{ absences: NaN }, /absences is NaN; give a share/],
    [{ keepRounds: 2 }, /keepRounds is 2, for peers that miss rounds; give absences/],
    [{ absences: 0, keepRounds: -1 }, /keepRounds is -1;/],
    [{ seed: 1 }, /seed is 1, but nothing is drawn/],
    [{ dropouts: 0, seed: -1 }, /seed is -1;/],
    [{ onRound: 1 }, /onRound is 1;/],
    [{ signal: {} }, /signal is \{ +\};/],
    [{ makePeer: undefined }, /makePeer is undefined;/],
    [{ makePeers: 1 }, /unknown option "makePeers"/],
    [{ makePeer: () => ({}) }, /makePeer\(0\) gave \{ +\}; give \{ optimizer, step\(\), destroy\(\) \}/],
  ];
  for (const [given, message] of cases) {
    const error = await errorOf(() => simulateFleet({ ...good, ...given }));
    expect(error).toMatchObject({ name: 'OptimizerError', code: 'invalid-config' });
    expect(error.message).toMatch(message);
  }
});

gpuTest('peers are freed, whatever ends the simulation', async ({ device, track }) => {
  const base = { peers: 2, every: 2, rounds: 2 };
  const fails = async (
    change: (peer: Peer, k: number, all: readonly Peer[]) => object,
    given: object = {},
  ) => {
    const { made, makePeer } = differentPeers(device, track, 2);
    const changed = async (k: number) => {
      const peer = await makePeer(k);
      const own = { ...peer, destroy: () => peer.destroy(), ...change(peer, k, made) };
      return own;
    };
    const error = await errorOf(() => simulateFleet({ ...base, ...given, makePeer: changed }));
    expect(made.every(({ isDestroyed }) => isDestroyed)).toBe(true);
    return error.message;
  };
  expect(await fails(() => ({ step: () => undefined }))).toMatch(
    /2 calls of step\(\) of peer 0 made 0 steps of its optimizer/,
  );
  const twice = async (peer: Peer): Promise<void> => {
    await peer.step();
    await peer.step();
  };
  expect(await fails((peer) => ({ step: () => twice(peer) }))).toMatch(
    /2 calls of step\(\) of peer 0 made 4 steps of its optimizer/,
  );
  expect(await fails(() => ({ loss: () => '1' }))).toMatch(/loss\(\) of peer 0 gave "1"; give a number/);
  expect(await fails((_, k, all) => (k === 1 ? { optimizer: all[0]!.optimizer } : {}))).toMatch(
    /makePeer\(1\) gave the optimizer of peer 0; make one for each/,
  );
  const aborting = new AbortController();
  const abort = () => aborting.abort(new OptimizerError('destroyed', 'enough'));
  expect(await fails(() => ({}), { signal: aborting.signal, onRound: abort })).toBe('enough');
});
