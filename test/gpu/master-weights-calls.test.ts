/** What becomes of more exact weights in all calls beside the step, and which are refused. */
import { expect, inject } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  type Parameter,
  ReferenceOptimizer,
  adam,
  lamb,
  loadCheckpoint,
  momentum,
  saveCheckpoint,
  scheduleFreeSgd,
  sgd,
} from '../../src/index.js';
import { readSafetensors } from '../../src/safetensors/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeHalves, roundedTo } from '../support/halves.js';
import { FRESH, exactRule } from '../support/life-pair.js';
import { makeBuffer } from '../support/tensors.js';

type Floats = Float32Array<ArrayBuffer>;

const KINDS = [
  { masterWeights: 'f32', dtype: 'f16' },
  { masterWeights: 'f32', dtype: 'bf16' },
  { masterWeights: 'split', dtype: 'bf16' },
] as const;
type Kind = (typeof KINDS)[number];

const slotOf = ({ masterWeights }: Kind) => (masterWeights === 'f32' ? 'master' : 'correction');

/** An optimizer and its twin over the same tensors, by name. */
async function makePair(
  device: GPUDevice,
  track: <T extends { destroy(): void }>(made: T) => T,
  { dtype, masterWeights }: Kind,
  tensors: Readonly<Record<string, Floats>>,
  config: Pick<OptimizerConfig, 'rule'> & object,
  options: object = {},
) {
  const entries = Object.entries(tensors);
  const weights = entries.map(([, values]) => roundedTo(dtype, values));
  const random = new Random(inject('seed'));
  const gradients = weights.map(({ length }) => random.weights(length));
  const data = weights.map((values) => makeHalves(device, track, dtype, values));
  const settings = { masterWeights, ...config };
  const optimizer = track(
    await Optimizer.create(device, {
      ...settings,
      params: entries.map(([name], k) => ({
        name,
        dtype,
        length: weights[k]!.length,
        data: data[k]!,
        grad: makeBuffer(device, track, gradients[k]!),
        ...options,
      })),
    }),
  );
  const twin = new ReferenceOptimizer({
    ...settings,
    precision: 'f32',
    params: entries.map(([name], k) => ({ name, dtype, data: weights[k]!.slice(), ...options })),
  });
  return {
    optimizer,
    twin,
    data,
    gradients,
    step(): void {
      optimizer.step();
      twin.step(gradients);
    },
    async compare(what: string): Promise<void> {
      const dict = twin.stateDict();
      const got = await optimizer.stateDict();
      for (const [name, slots] of Object.entries(dict.state)) {
        const want = Float32Array.from(twin.readParam(name));
        expect(bitDifference(await optimizer.readParam(name), want), `${what}: ${name}`).toBeUndefined();
        for (const [slot, values] of Object.entries(slots)) {
          const difference = bitDifference(got.state[name]![slot]!, Float32Array.from(values));
          expect(difference, `${what}: ${slot} of ${name}`).toBeUndefined();
        }
      }
    },
  };
}

gpuTest('small steps add up, as those of float32 do', async ({ device, track }) => {
  for (const kind of KINDS) {
    const weights = Float32Array.of(1, -1, 3, 0.1, 100);
    const make = async (settings: object) => {
      const data = makeHalves(device, track, kind.dtype, weights);
      const grad = makeBuffer(device, track, new Float32Array(5).fill(1));
      const params: Parameter[] = [{ name: 'w', data, grad, dtype: kind.dtype, length: 5 }];
      return track(await Optimizer.create(device, { rule: sgd({ lr: 2 ** -14 }), params, ...settings }));
    };
    const [kept, lost] = [await make({ masterWeights: kind.masterWeights }), await make({})];
    for (let k = 0; k < 512; k++) {
      kept.step();
      lost.step();
    }
    const first = roundedTo(kind.dtype, weights);
    // 3 and 100 are too large for such steps in 16 bits.
    const exact = first.map((w, i) => (kind.masterWeights === 'split' && i > 3 ? w : w - 512 * 2 ** -14));
    const got = await kept.readParam('w');
    const share = kind.masterWeights === 'split' ? 0.05 : 0;
    got.forEach((w, i) => {
      const step = kind.dtype === 'f16' ? 2 ** -11 : 2 ** -8;
      expect(Math.abs(w - exact[i]!), `${w}`).toBeLessThanOrEqual(
        Math.abs(exact[i]!) * step + (share * 512) / 2 ** 14,
      );
    });
    const stalled = await lost.readParam('w');
    expect(stalled[0]).toBe(1);
    expect(got[0]).toBeLessThan(0.9746);
  }
});

