import { expect, inject, vi } from 'vitest';
import {
  Optimizer,
  ParameterArena,
  ReferenceOptimizer,
  type Rule,
  lamb,
  lars,
  novograd,
} from '../../src/index.js';
import { LANES_PER_PARTIAL } from '../../src/kernel/measure-shape.js';
import { bitDifference } from '../../proof/compare.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { gpuTest } from '../support/device.js';
import { Random } from '../../proof/random.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

const ELEMENTS_PER_PARTIAL = 4 * LANES_PER_PARTIAL;
const RULES: Rule[] = [
  lars({ lr: 0.5, weightDecay: 0.1 }),
  lamb({ lr: 0.1, weightDecay: 0.1 }),
  novograd({ lr: 0.1, weightDecay: 0.1 }),
];

/** The weights after some steps of one gradient, from tensors of the given lengths that lie anywhere. */
async function stepPieces(
  device: GPUDevice,
  track: <T extends { destroy(): void }>(resource: T) => T,
  rule: Rule,
  weights: Float32Array,
  gradients: Float32Array,
  lengths: readonly number[],
  config: object = {},
): Promise<Float32Array> {
  const cut = (values: Float32Array) => {
    let start = 0;
    return lengths.map((length) => {
      const buffer = makeBuffer(device, track, values.subarray(start, (start += length)));
      return { buffer, offset: 0, size: 4 * length };
    });
  };
  const params = [{ name: 'w', data: cut(weights), grad: cut(gradients) }];
  const optimizer = track(await Optimizer.create(device, { rule, params, ...config }));
  for (let step = 0; step < 3; step++) optimizer.step();
  return optimizer.readParam('w');
}

for (const rule of RULES) {
  gpuTest(
    `${rule.name}: the norms are the whole tensor's, in however many pieces`,
    async ({ device, track }) => {
      const random = new Random(inject('seed'));
      const length = 3 * ELEMENTS_PER_PARTIAL + 5;
      const [weights, gradients] = [random.weights(length), random.gradients(length)];
      const step = (lengths: number[], config = {}) =>
        stepPieces(device, track, rule, weights, gradients, lengths, config);
      const whole = await step([length]);
      // Cut between partials, the sum is the same one.
      const cut = await step([2 * ELEMENTS_PER_PARTIAL, ELEMENTS_PER_PARTIAL + 5]);
      expect(bitDifference(cut, whole)).toBeUndefined();
      const shaped = await step([length], { kernel: { workgroupSize: 32, lanesPerInvocation: 3 } });
      expect(bitDifference(shaped, whole)).toBeUndefined();
      // Elsewhere it is added in another order: both are held to float64 by the bound of a norm, of which a step keeps less
      // than η ≤ ½ of the weight's own size, three times; the rest are roundings of a weight below 2.
      const elsewhere = await step([1000, 7, ELEMENTS_PER_PARTIAL, length - 1007 - ELEMENTS_PER_PARTIAL]);
      const exact = new ReferenceOptimizer({
        rule,
        params: [{ name: 'w', data: Float64Array.from(weights) }],
      });
      for (let k = 0; k < 3; k++) exact.step([gradients]);
      const want = exact.readParam('w');
      const relative = 128 * 2 ** -23;
      for (const got of [whole, elsewhere]) {
        const wrong = got.findIndex((value, i) => {
          const moved = Math.abs(want[i]! - weights[i]!);
          return !(
            Math.abs(value - want[i]!) <=
            relative * (moved + Math.abs(want[i]!) + Math.abs(weights[i]!))
          );
        });
        expect(wrong, `got ${got[wrong]}, want ${want[wrong]}`).toBe(-1);
      }
    },
  );

  gpuTest(`${rule.name}: neighbours have norms of their own`, async ({ device, track }) => {
    const spec = { a: { shape: [5] }, b: { shape: [64] }, c: { shape: [3, 3] } } as const;
    const arena = track(await ParameterArena.create(device, spec));
    const random = new Random(inject('seed'));
    // The last is of another group, with numbers of its own.
    const grouped = <P>(params: readonly P[]) => [
      { params: params.slice(0, 2) },
      { params: params.slice(2), weightDecay: 0.3 },
    ];
    const twin = new ReferenceOptimizer({
      rule,
      precision: 'f32',
      groups: grouped(
        Object.entries(spec).map(([name, { shape }], k) => {
          const data = random.weights(shape.reduce<number>((n, m) => n * m, 1)).map((x) => x * 10 ** k);
          arena.load(name, data);
          return { name, data };
        }),
      ),
    });
    const gradients = Object.keys(spec).map((name) => random.weights(twin.readParam(name).length));
    Object.keys(spec).forEach((name, k) => {
      const { buffer, offset } = arena.gradView(name);
      device.queue.writeBuffer(buffer, offset, gradients[k]!);
    });
    const optimizer = track(await Optimizer.create(device, { rule, groups: grouped(arena.params) }));
    optimizer.step();
    twin.step(gradients);
    for (const name of Object.keys(spec)) {
      const got = await optimizer.readParam(name);
      const want = Float32Array.from(twin.readParam(name));
      if (isSwiftShader(device)) expect(bitDifference(got, want), name).toBeUndefined();
      else got.forEach((value, i) => expect(value).toBeCloseTo(want[i]!, 3));
    }
  });

  gpuTest(
    `${rule.name}: a skipped step changes no byte, of the tensor's own state either`,
    async ({ device, track }) => {
      const param = makeParameter(device, track, 'w', [1, -2, 3, 0.5, 7], [1, 2, -1, 0.25, 3]);
      const config = { rule, params: [param], skipNonFinite: true };
      const optimizer = track(await Optimizer.create(device, config));
      optimizer.step();
      // What is measured of the next is not what was: a record made again of old measures would be another one.
      device.queue.writeBuffer(param.grad, 0, Float32Array.of(4, 4, 4, 4, 4));
      optimizer.step();
      const before = await optimizer.stateDict();
      const weights = await optimizer.readParam('w');
      device.queue.writeBuffer(param.grad, 0, Float32Array.of(NaN));
      optimizer.step();
      const after = await optimizer.stateDict();
      expect(after.state).toEqual(before.state);
      expect(bitDifference(await optimizer.readParam('w'), weights)).toBeUndefined();
      expect((await optimizer.stats()).skipped).toBe(1);
    },
  );

  gpuTest(
    `${rule.name}: one dispatch to measure a tensor, one to summarize all, one to step it`,
    async ({ device, track }) => {
      const params = ['a', 'b', 'c'].map((name) =>
        makeParameter(device, track, name, [1, 2, 3, 4], [1, 1, 1, 1]),
      );
      const optimizer = track(await Optimizer.create(device, { rule, params }));
      const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
      const create = vi.spyOn(GPUDevice.prototype, 'createBindGroup');
      optimizer.step();
      expect(dispatch).toHaveBeenCalledTimes(7);
      expect(create).not.toHaveBeenCalled();
      dispatch.mockRestore();
      create.mockRestore();
    },
  );
}

