/** Rows that move: weights, state and averages with them. */
import { expect, inject } from 'vitest';
import { Optimizer, adagrad, adam, momentum, novograd, sgd } from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { FRESH, exactRule, makeLifePair } from '../support/life-pair.js';
import { makeBuffer, makeParameter, readFloats } from '../support/tensors.js';

const SIZES = [1, 3, 4, 8, 59];

for (const consecutive of [false, true]) {
  const how = consecutive ? 'an invocation moves rows, as on CPUs' : 'an invocation moves units, as on GPUs';
  gpuTest(
    `rows are pruned, split, permuted and added, in place and elsewhere: ${how}`,
    async ({ device, track }) => {
      const random = new Random(inject('seed'));
      const groups = [
        SIZES.map((rowLength) => ({ name: `w${rowLength}`, rowLength, rowCount: 37, room: 90 })),
        [
          { name: 'other', rowLength: 2, rowCount: 5, room: 5 },
          { name: 'apart', rowLength: 4, rowCount: 37, room: 64 },
        ],
      ];
      const kernel = { workgroupSize: 32, lanesPerInvocation: 3, consecutive };
      const settings = { ema: { decay: 0.5 }, skipNonFinite: true, kernel };
      const pair = await makeLifePair(
        device,
        track,
        random,
        exactRule(device, adam({ lr: 0.1 })),
        groups,
        settings,
      );
      // The first one counts strays; its rows are shared out among invocations.
      const names = [...SIZES.map((rowLength) => `w${rowLength}`).toReversed(), 'apart'];
      pair.step();
      pair.step(['w4']);
      const maps: [Uint32Array<ArrayBuffer>, object][] = [
        [Uint32Array.from({ length: 41 }, (_, k) => (k < 37 ? 36 - k : FRESH)), {}],
        [Uint32Array.from({ length: 64 }, () => random.integer(41)), { elsewhere: true }],
        // One is so far off that its elements' numbers wrap around to those that there are.
        [
          Uint32Array.from({ length: 20 }, (_, k) => (k === 3 ? 2 ** 31 : random.integer(80))),
          { onGpu: true },
        ],
        [Uint32Array.of(FRESH, 3), { onGpu: true, elsewhere: true }],
        [Uint32Array.of(0, 1, FRESH, FRESH), {}],
        [Uint32Array.of(0, 1, 2), {}],
      ];
      const pending: Promise<void>[] = [];
      let strays = 0;
      for (const [map, options] of maps) {
        const rowsBefore = pair.tensors.get('apart')!.rowCount;
        if ('onGpu' in options) strays += map.filter((row) => row >= rowsBefore && row !== FRESH).length;
        pending.push(pair.map(names, map, options));
        pair.step();
        pair.step(['other', 'w59']);
      }
      await pair.compare('at the end');
      await Promise.all(pending);
      expect((await pair.optimizer.stats()).strayRows).toBe(strays);
      expect(strays).toBeGreaterThan(0);
    },
  );
}

gpuTest('what starts at other than 0 does so in fresh rows', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  // The sum alone is compared where a step's bits are not the twin's: no step is made then.
  const rule = adagrad({ initialAccumulator: 0.25 });
  const isExact = isSwiftShader(device);
  const pair = await makeLifePair(device, track, random, rule, [
    [{ name: 'w', rowLength: 3, rowCount: 5, room: 9 }],
  ]);
  const initialOf = () => 0.25;
  for (const map of [
    Uint32Array.of(4, FRESH, 0),
    Uint32Array.of(0, 1, 2, FRESH, FRESH, FRESH),
    Uint32Array.of(5, 5, FRESH),
  ]) {
    if (isExact) pair.step();
    void pair.map(['w'], map, { initialOf });
  }
  if (isExact) pair.step();
  await pair.compare('at the end');
});

gpuTest('rows come and go at the end without a copy, and without a new buffer', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const groups = [[{ name: 'w', rowLength: 5, rowCount: 6, room: 40 }]];
  const pair = await makeLifePair(device, track, random, exactRule(device, adam()), groups);
  pair.step();
  await pair.map(['w'], Uint32Array.of(0, 1, 2, 3, 4, 5, FRESH));
  const create = device.createBuffer.bind(device);
  const sizes: number[] = [];
  device.createBuffer = (descriptor) => {
    sizes.push(descriptor.size);
    return create(descriptor);
  };
  try {
    for (const rowCount of [8, 40, 3, 20]) {
      const before = pair.tensors.get('w')!.rowCount;
      void pair.map(
        ['w'],
        Uint32Array.from({ length: rowCount }, (_, k) => (k < before ? k : FRESH)),
      );
      pair.step();
    }
  } finally {
    device.createBuffer = create;
  }
  // What tells dispatches what they cover is all that is new.
  expect(Math.max(...sizes)).toBeLessThanOrEqual(512);
  await pair.compare('at the end');
});

