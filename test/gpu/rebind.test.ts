import { expect, inject, vi } from 'vitest';
import { Optimizer, OptimizerError, adam, lamb, lars, novograd, sgd } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { gpuTest } from '../support/device.js';
import { Random } from '../../proof/random.js';
import { makeBuffer, makeParameter, readFloats } from '../support/tensors.js';

gpuTest('buffers of many tensors that come again cost no bind groups', async ({ device, track }) => {
  // More dispatches than there are bind groups that any optimizer keeps.
  const values = new Float32Array(4);
  const names = Array.from({ length: 300 }, (_, k) => `w${k}`);
  const sets = [0, 1].map(() =>
    Object.fromEntries(names.map((name) => [name, { grad: makeBuffer(device, track, values) }])),
  );
  const params = names.map((name) => ({
    name,
    data: makeBuffer(device, track, values),
    grad: sets[0]![name]!.grad,
  }));
  const optimizer = track(await Optimizer.create(device, { rule: lars(), params }));
  optimizer.rebind(sets[1]!);
  const created = vi.spyOn(device, 'createBindGroup');
  for (const set of [0, 1, 0, 1]) optimizer.rebind(sets[set]!);
  expect(created).not.toHaveBeenCalled();
  created.mockRestore();
});

gpuTest('gradients in a new buffer each step are followed, bit for bit', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const lengths = [5, 4100, 64];
  const weights = lengths.map((length) => random.weights(length));
  const gradients = [0, 1, 2].map(() => lengths.map((length) => random.gradients(length)));
  const make = () =>
    weights.map((values, k) => makeParameter(device, track, `w${k}`, values, gradients[0]![k]!));
  const config = { rule: adam({ lr: 0.1 }), maxGradNorm: 1, skipNonFinite: true };
  const still = make();
  const moving = make();
  const want = track(await Optimizer.create(device, { ...config, params: still }));
  const got = track(await Optimizer.create(device, { ...config, params: moving }));
  const pool = gradients.map((values) => values.map((g) => makeBuffer(device, track, g)));
  for (const step of [0, 1, 2, 0, 1, 2]) {
    for (const [k, values] of gradients[step]!.entries()) device.queue.writeBuffer(still[k]!.grad, 0, values);
    want.step();
    const created = vi.spyOn(device, 'createBindGroup');
    got.rebind({
      w0: { grad: pool[step]![0]! },
      w1: { grad: pool[step]![1]! },
      w2: { grad: pool[step]![2]! },
    });
    got.step();
    // The first time round: one for the step and one for the norm, per tensor.
    expect(created.mock.calls.length).toBeLessThanOrEqual(2 * (lengths.length + 1));
    created.mockRestore();
  }
  const created = vi.spyOn(device, 'createBindGroup');
  got.rebind({ w0: { grad: pool[1]![0]! }, w1: { grad: pool[1]![1]! }, w2: { grad: pool[1]![2]! } });
  got.rebind({ w1: { grad: pool[1]![1]! } });
  expect(created).not.toHaveBeenCalled();
  created.mockRestore();
  for (const k of lengths.keys()) {
    expect(bitDifference(await got.readParam(`w${k}`), await want.readParam(`w${k}`))).toBeUndefined();
    const [gotState, wantState] = [
      await got.readState(`w${k}`, 'exp_avg'),
      await want.readState(`w${k}`, 'exp_avg'),
    ];
    expect(bitDifference(gotState, wantState)).toBeUndefined();
  }
});

gpuTest('weights may move, and their state goes with them', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const [weights, gradients] = [random.weights(100), random.gradients(100)];
  const still = makeParameter(device, track, 'w', weights, gradients);
  const moving = makeParameter(device, track, 'w', weights, gradients);
  const want = track(await Optimizer.create(device, { rule: adam(), params: [still] }));
  const got = track(await Optimizer.create(device, { rule: adam(), params: [moving] }));
  for (const optimizer of [want, got]) optimizer.step();
  const elsewhere = makeBuffer(device, track, await got.readParam('w'));
  got.rebind({ w: { data: elsewhere } });
  for (const optimizer of [want, got]) optimizer.step();
  expect(bitDifference(await got.readParam('w'), await want.readParam('w'))).toBeUndefined();
  got.zeroGrad();
});

