/** What becomes of more exact weights in calls beside the step, and which are refused. */
import { expect, inject } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  type Parameter,
  ReferenceOptimizer,
  adam,
  momentum,
  scheduleFreeSgd,
  sgd,
} from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { drawn } from '../support/draw.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeHalves, roundedTo } from '../support/halves.js';
import { exactRule } from '../support/life-pair.js';
import { KINDS, makePair, slotOf } from '../support/master-pair.js';
import { makeBuffer } from '../support/tensors.js';

gpuTest('small steps add up, as those of float32 do', async ({ device, track }) => {
  for (const kind of drawn(KINDS, 1)) {
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
  for (const kind of drawn(KINDS, 1)) {
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

gpuTest('evaluation gives them back', async ({ device, track }) => {
  for (const kind of drawn(KINDS, 1)) {
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