gpuTest('a table with a sparse gradient, and a rule that measures tensors', async ({ device, track }) => {
  const table = {
    name: 'table',
    rowLength: 2,
    data: makeBuffer(
      device,
      track,
      Float32Array.from({ length: 12 }, (_, k) => k),
    ),
  };
  const grad = {
    indices: makeBuffer(device, track, new Float32Array(Uint32Array.of(1, 3).buffer)),
    values: makeBuffer(device, track, [1, 1, 1, 1]),
  };
  const optimizer = track(
    await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [{ ...table, grad, length: 8 }] }),
  );
  optimizer.step();
  void optimizer.mapRows(['table'], { from: Uint32Array.of(3, 3, 0, 1, 2), rowCount: 5 });
  optimizer.step();
  expect([...(await optimizer.readParam('table'))]).toEqual([5, 6, 4, 5, 0, 1, 0, 1, 4, 5]);
  expect((await readFloats(device, table.data)).slice(10)).toEqual(Float32Array.of(10, 11));
  const random = new Random(inject('seed'));
  const groups = [[{ name: 'w', rowLength: 3, rowCount: 5, room: 9 }]];
  const pair = await makeLifePair(device, track, random, novograd({ lr: 0.1 }), groups);
  const isExact = isSwiftShader(device);
  if (isExact) pair.step();
  void pair.map(['w'], Uint32Array.of(4, FRESH, 0, 2, 2, 1));
  if (isExact) pair.step();
  await pair.compare('novograd');
});

gpuTest('copies behind rows that stay, within the room that there is', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const groups = [[{ name: 'w', rowLength: 7, rowCount: 4, room: 10 }]];
  const pair = await makeLifePair(device, track, random, exactRule(device, adam()), groups);
  pair.step();
  void pair.map(['w'], Uint32Array.of(0, 1, 2, 3, 1, 2, FRESH, FRESH, 1));
  pair.step();
  await pair.compare('at the end');
});

gpuTest('gradients of micro-batches have as many rows', async ({ device, track }) => {
  const buffer = (length: number) => makeBuffer(device, track, Array<number>(length).fill(1));
  const param = {
    name: 'w',
    data: buffer(8),
    grad: buffer(8),
    microGrad: buffer(6),
    rowLength: 2,
    length: 4,
  };
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [param] }));
  const round = () => {
    optimizer.zeroGrad();
    for (let k = 0; k < 2; k++) optimizer.accumulate();
    optimizer.step();
  };
  round();
  void optimizer.mapRows(['w'], { from: Uint32Array.of(0, 1, FRESH), rowCount: 3 });
  round();
  expect([...(await optimizer.readParam('w'))]).toEqual([-3, -3, -3, -3, -1, -1]);
  const map = { from: Uint32Array.of(2, 2, 0, 1), rowCount: 4 };
  const small = await errorOf(() => optimizer.mapRows(['w'], map));
  expect(small.message).toContain(
    'microGrad of parameter "w" has room for 6 elements, but 4 rows of 2 need 8',
  );
  void optimizer.mapRows(['w'], { ...map, microGrad: { w: buffer(8) } });
  round();
  expect([...(await optimizer.readParam('w'))]).toEqual([-3, -3, -3, -3, -5, -5, -5, -5]);
});

gpuTest('weights in several buffers, cut in the midst of rows', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const [rowLength, lengths] = [3, [5, 2, 11]];
  const held = Float32Array.from({ length: 18 }, () => random.integer(64));
  let start = 0;
  const data = lengths.map((length) => makeBuffer(device, track, held.subarray(start, (start += length))));
  const grad = makeBuffer(device, track, new Float32Array(18).fill(2));
  const rule = momentum({ lr: 1, momentum: 0.5 });
  const params = [{ name: 'w', data, grad, rowLength, length: 15 }];
  const optimizer = track(await Optimizer.create(device, { rule, params }));
  optimizer.step();
  const from = Uint32Array.of(4, FRESH, 0, 3, 3, 1);
  void optimizer.mapRows(['w'], { from, rowCount: 6 });
  optimizer.step();
  // v = −2, then −3; fresh rows begin at 0, where the buffer has been stepped as far as there were rows.
  const at = (row: number) => held.subarray(row * rowLength, (row + 1) * rowLength);
  const want = [...from].flatMap((row) =>
    row === FRESH ? Array.from(at(1), (w) => w - 2 - 2) : Array.from(at(row), (w) => w - 2 - 3),
  );
  expect([...(await optimizer.readParam('w'))]).toEqual(want);
});