gpuTest('what moves one after the other stays where it went', async ({ device, track }) => {
  const params = ['a', 'b'].map((name) => makeParameter(device, track, name, [1], [1]));
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params }));
  const moved = ['a', 'b'].map(() => makeBuffer(device, track, [5]));
  for (const [k, name] of ['a', 'b'].entries()) optimizer.rebind({ [name]: { data: moved[k]! } });
  optimizer.step();
  for (const name of ['a', 'b']) expect([...(await optimizer.readParam(name))]).toEqual([4]);
  for (const { data } of params) expect([...(await readFloats(device, data))]).toEqual([1]);
});

gpuTest('a change that does not fit is refused, and nothing changes', async ({ device, track }) => {
  const params = [
    makeParameter(device, track, 'a', [1, 2, 3, 4], [1, 1, 1, 1]),
    makeParameter(device, track, 'b', [1, 2, 3, 4], [1, 1, 1, 1]),
  ];
  const optimizer = track(await Optimizer.create(device, { rule: adam({ lr: 1 }), params }));
  const [short, long] = [
    makeBuffer(device, track, [1, 2]),
    makeBuffer(device, track, [9, 9, 9, 9, 9, 9, 9, 9]),
  ];
  const noStorage = makeBuffer(device, track, [1, 2, 3, 4], GPUBufferUsage.COPY_SRC);
  for (const [changes, complaint] of [
    [{ c: { grad: long } }, 'no parameter "c"'],
    [
      { b: { grad: short } },
      '"b": grad has 2 elements, but the parameter has 4; rebind() changes no lengths',
    ],
    [{ a: { grad: long } }, '"a": grad has 8 elements, but the parameter has 4'],
    [{ a: { grad: noStorage } }, 'without STORAGE'],
    [{ a: { data: params[1]!.data } }, 'name it once and sum the gradients'],
    [{ a: { grad: params[1]!.data } }, 'overlaps'],
    [{ a: { grad: { buffer: long, offset: 4, size: 16 } } }, '"a" would lie so differently'],
    [{ a: { gradient: long } }, 'unknown option "gradient"'],
    [{ a: 3 }, '3 is no change'],
    [null, 'null is no record'],
  ] as const) {
    expect(() => optimizer.rebind(changes as never), JSON.stringify(changes)).toThrow(OptimizerError);
    expect(() => optimizer.rebind(changes as never)).toThrow(complaint);
  }
  optimizer.step();
  expect([...(await optimizer.readParam('a'))].map(Math.round)).toEqual([0, 1, 2, 3]);
});

gpuTest('beside a sparse gradient, which itself stays where it is', async ({ device, track }) => {
  const table = makeBuffer(device, track, [1, 2, 3, 4]);
  const indices = makeBuffer(device, track, new Float32Array(Uint32Array.of(1).buffer));
  const sparse = { indices, values: makeBuffer(device, track, [1, 1]) };
  const dense = makeParameter(device, track, 'dense', [1, 2], [1, 1]);
  const params = [dense, { name: 'table', data: table, grad: sparse, rowLength: 2 }];
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params }));
  expect(() => optimizer.rebind({ table: { grad: sparse.values } })).toThrow('cannot be rebound');
  optimizer.rebind({ dense: { grad: makeBuffer(device, track, [2, 2]) } });
  optimizer.step();
  expect([...(await optimizer.readParam('dense'))]).toEqual([-1, 0]);
  expect([...(await optimizer.readParam('table'))]).toEqual([1, 2, 2, 3]);
});

