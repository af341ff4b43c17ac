/** More exact weights of rows: apart, masked, named, of norm 1, and moved. */
import { expect, inject } from 'vitest';
import { Optimizer, type Parameter, ReferenceOptimizer, adam, sgd } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { drawn } from '../support/draw.js';
import { gpuTest } from '../support/device.js';
import { makeHalves, roundedTo } from '../support/halves.js';
import { FRESH, exactRule } from '../support/life-pair.js';
import { KINDS, makePair, slotOf } from '../support/master-pair.js';
import { makeBuffer } from '../support/tensors.js';

type Floats = Float32Array<ArrayBuffer>;

gpuTest('rows lie apart, are masked, limited, named and of norm 1', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const [rowLength, rowCount] = [4, 9];
  const length = rowLength * rowCount;
  for (const kind of drawn(KINDS, 1)) {
    const { dtype, masterWeights } = kind;
    const weights = roundedTo(dtype, random.weights(length));
    const gradients = roundedTo(dtype, random.weights(length));
    const apart = new Float32Array(10 * rowCount).fill(7);
    for (let row = 0; row < rowCount; row++)
      apart.set(weights.subarray(row * rowLength, (row + 1) * rowLength), 10 * row);
    const mask = Uint32Array.from({ length: rowCount }, (_, row) => row % 3);
    const rowMask = track(device.createBuffer({ size: 4 * rowCount, usage: 0x8c }));
    device.queue.writeBuffer(rowMask, 0, mask);
    const indices = Uint32Array.of(5, 1, 5);
    const indexBuffer = track(device.createBuffer({ size: 12, usage: 0x88 }));
    device.queue.writeBuffer(indexBuffer, 0, indices);
    const values = random.weights(3 * rowLength);
    const shared = {
      rowLength,
      dtype,
      lrPerColumn: [1, 2, 0.5, 0],
      constraint: { min: -0.5, max: 0.75 },
    };
    const grad = makeBuffer(device, track, gradients);
    const params: Parameter[] = [
      {
        name: 'apart',
        ...shared,
        length,
        rowMask,
        data: { buffer: makeHalves(device, track, dtype, apart), byteStride: 20 },
        grad,
      },
      { name: 'dense', ...shared, rowMask, data: makeHalves(device, track, dtype, weights), grad },
      {
        name: 'table',
        rowLength,
        dtype,
        data: makeHalves(device, track, dtype, weights),
        grad: { indices: indexBuffer, values: makeBuffer(device, track, values) },
      },
      {
        name: 'units',
        rowLength,
        dtype,
        constraint: 'unit-rows',
        data: makeHalves(device, track, dtype, weights),
        grad,
      },
    ];
    const isExact = exactRule(device, sgd()).name === 'sgd';
    if (!isExact) continue;
    const config = { rule: adam({ lr: 0.1 }), masterWeights };
    const optimizer = track(await Optimizer.create(device, { ...config, params }));
    const data = weights.slice();
    const twin = new ReferenceOptimizer({
      ...config,
      precision: 'f32',
      params: [
        { name: 'apart', ...shared, rowMask: mask, data },
        { name: 'dense', ...shared, rowMask: mask, data: weights.slice() },
        { name: 'table', rowLength, dtype, data: weights.slice() },
        { name: 'units', rowLength, dtype, constraint: 'unit-rows', data: weights.slice() },
      ],
    });
    for (let k = 0; k < 3; k++) {
      optimizer.step();
      twin.step([gradients, gradients, { indices, values }, gradients]);
    }
    for (const { name } of params) {
      const want = Float32Array.from(twin.readParam(name!));
      expect(bitDifference(await optimizer.readParam(name!), want), name).toBeUndefined();
      const exact = Float32Array.from(twin.readState(name!, slotOf(kind)));
      expect(bitDifference(await optimizer.readState(name!, slotOf(kind)), exact), name).toBeUndefined();
    }
  }
});