gpuTest('bad maps are refused, and change nothing', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const groups = [
    [
      { name: 'a', rowLength: 2, rowCount: 3, room: 4 },
      { name: 'b', rowLength: 1, rowCount: 2, room: 4 },
    ],
  ];
  const pair = await makeLifePair(device, track, random, exactRule(device, adam()), groups);
  const { optimizer } = pair;
  pair.step();
  const from = Uint32Array.of(0, 1, 2);
  const cases: [unknown, unknown, string][] = [
    [['c'], { from, rowCount: 3 }, 'there is no parameter "c"'],
    [[], { from, rowCount: 3 }, 'no name is given'],
    ['a', { from, rowCount: 3 }, 'names is "a"'],
    [['a'], undefined, 'undefined is no mapping'],
    [['a'], { from, rowCount: 3, where: 1 }, 'unknown option "where"'],
    [['a'], { from, rowCount: 4 }, 'from has 3 entries but rowCount is 4'],
    [['a'], { from, rowCount: 0 }, 'rowCount is 0'],
    [['a'], { from: [0, 1, 2], rowCount: 3 }, 'from is [0, 1, 2]; give a Uint32Array'],
    [['a'], { from: Uint32Array.of(0, 3, 1), rowCount: 3 }, 'from[1] is 3 but there are 3 rows'],
    [['a', 'b'], { from, rowCount: 3 }, '"a" has 3 rows but "b" has 2'],
    [['a'], { from: new Uint32Array(5), rowCount: 5 }, 'has room for 8 elements, but 5 rows of 2 need 10'],
    [['a'], { from, rowCount: 3, data: { b: pair.tensors.get('b')!.data } }, 'unknown option "b"'],
    [['a'], { from, rowCount: 3, data: { a: pair.tensors.get('b')!.data } }, 'has room for 4 elements'],
    [['b'], { from: Uint32Array.of(0), rowCount: 1, data: { b: pair.tensors.get('a')!.data } }, 'overlaps'],
    [['a'], { from: makeBuffer(device, track, [0]), rowCount: 3 }, 'from has 1 entries but rowCount is 3'],
  ];
  for (const [names, mapping, complaint] of cases) {
    const { message } = await errorOf(() => optimizer.mapRows(names as never, mapping as never));
    expect(message).toContain(complaint);
  }
  const plain = track(
    await Optimizer.create(device, { rule: sgd(), params: [makeParameter(device, track, 'w', [1], [1])] }),
  );
  expect((await errorOf(() => plain.mapRows(['w'], { from, rowCount: 3 }))).message).toContain(
    'give it a rowLength',
  );
  pair.step();
  await pair.compare('after all of them');
  optimizer.destroy();
  expect((await errorOf(() => optimizer.mapRows(['a'], { from, rowCount: 3 }))).code).toBe('destroyed');
});

gpuTest(
  'parameters that change places by one map have each their own rows, fresh ones what was there',
  async ({ device, track }) => {
    const rows = (name: string, first: number) => {
      const data = makeBuffer(
        device,
        track,
        Float32Array.from({ length: 8 }, (_, k) => first + k),
      );
      const grad = makeBuffer(device, track, new Float32Array(8));
      return { name, data, grad, rowLength: 2 };
    };
    const [a, b, c] = [rows('a', 100), rows('b', 200), rows('c', 300)];
    const optimizer = track(await Optimizer.create(device, { rule: sgd(), params: [a, b, c] }));
    const elsewhere = makeBuffer(device, track, new Float32Array(8).fill(-1));
    await optimizer.mapRows(['a', 'b', 'c'], {
      from: Uint32Array.of(3, FRESH, 0, 1),
      rowCount: 4,
      data: { a: b.data, b: a.data, c: elsewhere },
    });
    expect(await optimizer.readParam('a')).toEqual(Float32Array.of(106, 107, 202, 203, 100, 101, 102, 103));
    expect(await optimizer.readParam('b')).toEqual(Float32Array.of(206, 207, 102, 103, 200, 201, 202, 203));
    expect(await optimizer.readParam('c')).toEqual(Float32Array.of(306, 307, -1, -1, 300, 301, 302, 303));
  },
);

gpuTest(
  'a map lies anywhere in a buffer, and strays are told of such maps only',
  async ({ device, track }) => {
    const data = makeBuffer(device, track, Float32Array.of(1, 2, 3));
    const grad = makeBuffer(device, track, new Float32Array(3));
    const params = [{ name: 'w', data, grad, rowLength: 1 }];
    const optimizer = track(await Optimizer.create(device, { rule: sgd(), params }));
    await optimizer.mapRows(['w'], { from: Uint32Array.of(1, 0, 2), rowCount: 3 });
    expect(await optimizer.stats()).not.toHaveProperty('strayRows');
    const entries = new Float32Array(Uint32Array.of(9, 9, 9, 2, 7, 1, 9).buffer);
    const buffer = makeBuffer(device, track, entries);
    await optimizer.mapRows(['w'], { from: { buffer, offset: 12, size: 12 }, rowCount: 3 });
    expect(await optimizer.readParam('w')).toEqual(Float32Array.of(3, 1, 1));
    expect((await optimizer.stats()).strayRows).toBe(1);
  },
);
