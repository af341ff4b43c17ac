import { expect, inject, vi } from 'vitest';
import { Optimizer, type OptimizerConfig, type OptimizerSettings, adam, sgd } from '../../src/index.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { FEWEST_GATHERED } from '../../src/plan/reduction.js';
import { bitDifference } from '../../proof/compare.js';
import { gpuTest } from '../support/device.js';
import { isTurn } from '../support/draw.js';
import { checkParity } from '../../proof/parity.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { makeHalves, readHalves } from '../support/halves.js';
import { makeBuffer, makeParameter, readFloats, tensorsPerDispatch } from '../support/tensors.js';

/** No batch divides their number; both kinds of kernels are among them, and one too large to be batched. */
const LENGTHS = [1, 3, 5, 63, 64, 65, 257, 512, 1024, 4, 2048, 8, 100, 12_000];

const rules = ruleFactories.map(([, factory]) => factory()).filter((rule) => !layoutOf(rule).tensor);
const slotCounts = rules.map((rule) => layoutOf(rule).slots.length);
/** One for each number of bindings. */
const drawnRules = rules.filter((_, k) => slotCounts.indexOf(slotCounts[k]!) === k);

for (const [index, rule] of drawnRules.entries()) {
  gpuTest(`${rule.name}: every length at once, each in buffers of its own`, async ({ device, track }) => {
    for (const oneBuffer of [false, true].filter((_, k) => isTurn(index + k, 2))) {
      const layouts = LENGTHS.map((length, k) => ({
        length,
        dataOffset: [0, 0, 0, 1][k % 4]!,
        gradOffset: [0, 0, 2][k % 3]!,
      }));
      await checkParity({
        device,
        track,
        rule,
        layouts,
        oneBuffer,
        ownBuffers: true,
        steps: 3,
        random: new Random(inject('seed')),
        boundedElements: 8,
      });
    }
  });
}

gpuTest('tensors whose kernels differ by size or dtype alone', async ({ device, track }) => {
  const kinds = [
    [4_000, 'f32', 'f32'],
    [400_000, 'f32', 'f32'],
    [4_000, 'f16', 'f32'],
    [4_000, 'bf16', 'f32'],
    [4_000, 'f32', 'f16'],
    [4_000, 'f32', 'bf16'],
  ] as const;
  const make = (dtype: 'f32' | 'f16' | 'bf16', values: Float32Array<ArrayBuffer>) =>
    dtype === 'f32' ? makeBuffer(device, track, values) : makeHalves(device, track, dtype, values);
  const params = kinds.map(([length, dtype, gradDtype], k) => ({
    name: `w${k}`,
    length,
    dtype,
    gradDtype,
    data: make(
      dtype,
      Float32Array.from({ length }, (_, i) => i % 8),
    ),
    grad: make(gradDtype, new Float32Array(length).fill(k + 1)),
  }));
  // Exact everywhere.
  track(await Optimizer.create(device, { rule: sgd({ lr: 0.5 }), params })).step();
  for (const [k, { length, dtype, data }] of params.entries()) {
    const after = dtype === 'f32' ? await readFloats(device, data) : await readHalves(device, dtype, data);
    const wanted = Float32Array.from({ length }, (_, i) => (i % 8) - (k + 1) / 2);
    expect(bitDifference(after, wanted), String(kinds[k])).toBeUndefined();
  }
});

/** Tensors of 8 elements in buffers of their own, and how many dispatches a step of them takes. */
async function countDispatches(
  device: GPUDevice,
  track: Track,
  count: number,
  config: Omit<OptimizerConfig, 'params' | 'groups'>,
): Promise<number> {
  const ones = new Float32Array(8).fill(1);
  const params = Array.from({ length: count }, (_, k) => makeParameter(device, track, `w${k}`, ones, ones));
  const optimizer = track(await Optimizer.create(device, { ...config, params }));
  const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
  optimizer.step();
  const calls = dispatch.mock.calls.length;
  dispatch.mockRestore();
  return calls;
}