gpuTest('whoever writes weights sets them, whenever that is', async ({ device, track }) => {
  for (const kind of KINDS) {
    const random = new Random(inject('seed'));
    const rule = exactRule(device, adam({ lr: 0.01 }));
    const pair = await makePair(device, track, kind, { w: random.weights(65) }, { rule });
    const other = roundedTo(kind.dtype, random.weights(65));
    // Before the first step; and later, when the more exact ones are others.
    for (const steps of [0, 3]) {
      for (let k = 0; k < steps; k++) pair.step();
      const halves = makeHalves(device, track, kind.dtype, other);
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(halves, 0, pair.data[0]!, 0, 4 * 32);
      device.queue.submit([encoder.finish()]);
      if (kind.masterWeights === 'split') pair.optimizer.resetState({ slots: ['correction'] });
      pair.optimizer.resetState({ slots: ['step'] });
      const before = await pair.optimizer.readParam('w');
      expect(bitDifference(before.subarray(0, 64), other.subarray(0, 64))).toBeUndefined();
      const state = Object.fromEntries(
        Object.entries((await pair.optimizer.stateDict()).state['w']!).filter(
          ([slot]) => slot !== slotOf(kind),
        ),
      );
      const twin = new ReferenceOptimizer({
        rule,
        masterWeights: kind.masterWeights,
        precision: 'f32',
        params: [{ name: 'w', dtype: kind.dtype, data: before.slice() }],
      });
      const dict = twin.stateDict();
      dict.state['w'] = { ...dict.state['w'], ...state };
      twin.loadStateDict(dict);
      pair.optimizer.step();
      twin.step(pair.gradients);
      const want = Float32Array.from(twin.readParam('w'));
      const got = await pair.optimizer.readParam('w');
      expect(bitDifference(got.subarray(0, 64), want.subarray(0, 64)), `${steps}`).toBeUndefined();
      const exact = await pair.optimizer.readState('w', slotOf(kind));
      const wantExact = Float32Array.from(twin.readState('w', slotOf(kind)));
      expect(bitDifference(exact.subarray(0, 64), wantExact.subarray(0, 64))).toBeUndefined();
    }
  }
});

gpuTest('any weights may be written beside a correction', async ({ device, track }) => {
  const values = [0, -0, 1, -1, 2 ** -126, Infinity, -Infinity, NaN, 3e38, -3e38];
  for (const sign of [1, -1]) {
    const weights = Float32Array.from(values);
    const data = makeHalves(device, track, 'bf16', weights);
    const grad = makeBuffer(device, track, new Float32Array(values.length));
    const params: Parameter[] = [{ name: 'w', data, grad, dtype: 'bf16' }];
    const optimizer = track(await Optimizer.create(device, { rule: sgd(), params, masterWeights: 'split' }));
    optimizer.writeState(
      'w',
      'correction',
      values.map(() => 127 * sign),
    );
    optimizer.step();
    const got = await optimizer.readParam('w');
    const want = roundedTo('bf16', weights);
    got.forEach((w, i) => {
      // Where what is next to 0 may be flushed.
      if (Math.abs(want[i]!) <= 2 ** -126) expect(Math.abs(w)).toBeLessThanOrEqual(2 ** -125);
      else expect(w).toBe(want[i]);
    });
  }
});

