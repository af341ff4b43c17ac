/** Rows that move within the buffers that they are in. */
import { expect, inject } from 'vitest';
import { Optimizer, adam, momentum } from '../../src/index.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { FRESH } from '../support/life-pair.js';
import { makeBuffer, readFloats } from '../support/tensors.js';

gpuTest('a row more, whose state lies in the lane that there is', async ({ device, track }) => {
  const [data, grad] = [5, 7].map((length) => makeBuffer(device, track, new Float32Array(length)));
  const optimizer = track(
    await Optimizer.create(device, {
      rule: momentum(),
      params: [{ name: 'w', data: data!, grad: grad!, rowLength: 1, length: 5 }],
    }),
  );
  optimizer.writeState('w', 'momentum_buffer', [1, 2, 3, 4, 5]);
  const elsewhere = makeBuffer(device, track, new Float32Array(7));
  await optimizer.mapRows(['w'], {
    from: Uint32Array.of(4, 3, 2, 1, 0, 0, FRESH),
    rowCount: 7,
    data: { w: elsewhere },
  });
  expect(await optimizer.readState('w', 'momentum_buffer')).toEqual(Float32Array.of(5, 4, 3, 2, 1, 1, 0));
});

gpuTest('within the room that there is, no state is made', async ({ device, track }) => {
  const rowCount = 2000;
  const random = new Random(inject('seed'));
  const params = [1, 3, 8].map((rowLength) => ({
    name: `w${rowLength}`,
    rowLength,
    data: makeBuffer(device, track, random.weights(rowLength * rowCount)),
    grad: makeBuffer(device, track, random.weights(rowLength * rowCount)),
    length: (rowLength * rowCount) / 2,
  }));
  const optimizer = track(await Optimizer.create(device, { rule: adam(), params, ema: { decay: 0.9 } }));
  optimizer.step();
  const create = device.createBuffer.bind(device);
  const made: GPUBufferDescriptor[] = [];
  device.createBuffer = (descriptor) => {
    made.push(descriptor);
    return create(descriptor);
  };
  try {
    const names = params.map(({ name }) => name);
    for (const count of [1000, 400, 1500, 2000, 1]) {
      const from = Uint32Array.from({ length: count }, () => (random.uniform() < 0.2 ? FRESH : 0));
      await optimizer.mapRows(names, { from, rowCount: count });
      optimizer.step();
    }
  } finally {
    device.createBuffer = create;
  }
  // The map; what the longest rows go by way of; and else no more than uniforms.
  const large = made.filter(({ size }) => size > 1024).map(({ label }) => label);
  expect(new Set(large)).toEqual(new Set(['webgpu-optim row map', 'webgpu-optim map rows by way of']));
});

gpuTest(
  'row by row, state is made as often as the weights are given twice the room',
  async ({ device, track }) => {
    const floats = (rows: number) => makeBuffer(device, track, new Float32Array(3 * rows));
    let room = 4;
    const params = [{ name: 'w', rowLength: 3, data: floats(room), grad: floats(room) }];
    const optimizer = track(await Optimizer.create(device, { rule: momentum(), params }));
    const values = Float32Array.from({ length: 12 }, (_, k) => k + 1);
    optimizer.writeState('w', 'momentum_buffer', values);
    const create = device.createBuffer.bind(device);
    let made = 0;
    device.createBuffer = (descriptor) => {
      if (descriptor.label!.includes('momentum_buffer')) made++;
      return create(descriptor);
    };
    try {
      for (let rowCount = 5; rowCount <= 70; rowCount++) {
        const from = Uint32Array.from({ length: rowCount }, (_, k) => (k < rowCount - 1 ? k : FRESH));
        const isFull = rowCount > room;
        if (isFull) room *= 2;
        const moves = isFull ? { data: { w: floats(room) }, grad: { w: floats(room) } } : {};
        void optimizer.mapRows(['w'], { from, rowCount, ...moves });
      }
    } finally {
      device.createBuffer = create;
    }
    // From 4 rows to 8, 16, 32, 64 and 128.
    expect(made).toBe(5);
    const want = new Float32Array(3 * 70);
    want.set(values);
    expect(await optimizer.readState('w', 'momentum_buffer')).toEqual(want);
  },
);

gpuTest('neighbours whose state shares a lane keep theirs', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const gradients = random.gradients(18);
  const data = makeBuffer(device, track, new Float32Array(18));
  const grad = makeBuffer(device, track, gradients);
  const lies = (buffer: GPUBuffer, first: number) => ({ buffer, offset: 4 * first, size: 24 });
  const params = ['a', 'b', 'c'].map((name, k) => ({
    name,
    rowLength: 1,
    data: lies(data, 6 * k),
    grad: lies(grad, 6 * k),
  }));
  const rule = momentum({ lr: 0.5, momentum: 0.5 });
  const optimizer = track(await Optimizer.create(device, { rule, params }));
  optimizer.step();
  await optimizer.mapRows(['a'], { from: Uint32Array.of(0, 1, 2, 3, 4), rowCount: 5 });
  optimizer.step();
  await optimizer.mapRows(['b'], { from: Uint32Array.of(5, 4, 3, 2), rowCount: 4 });
  optimizer.step();
  const steps = (first: number, rows: readonly number[][]) => {
    let [weights, velocity] = [
      [0, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0],
    ];
    for (const order of rows) {
      velocity = order.map((row, k) => Math.fround(0.5 * velocity[row]! - 0.5 * gradients[first + k]!));
      weights = order.map((row, k) => Math.fround(weights[row]! + velocity[k]!));
    }
    return Float32Array.from(weights);
  };
  const all = [0, 1, 2, 3, 4, 5];
  expect(await optimizer.readParam('a')).toEqual(steps(0, [all, all.slice(0, 5), all.slice(0, 5)]));
  expect(await optimizer.readParam('b')).toEqual(steps(6, [all, all, [5, 4, 3, 2]]));
  expect(await optimizer.readParam('c')).toEqual(steps(12, [all, all, all]));
  // What is nobody's any more stays as it was.
  expect((await readFloats(device, data))[5]).toBe(steps(0, [all])[5]);
});