gpuTest('as many tensors share a dispatch as the device can bind', async ({ device, track }) => {
  const count = 41;
  const batchCount = (sharedCount: number) => Math.ceil(count / tensorsPerDispatch(device, sharedCount));
  expect(await countDispatches(device, track, count, { rule: sgd() })).toBe(batchCount(0));
  expect(await countDispatches(device, track, count, { rule: adam() })).toBe(batchCount(2));
  // Before them the gradients are reduced, as many together as can be bound beside what that leaves, and two dispatches decide.
  // They are gathered on the way, so that a step binds one buffer for all of them.
  const { maxStorageBuffersPerShaderStage } = device.limits;
  const reduced = Math.ceil(count / Math.min(maxStorageBuffersPerShaderStage - 1, 8));
  const stepped = Math.ceil(count / Math.min(maxStorageBuffersPerShaderStage - 3, 8));
  const controlled = await countDispatches(device, track, count, { rule: adam(), skipNonFinite: true });
  expect(controlled).toBe(reduced + 2 + stepped);
});

gpuTest(
  'a new gradient buffer of one replaces the bind group of its batch, bit for bit',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const weights = Array.from({ length: 9 }, () => random.weights(20));
    const gradients = weights.map(() => random.gradients(20));
    const other = random.gradients(20);
    const make = () =>
      weights.map((values, k) => makeParameter(device, track, `w${k}`, values, gradients[k]!));
    const [still, moving] = [make(), make()];
    const rule = adam({ lr: 0.1 });
    const want = track(await Optimizer.create(device, { rule, params: still }));
    const got = track(await Optimizer.create(device, { rule, params: moving }));
    const elsewhere = makeBuffer(device, track, other);
    const made: number[] = [];
    for (const values of [other, gradients[1]!, other]) {
      device.queue.writeBuffer(still[1]!.grad, 0, values);
      const created = vi.spyOn(device, 'createBindGroup');
      got.rebind({ w1: { grad: values === other ? elsewhere : moving[1]!.grad } });
      made.push(created.mock.calls.length);
      created.mockRestore();
      for (const optimizer of [want, got]) optimizer.step();
    }
    expect(made).toEqual([1, 0, 0]);
    for (const k of weights.keys()) {
      expect(bitDifference(await got.readParam(`w${k}`), await want.readParam(`w${k}`))).toBeUndefined();
    }
  },
);

gpuTest(
  'gathered gradients are each tensor’s own, wherever they were gathered to',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    // Bindings begin at multiples of 256 bytes: most of these lie in another one than those before.
    const lengths = Array.from({ length: 2 * FEWEST_GATHERED }, (_, k) => 1 + ((k * 97) % 509));
    const tensors = lengths.map((length) => ({
      weights: random.weights(length),
      gradients: random.gradients(length),
    }));
    const run = async (config: OptimizerSettings) => {
      const params = tensors.map(({ weights, gradients }, k) =>
        makeParameter(device, track, `w${k}`, weights, gradients),
      );
      const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 0.5 }), params, ...config }));
      optimizer.step();
      return Promise.all(params.map(({ name }) => optimizer.readParam(name!)));
    };
    const [want, got] = [await run({}), await run({ skipNonFinite: true })];
    for (const [k, weights] of got.entries())
      expect(bitDifference(weights, want[k]!), `w${k}`).toBeUndefined();
  },
);

gpuTest('tensors in one buffer share a dispatch if their bindings lie apart', async ({ device, track }) => {
  const data = makeBuffer(
    device,
    track,
    Float32Array.from({ length: 200 }, (_, k) => k),
  );
  const grad = makeBuffer(device, track, new Float32Array(200).fill(1));
  // Bindings begin at multiples of 256 bytes: the first two meet, the third lies apart.
  const ranges = [0, 32, 512].map((offset) => ({ offset, size: 16 }));
  const params = ranges.map((range) => ({
    data: { buffer: data, ...range },
    grad: { buffer: grad, ...range },
  }));
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params }));
  const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
  optimizer.step();
  expect(dispatch).toHaveBeenCalledTimes(2);
  dispatch.mockRestore();
  const values = await Promise.all([0, 1, 2].map((k) => optimizer.readParam(`param${k}`)));
  expect(values.map((list) => [...list])).toEqual([
    [-1, 0, 1, 2],
    [7, 8, 9, 10],
    [127, 128, 129, 130],
  ]);
});