gpuTest('rows lie apart, are masked, limited, named and of norm 1', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const [rowLength, rowCount] = [4, 9];
  const length = rowLength * rowCount;
  for (const kind of KINDS) {
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

gpuTest('evaluation gives them back', async ({ device, track }) => {
  for (const kind of KINDS) {
    const random = new Random(inject('seed'));
    const tensors = { a: random.weights(5), b: random.weights(130) };
    for (const [rule, averages] of [
      [exactRule(device, adam({ lr: 0.1 })), { ema: { decay: 0.5 } }],
      [exactRule(device, momentum({ lr: 0.1 })), { swa: { start: 1, period: 1 } }],
      [scheduleFreeSgd({ lr: 0.5 }), {}],
    ] as const) {
      const pair = await makePair(device, track, kind, tensors, { rule, ...averages });
      if (exactRule(device, sgd()).name !== 'sgd') continue;
      for (let k = 0; k < 3; k++) pair.step();
      const before = await pair.optimizer.stateDict();
      pair.optimizer.eval();
      pair.twin.eval();
      for (const name of ['a', 'b']) {
        const want = Float32Array.from(pair.twin.readParam(name));
        expect(bitDifference(await pair.optimizer.readParam(name), want), name).toBeUndefined();
      }
      pair.optimizer.train();
      pair.twin.train();
      await pair.compare('behind train()');
      // The averages of an exact weight come back as they were; a correction is as near as 2⁻¹⁶.
      if (rule.name !== 'scheduleFreeSgd' && kind.masterWeights === 'f32') {
        const after = await pair.optimizer.stateDict();
        for (const name of ['a', 'b'])
          expect(
            bitDifference(after.state[name]!['master']!, before.state[name]!['master']!),
          ).toBeUndefined();
      }
      pair.step();
      await pair.compare('stepped again');
    }
  }
});

gpuTest('they are saved, and go on bit for bit', async ({ device, track }) => {
  for (const kind of KINDS) {
    const random = new Random(inject('seed'));
    const tensors = { a: random.weights(5), b: random.weights(257) };
    const settings = { rule: lamb(), ema: { decay: 0.5 }, stateDtype: 'int8' as const };
    const make = () => makePair(device, track, kind, tensors, settings);
    const one = await make();
    for (let k = 0; k < 3; k++) one.step();
    const { bytes } = await saveCheckpoint(one.optimizer, 'bytes');
    const dict = await one.optimizer.stateDict();
    const file = await readSafetensors(bytes);
    expect(file.tensors.get(`state.b.${slotOf(kind)}`)).toMatchObject({
      dtype: kind.masterWeights === 'f32' ? 'F32' : 'U8',
      byteLength: kind.masterWeights === 'f32' ? 4 * 257 : 257,
    });
    const two = await make();
    two.step();
    await loadCheckpoint(two.optimizer, bytes);
    const three = await make();
    for (const name of ['a', 'b'] as const) {
      const halves = makeHalves(device, track, kind.dtype, await one.optimizer.readParam(name));
      three.optimizer.rebind({ [name]: { data: halves } });
    }
    await three.optimizer.loadStateDict(dict);
    for (const each of [one, two, three]) each.optimizer.step();
    const want = await one.optimizer.stateDict();
    for (const each of [two, three]) {
      const got = await each.optimizer.stateDict();
      for (const name of ['a', 'b'])
        for (const [slot, values] of Object.entries(want.state[name]!))
          expect(bitDifference(got.state[name]![slot]!, values), `${slot} of ${name}`).toBeUndefined();
    }
  }
});

gpuTest(
  'a dict of others is loaded by names alone, and weights are what lies there',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const tensors = { a: random.weights(6) };
    const rule = exactRule(device, adam({ lr: 0.01 }));
    const kinds = [KINDS[1], KINDS[2]];
    for (const kind of kinds) {
      const own = await makePair(device, track, kind, tensors, { rule });
      const other = await makePair(
        device,
        track,
        kinds.find((each) => each !== kind)!,
        tensors,
        { rule },
      );
      for (let k = 0; k < 3; k++) {
        own.step();
        other.step();
      }
      const dict = await other.optimizer.stateDict();
      const before = await own.optimizer.readParam('a');
      expect((await errorOf(() => own.optimizer.loadStateDict(dict))).message).toContain(
        `lacks "${slotOf(kind)}"`,
      );
      expect((await errorOf(() => own.twin.loadStateDict(dict))).message).toContain(
        `lacks "${slotOf(kind)}"`,
      );
      expect(await own.optimizer.loadStateDict(dict, { strict: false })).toMatchObject({ loaded: ['a'] });
      own.twin.loadStateDict(dict, { strict: false });
      expect(await own.optimizer.readState('a', slotOf(kind))).toEqual(new Float32Array(6));
      await own.compare('loaded');
      expect(bitDifference(await own.optimizer.readParam('a'), before)).toBeUndefined();
      own.step();
      await own.compare('stepped');
    }
  },
);

gpuTest('rows move, state is reset and copied, parameters rest and go', async ({ device, track }) => {
  for (const kind of KINDS) {
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

gpuTest('float32 weights have groups of their own', async ({ device, track }) => {
  const halves = makeHalves(device, track, 'bf16', Float32Array.of(1, 2));
  const floats = makeBuffer(device, track, Float32Array.of(1, 2));
  const grad = makeBuffer(device, track, Float32Array.of(1, 1));
  const half: Parameter = { name: 'half', data: halves, grad, dtype: 'bf16' };
  const float: Parameter = { name: 'float', data: floats, grad };
  const config = { rule: adam(), masterWeights: 'f32' as const };
  const optimizer = track(
    await Optimizer.create(device, { ...config, groups: [{ params: [float] }, { params: [half] }] }),
  );
  optimizer.step();
  expect(optimizer.memory()).toEqual({
    weights: 12,
    gradients: 16,
    state: 32,
    averages: 0,
    masterWeights: 8,
  });
  expect(optimizer.stateByteLength).toBe(40);
  const both = { ...config, params: [half, float] };
  expect((await errorOf(() => Optimizer.create(device, both))).message).toContain(
    'parameter "float" has float32 weights in a group of weights of 2 bytes',
  );
  const other = makeHalves(device, track, 'bf16', Float32Array.of(1, 2));
  const more: Parameter = { name: 'more', data: other, grad, dtype: 'bf16' };
  expect((await errorOf(() => optimizer.addGroup({ params: ['float', more] }))).message).toContain(
    'group of its own',
  );
  await optimizer.addGroup({ params: [more] });
  expect(optimizer.memory().masterWeights).toBe(16);
});

gpuTest('what they cannot be is refused', async ({ device, track }) => {
  const data = makeHalves(device, track, 'f16', new Float32Array(24));
  const grad = makeBuffer(device, track, new Float32Array(24));
  const make = async (config: object, parameter: object = {}): Promise<string> => {
    const params = [{ name: 'w', data, grad, dtype: 'bf16', ...parameter }] as Parameter[];
    const given = { rule: sgd(), params, masterWeights: 'f32', ...config } as OptimizerConfig;
    const message = (await errorOf(() => Optimizer.create(device, given))).message;
    return message;
  };
  expect(await make({ masterWeights: 'f64' })).toBe(
    'masterWeights is "f64"; give "f32" or "split", or leave it out.',
  );
  expect(await make({ masterWeights: true })).toContain('masterWeights is true');
  expect(await make({ stochasticRounding: true })).toContain('leave one of them out');
  expect(await make({}, { dtype: 'f32', data: grad, grad: data, gradDtype: 'f16' })).toContain(
    'masterWeights is "f32", but all weights are float32',
  );
  expect(await make({ masterWeights: 'split' }, { dtype: 'f16' })).toContain(
    'weights of "f16", and masterWeights "split" takes "bf16"',
  );
  const rows = { rowLength: 6, constraint: 'unit-rows' };
  expect(await make({ masterWeights: 'split' }, rows)).toContain(
    'which masterWeights "split" takes with rows of a multiple of 4 only; pad the rows, or use masterWeights "f32"',
  );
  const params: Parameter[] = [{ name: 'w', data, grad, dtype: 'bf16' }];
  const optimizer = track(await Optimizer.create(device, { rule: sgd(), params, masterWeights: 'split' }));
  const values = new Float32Array(24);
  values[3] = 128;
  const slot = 'correction';
  expect((await errorOf(() => optimizer.writeState('w', slot, values))).message).toContain(
    'correction of parameter "w": value 3 is 128; give an integer from −127 to 127',
  );
});

gpuTest(
  'rows that are left alone keep theirs, whatever lies in a lane with them',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const [rowLength, rowCount] = [2, 33];
    const mask = Uint32Array.from({ length: rowCount }, (_, row) => row % 3);
    const rowMask = track(device.createBuffer({ size: 4 * rowCount, usage: 0x8c }));
    device.queue.writeBuffer(rowMask, 0, mask);
    for (const kind of KINDS) {
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