for (const factory of [lars, lamb, novograd]) {
  const rule = factory({ lr: 0.1, weightDecay: 0.1 });
  gpuTest(`${rule.name} measures what lies in the new buffers`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    // Two pieces, out of phase, of which the second has a body and edges; and a tensor beside it.
    const [lengths, offsets] = [
      [7, 4103],
      [4, 12],
    ] as const;
    const place = (values: readonly Float32Array[]) =>
      values.map((piece, k) => {
        const padded = new Float32Array(offsets[k]! / 4 + piece.length).fill(NaN);
        padded.set(piece, offsets[k]! / 4);
        return { buffer: makeBuffer(device, track, padded), offset: offsets[k]!, size: piece.byteLength };
      });
    const draw = () => lengths.map((length) => random.gradients(length));
    const rounds = [draw(), draw(), draw()];
    const weights = lengths.map((length) => random.weights(length));
    const make = async () => {
      const beside = makeParameter(device, track, 'beside', [1, 2, 3], [3, 0, 4]);
      const split = { name: 'split', data: place(weights), grad: place(rounds[0]!) };
      const config = { rule, params: [beside, split], maxGradNorm: 10 };
      return { split, optimizer: track(await Optimizer.create(device, config)) };
    };
    const [still, moving] = [await make(), await make()];
    const pool = rounds.map(place);
    // In the last round the weights lie elsewhere, too.
    const elsewhere = place(weights);
    for (const [step, round] of [0, 1, 2, 1].entries()) {
      for (const [k, { buffer, offset }] of still.split.grad.entries()) {
        device.queue.writeBuffer(buffer, offset, rounds[round]![k]!);
      }
      still.optimizer.step();
      if (step === 3) {
        const whole = await moving.optimizer.readParam('split');
        device.queue.writeBuffer(elsewhere[0]!.buffer, offsets[0], whole, 0, lengths[0]);
        device.queue.writeBuffer(elsewhere[1]!.buffer, offsets[1], whole, lengths[0]);
      }
      const change = { grad: pool[round]!, ...(step === 3 && { data: elsewhere }) };
      moving.optimizer.rebind({ split: change });
      moving.optimizer.step();
    }
    const created = vi.spyOn(device, 'createBindGroup');
    for (const round of [1, 2, 1]) {
      moving.optimizer.rebind({ split: { data: moving.split.data, grad: pool[round]! } });
    }
    moving.optimizer.rebind({ split: { data: elsewhere } });
    expect(created).not.toHaveBeenCalled();
    created.mockRestore();
    const [got, want] = [await moving.optimizer.stateDict(), await still.optimizer.stateDict()];
    for (const name of ['beside', 'split']) {
      for (const slot of Object.keys(want.state[name]!)) {
        expect(bitDifference(got.state[name]![slot]!, want.state[name]![slot]!), slot).toBeUndefined();
      }
      expect(
        bitDifference(await moving.optimizer.readParam(name), await still.optimizer.readParam(name)),
      ).toBeUndefined();
    }
  });
}

gpuTest(
  'a measured tensor that would lie differently is refused, and nothing changes',
  async ({ device, track }) => {
    const param = makeParameter(device, track, 'w', [3, 4, 0, 0], [1, 1, 1, 1]);
    const config = { rule: lars({ lr: 1, trustCoefficient: 0.5 }), params: [param] };
    const optimizer = track(await Optimizer.create(device, config));
    const twice = makeBuffer(device, track, [9, 9, 9, 9, 9, 9, 9, 9]);
    const halves = [0, 8].map((offset) => ({ buffer: twice, offset, size: 8 }));
    for (const grad of [{ buffer: twice, offset: 4, size: 16 }, halves]) {
      expect(() => optimizer.rebind({ w: { grad } })).toThrow('"w" would lie so differently');
    }
    optimizer.step();
    // ρ = ½ · 5 / 2, and w − ρg.
    expect([...(await optimizer.readParam('w'))].map((w) => Math.round(100 * w))).toEqual([
      175, 275, -125, -125,
    ]);
  },
);
