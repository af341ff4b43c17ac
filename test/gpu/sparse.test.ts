import { tensorOf } from '../../src/rules/rule.js';
import { expect, inject } from 'vitest';
import { Optimizer, adam, momentum, sgd } from '../../src/index.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { bitDifference } from '../../proof/compare.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { Random } from '../../proof/random.js';
import { checkTogether } from '../support/together.js';
import { checkSparse, makeWords } from '../support/sparse-run.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

/** The rows that entries name: each once, some often, all the same, and some that are not in the table. */
const CHOICES: Record<string, (rowCount: number, random: Random) => (k: number) => number> = {
  'random rows': (rowCount, random) => () => random.integer(rowCount),
  'all of one row': (rowCount) => () => rowCount - 1,
  'rows named once': (rowCount) => (k) => (k * 7919) % rowCount,
  'rows out of range': (rowCount, random) => () =>
    random.pick([
      random.integer(rowCount),
      rowCount,
      0xffff_ffff,
      // The same lowest digits as a row of the table.
      2 ** 18 + random.integer(rowCount),
    ]),
};

for (const [what, choose] of Object.entries(CHOICES)) {
  for (const rowLength of [1, 2, 3, 4, 5, 64]) {
    gpuTest(`${what}, rows of ${rowLength}`, ({ device, track }) =>
      checkTogether(
        [1, 3, 63, 64, 65, 255, 256, 257],
        (entryCount) => `${entryCount} entries`,
        async (entryCount) => {
          const rowCount = 311;
          const random = new Random(inject('seed') + entryCount);
          const chooseRow = choose(rowCount, random);
          const offset = entryCount % 4;
          const run = { device, track, random, rowCount, rowLength, entryCount, chooseRow, offset };
          await checkSparse({ ...run, rule: adam({ lr: 0.01 }), steps: 3 });
        },
      ),
    );
  }
}

/** All rules but those that measure whole tensors: these take no sparse gradients. */
const sparseRules = ruleFactories.filter(
  ([, factory]) => !tensorOf(factory()) && factory.declaration.evaluation === undefined,
);

for (const [name, factory] of drawn(sparseRules, 5)) {
  const runs = [{}, { weightDecay: 0.1, maximize: true }].flatMap((options) =>
    [0, 1].map((offset) => ({ options, offset })),
  );
  gpuTest(`${name} steps the rows that are named`, ({ device, track }) =>
    checkTogether(
      runs,
      (run) => JSON.stringify(run),
      async ({ options, offset }) => {
        const random = new Random(inject('seed') + offset);
        const chooseRow = () => random.integer(40);
        const table = { rowCount: 50, rowLength: 4, entryCount: 30, chooseRow, offset };
        await checkSparse({ device, track, random, ...table, rule: factory(options), steps: 10 });
      },
    ),
  );
}

for (const [rowCount, entryCount] of [
  [1, 5],
  [64, 1023],
  [100_000, 1025],
  [300_000, 4097],
] as const) {
  gpuTest(`${entryCount} entries of ${rowCount} rows`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const chooseRow = () => random.integer(rowCount);
    await checkSparse({
      device,
      track,
      random,
      rowCount,
      rowLength: 1,
      entryCount,
      chooseRow,
      rule: sgd(),
      steps: 1,
    });
  });
}

gpuTest('70,000 entries, many of one row, have the same bits on each run', async ({ device, track }) => {
  const seed = inject('seed');
  const run = () => {
    const random = new Random(seed);
    const chooseRow = (k: number) => (k % 8 === 0 ? 5 : random.integer(20_000));
    const table = { rowCount: 20_000, rowLength: 3, entryCount: 70_000, chooseRow };
    return checkSparse({ device, track, random, ...table, rule: adam(), steps: 1 });
  };
  expect(bitDifference(await run(), await run())).toBeUndefined();
});

gpuTest('a count on the GPU says how many entries count', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const chooseRow = () => random.integer(30);
  const table = {
    rowCount: 30,
    rowLength: 4,
    entryCount: 70,
    chooseRow,
    counts: [70, 0, 1, 64, 0xffff_ffff, 33],
  };
  await checkSparse({ device, track, random, ...table, rule: momentum(), steps: 6 });
  // More than a block of the sort, and levels of sums.
  const counts = [3000, 1, 1024, 1025, 0, 2047];
  await checkSparse({
    device,
    track,
    random,
    ...table,
    entryCount: 3000,
    counts,
    rule: momentum(),
    steps: 6,
  });
});

gpuTest('a step that names every row once is the dense step', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const [rowCount, rowLength] = [77, 5];
  for (const [, factory] of drawn(sparseRules, 5)) {
    const weights = random.weights(rowCount * rowLength);
    const dense = makeParameter(device, track, 'dense', weights, weights);
    const values = makeBuffer(device, track, weights);
    const order = Array.from({ length: rowCount }, (_, k) => (k * 30 + 11) % rowCount);
    const grad = { indices: makeWords(device, track, order), values };
    const sparse = { name: 'sparse', data: makeBuffer(device, track, weights), rowLength, grad };
    // Both in one group.
    const rule = factory({ weightDecay: 0.01 });
    const optimizer = track(await Optimizer.create(device, { rule, params: [dense, sparse] }));
    for (let step = 0; step < 5; step++) {
      const gradient = random.gradients(weights.length);
      device.queue.writeBuffer(dense.grad, 0, gradient);
      const byEntry = order.flatMap((row) =>
        Array.from(gradient.subarray(row * rowLength, (row + 1) * rowLength)),
      );
      device.queue.writeBuffer(values, 0, Float32Array.from(byEntry));
      optimizer.step();
    }
    const { state } = await optimizer.stateDict();
    expect(
      bitDifference(await optimizer.readParam('sparse'), await optimizer.readParam('dense')),
    ).toBeUndefined();
    for (const slot of Object.keys(state['dense']!)) {
      expect(bitDifference(state['sparse']![slot]!, state['dense']![slot]!), slot).toBeUndefined();
    }
  }
});