for (const [w, g] of [
  [1e30, 1e30],
  [1e-30, 1e-30],
  [1e30, 1],
  [1, 1e-30],
  [1e-30, 1],
  [1e18, 1e-18],
] as const) {
  gpuTest(
    `lars: the trust ratio survives weights of ${w} and gradients of ${g}`,
    async ({ device, track }) => {
      // Of each pair one square at least is out of float32's range. The step is τw, whatever g is.
      const [weights, gradients] = [Array<number>(300).fill(w), Array<number>(300).fill(g)];
      const rule = lars({ lr: 1, momentum: 0, trustCoefficient: 1 / 16, eps: 0 });
      const param = makeParameter(device, track, 'w', weights, gradients);
      const optimizer = track(await Optimizer.create(device, { rule, params: [param] }));
      optimizer.step();
      const got = await optimizer.readParam('w');
      // The norm's bound is 30 ULP, twice, of which a sixteenth shows, and the step's own roundings are 4.
      const want = Math.fround(w) * (15 / 16);
      got.forEach((value) => expect(Math.abs(value - want) / want).toBeLessThan(8 * 2 ** -23));
    },
  );
}

gpuTest('novograd keeps one number per tensor, which a state dict carries', async ({ device, track }) => {
  const rule = novograd({ amsgrad: true });
  const create = async () => {
    const params = ['a', 'b'].map((name, k) =>
      makeParameter(device, track, name, [1, 2, 3], [3 * k, 4 * k, 0]),
    );
    return track(await Optimizer.create(device, { rule, params }));
  };
  const first = await create();
  first.step();
  expect([...(await first.readState('b', 'exp_avg_sq'))]).toEqual([25]);
  expect([...(await first.readState('a', 'exp_avg_sq'))]).toEqual([0]);
  const dict = await first.stateDict();
  expect(dict.state['b']!['max_exp_avg_sq']).toEqual(Float32Array.of(25));
  const second = await create();
  await expect(
    second.loadStateDict({
      ...dict,
      state: { ...dict.state, b: { ...dict.state['b']!, exp_avg_sq: new Float32Array(3) } },
    }),
  ).rejects.toThrow('exp_avg_sq has 3 elements');
  await second.loadStateDict(dict);
  expect([...(await second.readState('b', 'exp_avg_sq'))]).toEqual([25]);
});
