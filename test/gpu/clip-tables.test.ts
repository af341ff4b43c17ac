/** The norm of each parameter's gradient, limited by itself: of tables, and of tensors that come and go. */
import { expect, inject } from 'vitest';
import { Optimizer, adam, momentum, sgd } from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { Random } from '../../proof/random.js';
import { checkTableParity } from '../../proof/table-parity.js';
import { gpuTest } from '../support/device.js';
import { FRESH, makeLifePair } from '../support/life-pair.js';
import { microtasks, watchBuffers } from '../support/live-buffers.js';
import { checkSparse } from '../support/sparse-run.js';
import { makeParameter } from '../support/tensors.js';

gpuTest(
  'columns of structs count without what lies between, and without rows that a mask leaves alone',
  async ({ device, track }) => {
    const { sameBits } = await checkTableParity({
      device,
      track,
      rule: adam(),
      clip: { maxGradNormPerTensor: 0.5, maxGradValue: 0.02 },
      tables: [
        { rowLength: 3, dataGap: 0, gradGap: 1, masked: 0.3 },
        { rowLength: 4, masked: 0.3 },
        { rowLength: 5, gradGap: 2 },
        { rowLength: 6, masked: 0.3, constraint: 'unit-rows' },
      ],
      // More than one workgroup measures each.
      rowCount: 3001,
      oneBuffer: false,
      steps: 2,
      random: new Random(inject('seed')),
    });
    expect(sameBits || !isSwiftShader(device)).toBe(true);
  },
);

gpuTest('of a sparse gradient the sums of its rows count', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  for (const rowLength of [3, 4]) {
    await checkSparse({
      device,
      track,
      random,
      // Its state shows all bits of the norm.
      rule: momentum(),
      rowCount: 300,
      rowLength,
      entryCount: 4000,
      steps: 4,
      // Most rows more than once, many not at all, and some that are not there.
      chooseRow: () => 3 * random.integer(120),
      counts: [4000, 3017, 3500, 2900],
      config: { maxGradNormPerTensor: 2 },
    });
  }
});

gpuTest('tensors that rest, go and move are clipped as the others', async ({ device, track }) => {
  // Elsewhere norms have other bits than the twin's.
  if (!isSwiftShader(device)) return;
  const random = new Random(inject('seed'));
  const tensor = (name: string, rowLength: number) => ({ name, rowLength, rowCount: 37, room: 90 });
  const pair = await makeLifePair(
    device,
    track,
    random,
    adam(),
    [['a', 'b', 'c', 'd'].map((name, k) => tensor(name, 3 + k)), [tensor('e', 59)]],
    { maxGradNormPerTensor: 0.5, skipNonFinite: true },
  );
  const { optimizer } = pair;
  pair.step();
  pair.step(['b']);
  optimizer.freeze(['a', 'd']);
  pair.step([], new Set(['a', 'd']));
  void pair.map(
    ['b', 'e'],
    Uint32Array.from({ length: 50 }, (_, k) => (k < 30 ? k + 3 : FRESH)),
    { elsewhere: true },
  );
  pair.step([], new Set(['a', 'd']));
  // No stage has anything to do.
  optimizer.freeze(['b', 'c', 'e']);
  optimizer.unfreeze(['a', 'b', 'c', 'd', 'e']);
  pair.remove(['c']);
  pair.step();
  await pair.compare('at the end');
});

gpuTest('copies take the room of the gradients, and nothing is left of them', async ({ device, track }) => {
  const make = (name: string) => makeParameter(device, track, name, [0, 0], [3, 4]);
  const [a, b, c, d] = [make('a'), make('b'), make('c'), make('d')];
  const live = track(watchBuffers(device));
  const optimizer = await Optimizer.create(device, {
    rule: sgd({ lr: 1 }),
    params: [a],
    maxGradNormPerTensor: 1,
  });
  const copies = () => live.labels.filter((label) => label.includes('clipped gradients'));
  const counts: number[] = [];
  for (let round = 0; round < 3; round++) {
    optimizer.step();
    const group = await optimizer.addGroup({ params: [b, c, d] });
    optimizer.step();
    await optimizer.norms();
    expect(copies()).toEqual([expect.stringContaining('(64 bytes)')]);
    optimizer.removeGroup(group);
    await optimizer.norms();
    expect(copies()).toEqual([expect.stringContaining('(16 bytes)')]);
    counts.push(live.labels.length);
  }
  expect(counts[2], live.labels.join('\n')).toBe(counts[0]);
  optimizer.destroy();
  await microtasks(8);
  expect(live.labels).toEqual([]);
});

gpuTest('what a caller has encoded is right behind a change', async ({ device, track }) => {
  const a = makeParameter(device, track, 'a', [0, 0], [3, 4]);
  const config = { rule: sgd({ lr: 1 }), params: [a], maxGradNormPerTensor: 1 };
  const optimizer = track(await Optimizer.create(device, config));
  const encoder = device.createCommandEncoder();
  optimizer.encode(encoder);
  optimizer.freeze(['a']);
  optimizer.unfreeze(['a']);
  device.queue.submit([encoder.finish()]);
  const got = await optimizer.readParam('a');
  expect(got[0]).toBeCloseTo(-0.6, 5);
  expect(got[1]).toBeCloseTo(-0.8, 5);
});