gpuTest('parameters of one buffer grow over one another there, and shift', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const length = 160;
  const values = random.weights(length);
  const data = makeBuffer(device, track, values);
  const lengths = [3, 1, 4];
  const names = lengths.map((rowLength) => `w${rowLength}`);
  /** First elements, and from row to row: behind one another in any order, or side by side. */
  const drawPlaces = (rowCount: number) => {
    const order = lengths.map((rowLength, k) => ({ rowLength, k, rank: random.uniform() }));
    const isStruct = random.uniform() < 0.5;
    let end = random.integer(2) * random.integer(9);
    const places: { first: number; stride: number }[] = [];
    for (const { rowLength, k } of order.toSorted((a, b) => a.rank - b.rank)) {
      places[k] = { first: end, stride: isStruct ? 9 : rowLength };
      end += (isStruct ? rowLength : rowLength * rowCount) + random.integer(2) * (isStruct ? 0 : 5);
    }
    return places;
  };
  const addressesOf = (
    { first, stride }: { first: number; stride: number },
    rowLength: number,
    rowCount: number,
  ) =>
    Array.from(
      { length: rowCount * rowLength },
      (_, k) => first + Math.floor(k / rowLength) * stride + (k % rowLength),
    );
  const ranges = (places: ReturnType<typeof drawPlaces>, rowCount: number) =>
    Object.fromEntries(
      places.map(({ first, stride }, k) => [
        names[k]!,
        {
          buffer: data,
          offset: 4 * first,
          size: 4 * ((rowCount - 1) * stride + lengths[k]!),
          ...(stride === 9 && { byteStride: 36 }),
        },
      ]),
    );
  let rowCount = 3;
  let places = drawPlaces(rowCount);
  const grad = makeBuffer(device, track, new Float32Array(length));
  const params = names.map((name, k) => ({
    name,
    rowLength: lengths[k]!,
    data: ranges(places, rowCount)[name]!,
    grad: { buffer: grad, size: 4 * rowCount * lengths[k]! },
  }));
  const optimizer = track(await Optimizer.create(device, { rule: momentum(), params }));
  for (let turn = 0; turn < 16; turn += 1) {
    const before = { places, rowCount };
    rowCount = 1 + random.integer(14);
    // Now and then, they grow or shrink where they are, if they can.
    const moves = places[0]!.stride !== 9 || random.uniform() < 0.5;
    if (moves) places = drawPlaces(rowCount);
    // Rows that all stay, too, though their places may not.
    const isPrefix = random.uniform() < 0.3;
    const from = Uint32Array.from({ length: rowCount }, (_, k) => {
      if (isPrefix) return k < before.rowCount ? k : FRESH;
      return random.uniform() < 0.2 ? FRESH : random.integer(before.rowCount);
    });
    const pending = optimizer.mapRows(names, {
      from,
      rowCount,
      data: ranges(places, rowCount),
      grad: Object.fromEntries(names.map((name) => [name, grad])),
    });
    const held = values.slice();
    for (const [k, rowLength] of lengths.entries()) {
      const sources = addressesOf(before.places[k]!, rowLength, before.rowCount);
      for (const [i, address] of addressesOf(places[k]!, rowLength, rowCount).entries()) {
        const row = from[Math.floor(i / rowLength)]!;
        if (row !== FRESH) values[address] = held[sources[row * rowLength + (i % rowLength)]!]!;
      }
    }
    await pending;
    expect(await readFloats(device, data), `turn ${turn}`).toEqual(values);
  }
});

gpuTest('what a table’s gradients are summed to is freed when its rows move', async ({ device, track }) => {
  const indices = makeBuffer(device, track, new Float32Array(4));
  const params = [
    {
      name: 'w',
      rowLength: 2,
      data: makeBuffer(device, track, new Float32Array(24)),
      grad: { indices, values: makeBuffer(device, track, new Float32Array(8)) },
    },
  ];
  const optimizer = track(await Optimizer.create(device, { rule: adam(), params }));
  const create = device.createBuffer.bind(device);
  let live = 0;
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    live++;
    buffer.destroy = () => {
      live--;
      return destroy();
    };
    return buffer;
  };
  const counts: number[] = [];
  try {
    for (let turn = 0; turn < 4; turn += 1) {
      await optimizer.mapRows(['w'], {
        from: Uint32Array.from({ length: 12 }, (_, k) => 11 - k),
        rowCount: 12,
      });
      optimizer.step();
      counts.push(live);
    }
  } finally {
    device.createBuffer = create;
  }
  expect(counts).toEqual(Array(4).fill(counts[0]));
});
