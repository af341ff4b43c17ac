import { expect, test } from 'vitest';
import { parseCase, resolveCase } from '../../lab/measuring/cases.js';
import { CpuClock } from '../../bench/cpu-clock.js';
import { interleave } from '../../lab/measuring/interleave.js';
import type { Heat, PeerName } from '../../lab/measuring/protocol.js';
import { chooseShape } from '../../src/kernel/shape.js';
import { describeShape, makeRows, reasonOf } from '../../lab/measuring/rows.js';
import { createRandom, shuffled } from '../../lab/random.js';
import { median, pairedRatio } from '../../lab/measuring/statistics.js';

test('the median of an even count is between the middle two', () => {
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test('a paired ratio compares within rounds: a round that was slow for both does not count', () => {
  expect(pairedRatio([2, 20, 200], [1, 10, 100])).toBe(2);
});

test('a shuffle is a permutation, of a copy, and its seed repeats it', () => {
  const items = [1, 2, 3, 4, 5, 6, 7, 8];
  const once = shuffled(items, createRandom(1));
  expect(once).not.toEqual(items);
  expect(once.toSorted((a, b) => a - b)).toEqual(items);
  expect(shuffled(items, createRandom(1))).toEqual(once);
  expect(shuffled(items, createRandom(2))).not.toEqual(once);
});

test('contestants take turns, with as many steps as fill a measurement, and times are per step', async () => {
  const msPerStep: Record<string, number> = { fast: 1, slow: 60 };
  const calls: [string, number][] = [];
  const measure = (name: string, steps: number) => {
    calls.push([name, steps]);
    return Promise.resolve(msPerStep[name]! * steps);
  };
  const times = await interleave(['fast', 'slow'], measure, {
    rounds: 3,
    minMeasurementMs: 100,
    uniform: createRandom(1),
  });
  expect(Object.fromEntries(times)).toEqual({ fast: [1, 1, 1], slow: [60, 60, 60] });
  const counted = calls.slice(4);
  for (let round = 0; round < 3; round += 1) {
    expect(new Map(counted.slice(2 * round, 2 * round + 2))).toEqual(
      new Map([
        ['fast', 100],
        ['slow', 2],
      ]),
    );
  }
});

test('CPU time is per step, without what the first measurement compiled', async () => {
  const readings = [0, 1000, 1000, 1010, 1010, 1030];
  const clock = new CpuClock<string>(() => Promise.resolve(readings.shift()!));
  for (const steps of [1, 5, 10]) await clock.observe('ours', steps, () => Promise.resolve());
  expect(clock.meansMs().get('ours')).toBe(30 / 15);
});

test('a row says what a fused step would have to move, whatever was moved', () => {
  const shape = { workgroupSize: 64, lanesPerInvocation: 8, consecutive: true };
  const peers: PeerName[] = ['ours', 'limit', 'cpu'];
  const heat: Heat = { peers, cannotHold: [], arraysRead: 4, arraysWritten: 3, shape };
  const counts = { dispatches: 1, submits: 1, newObjects: 0, hostMs: 0.1 };
  const rows = makeRows(
    resolveCase(parseCase('100x1e4'), Infinity),
    'adam',
    heat,
    new Map(
      peers.map((peer) => [peer, { ours: [4, 2, 8], limit: [2, 2, 2], cpu: [1, 1, 1] }[peer as 'ours']]),
    ),
    new Map(peers.map((peer) => [peer, counts])),
    new Map(peers.map((peer) => [peer, 3])),
    // The CPU has no timestamps.
    new Map(peers.map((peer) => [peer, peer === 'cpu' ? [] : [1, 3, 2]])),
  );
  expect(rows[0]).toEqual({
    peer: 'ours',
    rule: 'adam',
    case: '100x1e4',
    medianMs: 4,
    minMs: 2,
    elementsPerSecond: 2.5e8,
    cpuMs: 3,
    gpuMs: 2,
    // 7 arrays of 4 MB in 4 ms.
    gbPerSecond: 7,
    fractionOfLimit: 0.5,
    ...counts,
  });
  expect(rows.map(({ cpuMs }) => cpuMs)).toEqual([3, 3, null]);
  expect(rows.map(({ gpuMs }) => gpuMs)).toEqual([2, 2, null]);
  expect(rows[1]!.fractionOfLimit).toBe(1);
  expect(describeShape(shape)).toBe('64×8c');
  expect(reasonOf(shape)).toMatch(/^CPU adapter: of 64 to 2048 lanes .* 16 workgroups$/);
  expect(reasonOf(chooseShape({ architecture: 'swiftshader' }, 4))).toMatch(/^CPU adapter: a workgroup is/);
  expect(reasonOf(chooseShape({ vendor: 'nvidia' }, 4))).toMatch(/^GPU/);
});