gpuTest(
  'gradients in the weights’ buffer of a tensor of the batch are refused, and nothing changes',
  async ({ device, track }) => {
    const a = makeParameter(device, track, 'a', [1, 2, 3, 4], [1, 1, 1, 1]);
    const spacious = makeBuffer(device, track, [5, 6, 7, 8, ...new Float32Array(60), 1, 1, 1, 1]);
    const b = {
      name: 'b',
      data: { buffer: spacious, size: 16 },
      grad: makeBuffer(device, track, [1, 1, 1, 1]),
    };
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [a, b] }));
    const change = { a: { grad: { buffer: spacious, offset: 256, size: 16 } } };
    expect(() => optimizer.rebind(change)).toThrow('"a" and "b" are stepped by one dispatch');
    optimizer.step();
    expect([...(await optimizer.readParam('a'))]).toEqual([0, 1, 2, 3]);
    // From the beginning it is no hindrance.
    const anew = track(
      await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [{ ...a, ...change.a }, b] }),
    );
    anew.step();
    expect([...(await anew.readParam('a'))]).toEqual([-1, 0, 1, 2]);
    expect([...(await anew.readParam('b'))]).toEqual([3, 4, 5, 6]);
  },
);

gpuTest(
  'a buffer that the device rejects is named, whatever it is batched with',
  async ({ device, track }) => {
    const params = ['a', 'b', 'c'].map((name) =>
      makeParameter(device, track, name, [1, 2, 3, 4], [1, 1, 1, 1]),
    );
    params[1]!.grad.destroy();
    await expect(Optimizer.create(device, { rule: sgd(), params })).rejects.toThrow(
      'parameter "b": the device rejects it',
    );
  },
);

gpuTest(
  'a step that skips some of a batch leaves these, their state and no others',
  async ({ device, track }) => {
    const lengths = [5, 8, 300, 7, 64];
    const make = (prefix: string) =>
      lengths.map((length, k) =>
        makeParameter(
          device,
          track,
          `${prefix}${k}`,
          new Float32Array(length).fill(k),
          Float32Array.from({ length }, (_, i) => i - 2),
        ),
      );
    const rule = adam({ lr: 0.1 });
    const optimizer = track(await Optimizer.create(device, { rule, params: make('w') }));
    const encode = (skip: Iterable<string> = []) => {
      const encoder = device.createCommandEncoder();
      optimizer.encode(encoder, { skip });
      device.queue.submit([encoder.finish()]);
    };
    const createBindGroup = vi.spyOn(device, 'createBindGroup');
    const left = new Set(['w0', 'w3']);
    encode();
    encode(left);
    const made = createBindGroup.mock.calls.length;
    encode(left);
    expect(createBindGroup.mock.calls.length).toBe(made);
    encode(new Set(lengths.map((_, k) => `w${k}`)));
    encode();
    createBindGroup.mockRestore();
    for (const [k, length] of lengths.entries()) {
      // The same by itself; the bias corrections follow the tensor's own count.
      const alone = make('alone')[k]!;
      const single = track(await Optimizer.create(device, { rule, params: [alone] }));
      for (const isLeft of [false, left.has(`w${k}`), left.has(`w${k}`), true, false]) {
        const encoder = device.createCommandEncoder();
        single.encode(encoder, isLeft ? { skip: [`alone${k}`] } : undefined);
        device.queue.submit([encoder.finish()]);
      }
      const [got, want] = await Promise.all([optimizer.readParam(`w${k}`), single.readParam(`alone${k}`)]);
      expect(bitDifference(got, want), `w${k} of ${length}`).toBeUndefined();
    }
  },
);