gpuTest('rows move, state is reset and copied, parameters rest and go', async ({ device, track }) => {
  for (const kind of drawn(KINDS, 1)) {
    const random = new Random(inject('seed'));
    const rowLength = kind.dtype === 'f16' ? 2 : 6;
    const tensors = { a: random.weights(5 * rowLength), b: random.weights(5 * rowLength) };
    const rule = exactRule(device, adam({ lr: 0.01 }));
    const { optimizer, twin, gradients } = await makePair(
      device,
      track,
      kind,
      tensors,
      { rule },
      { rowLength },
    );
    const slot = slotOf(kind);
    for (let k = 0; k < 3; k++) {
      optimizer.step();
      twin.step(gradients);
    }
    const [exact, copies] = [await optimizer.readState('a', slot), await optimizer.readParam('a')];
    const map = Uint32Array.of(4, 0, FRESH, 2);
    await optimizer.mapRows(['a'], { from: map, rowCount: 4 });
    const moved = (values: Floats, fresh: (k: number) => number) =>
      Float32Array.from({ length: 4 * rowLength }, (_, k) => {
        const row = map[Math.floor(k / rowLength)]!;
        return row === FRESH ? fresh(k) : values[row * rowLength + (k % rowLength)]!;
      });
    expect(
      bitDifference(
        await optimizer.readState('a', slot),
        moved(exact, () => 0),
      ),
    ).toBeUndefined();
    expect(
      bitDifference(
        await optimizer.readParam('a'),
        moved(copies, (k) => copies[k]!),
      ),
    ).toBeUndefined();
    // Weights stay: what they are exactly, too.
    const kept = await optimizer.readState('b', slot);
    const before = optimizer.memory();
    expect(before.masterWeights).toBe((kind.masterWeights === 'f32' ? 4 : 1) * 9 * rowLength);
    await optimizer.mapRows(['a'], { from: Uint32Array.of(0, 1, 2, 3, FRESH), rowCount: 5 });
    optimizer.copyState('a', 'b');
    expect(bitDifference(await optimizer.readState('b', slot), kept)).toBeUndefined();
    optimizer.freeze(['a']);
    const rested = await optimizer.readState('a', slot);
    optimizer.step();
    expect(bitDifference(await optimizer.readState('a', slot), rested)).toBeUndefined();
    const group = await optimizer.addGroup({ params: ['b'], lr: 0.5 });
    expect(group.params).toEqual(['b']);
    const inGroup = await optimizer.readState('b', slot);
    expect(inGroup.some((value) => value !== 0)).toBe(true);
    optimizer.unfreeze(['a']);
    optimizer.resetState({ names: ['a'], slots: [slot] });
    expect(await optimizer.readState('a', slot)).toEqual(new Float32Array(5 * rowLength));
    optimizer.step();
    expect(bitDifference(await optimizer.readState('b', slot), inGroup)).toBeDefined();
    optimizer.remove(['a']);
    optimizer.step();
    expect(optimizer.memory().masterWeights).toBe((kind.masterWeights === 'f32' ? 4 : 1) * 5 * rowLength);
  }
});

gpuTest(
  'rows that are left alone keep theirs, whatever lies in a lane with them',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const [rowLength, rowCount] = [2, 33];
    const mask = Uint32Array.from({ length: rowCount }, (_, row) => row % 3);
    const rowMask = track(device.createBuffer({ size: 4 * rowCount, usage: 0x8c }));
    device.queue.writeBuffer(rowMask, 0, mask);
    for (const kind of drawn(KINDS, 1)) {
      const { dtype, masterWeights } = kind;
      const weights = roundedTo(dtype, random.weights(rowLength * rowCount));
      const gradients = random.weights(rowLength * rowCount);
      const data = makeHalves(device, track, dtype, weights);
      const grad = makeBuffer(device, track, gradients);
      const config = { rule: exactRule(device, adam({ lr: 0.1 })), masterWeights };
      const shared = { name: 'w', dtype, rowLength };
      const params: Parameter[] = [{ ...shared, data, grad, rowMask }];
      const optimizer = track(await Optimizer.create(device, { ...config, params }));
      optimizer.step();
      const twin = new ReferenceOptimizer({
        ...config,
        precision: 'f32',
        params: [{ ...shared, data: weights, rowMask: mask }],
      });
      twin.step([gradients]);
      const slot = slotOf(kind);
      const want = Float32Array.from(twin.readState('w', slot));
      expect(bitDifference(await optimizer.readState('w', slot), want), `${dtype} ${slot}`).toBeUndefined();
    }
  },
);
