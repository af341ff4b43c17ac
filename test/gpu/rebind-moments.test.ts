/** `rebind` in moments that nobody planned for, and to ranges that are almost what they were. */
import { expect, inject } from 'vitest';
import { Optimizer, type OptimizerConfig, adam, scheduleFreeSgd, sgd } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { microtasks } from '../support/live-buffers.js';
import { makeBuffer, makeParameter, readFloats } from '../support/tensors.js';

gpuTest('a longer buffer is refused, with both lengths and a remedy', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', [1, 2, 3], [1, 1, 1]);
  const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [param] }));
  const long = makeBuffer(device, track, [5, 6, 7, 8, 9]);
  const cut = [long, makeBuffer(device, track, [1])];
  for (const change of [
    { data: long },
    { grad: long },
    { data: long, grad: makeBuffer(device, track, [1, 1, 1, 1, 1]) },
    { data: { buffer: long, offset: 4 } },
    { grad: [{ buffer: long, size: 8 }, cut[1]!, { buffer: long, offset: 8, size: 4 }] },
  ]) {
    const error = await errorOf(() => optimizer.rebind({ w: change }));
    expect(error.code).toBe('invalid-parameter');
    expect(error.message).toContain('"w"');
    expect(error.message).toMatch(/\b3\b.*\b[45]\b|\b[45]\b.*\b3\b/);
  }
  optimizer.step();
  expect([...(await optimizer.readParam('w'))]).toEqual([0, 1, 2]);
  // As much of it as there was before is no other length.
  optimizer.rebind({ w: { data: { buffer: long, size: 12 } } });
  optimizer.step();
  expect([...(await optimizer.readParam('w'))]).toEqual([4, 5, 6]);
  expect([...(await readFloats(device, long))]).toEqual([4, 5, 6, 8, 9]);
});

gpuTest('another offset in the same buffer, of the same size', async ({ device, track }) => {
  // Pairs, 256 bytes from one to the next.
  const spread = (...pairs: [number, number][]) => pairs.flatMap((pair) => [...pair, ...Array(62).fill(0)]);
  const pairs = (floats: Float32Array) =>
    [0, 64, 128].flatMap((index) => [...floats.subarray(index, index + 2)]);
  const weights = Float32Array.from(spread([1, 2], [4, 5], [7, 8]));
  const gradients = Float32Array.from(spread([1, 1], [2, 2], [4, 8]));
  const [buffer, grad] = [makeBuffer(device, track, weights), makeBuffer(device, track, gradients)];
  const at = (of: GPUBuffer, pair: number) => ({ buffer: of, offset: 256 * pair, size: 8 });
  for (const config of [{}, { maxGradNorm: 1e9, skipNonFinite: true }]) {
    device.queue.writeBuffer(buffer, 0, weights);
    device.queue.writeBuffer(grad, 0, gradients);
    const params = [{ name: 'w', data: at(buffer, 0), grad: at(grad, 0) }];
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params, ...config }));
    optimizer.step();
    optimizer.rebind({ w: { grad: at(grad, 1) } });
    optimizer.step();
    optimizer.rebind({ w: { data: at(buffer, 1), grad: at(grad, 2) } });
    optimizer.step();
    const read = optimizer.readParam('w');
    optimizer.rebind({ w: { data: at(buffer, 2), grad: at(grad, 1) } });
    optimizer.step();
    optimizer.zeroGrad();
    expect([...(await read)]).toEqual([0, -3]);
    expect(pairs(await readFloats(device, buffer))).toEqual([-2, -1, 0, -3, 5, 6]);
    expect(pairs(await readFloats(device, grad))).toEqual([1, 1, 0, 0, 4, 8]);
    if ('maxGradNorm' in config) expect((await optimizer.stats()).gradNorm).toBeCloseTo(Math.hypot(2, 2), 4);
  }
});

gpuTest(
  'steps that are encoded already keep the buffers they were encoded with',
  async ({ device, track }) => {
    const [first, second] = [
      makeParameter(device, track, 'w', [10], [1]),
      makeParameter(device, track, 'w', [20], [2]),
    ];
    for (const config of [{}, { skipNonFinite: true }]) {
      for (const buffer of [first, second])
        device.queue.writeBuffer(buffer.data, 0, Float32Array.of(buffer === first ? 10 : 20));
      const optimizer = track(
        await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [first], ...config }),
      );
      const encoder = device.createCommandEncoder();
      optimizer.encode(encoder);
      optimizer.rebind({ w: { data: second.data, grad: second.grad } });
      optimizer.encode(encoder);
      optimizer.rebind({ w: { grad: first.grad } });
      device.queue.submit([encoder.finish()]);
      optimizer.step();
      expect([...(await readFloats(device, first.data))]).toEqual([9]);
      expect([...(await readFloats(device, second.data))]).toEqual([17]);
    }
  },
);

/** Settles when so many error scopes were popped from now on. */
function verdictsAskedFor(device: GPUDevice, count: number): Promise<void> {
  const pop = device.popErrorScope.bind(device);
  return new Promise((resolve) => {
    device.popErrorScope = () => {
      if (--count === 0) {
        Reflect.deleteProperty(device, 'popErrorScope');
        resolve();
      }
      return pop();
    };
  });
}

for (const [title, config] of Object.entries({
  plain: {},
  controlled: { maxGradNorm: 1e9, ema: { decay: 0.5 } },
})) {
  gpuTest(`rebind while a group is being added is not lost (${title})`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const [weights, gradients] = [random.weights(9), random.gradients(9)];
    const other = random.gradients(9);
    const make = (grad: Float32Array) => makeParameter(device, track, 'a', weights, grad);
    const want = track(
      await Optimizer.create(device, { rule: adam({ lr: 0.1 }), params: [make(other)], ...config }),
    );
    for (let step = 0; step < 4; step++) want.step();
    const wanted = await want.readParam('a');
    const norm = (await want.stats()).gradNorm;
    // The kernels of the group's rule are compiled already in all rounds but the first.
    const rounds: [what: string, wait: () => Promise<void>][] = [
      ...[0, 1, 2, 5, 13, 34].map((count): [string, () => Promise<void>] => [
        `${count} microtasks`,
        () => microtasks(count),
      ]),
      ...[1, 2, 3, 4, 5, 6].map((count): [string, () => Promise<void>] => [
        `${count} verdicts asked for`,
        () => verdictsAskedFor(device, count),
      ]),
    ];
    for (const [what, wait] of rounds) {
      const old = make(gradients);
      const optimizer = track(
        await Optimizer.create(device, { rule: adam({ lr: 0.1 }), params: [old], ...config }),
      );
      const late = makeParameter(device, track, 'b', [1], [0]);
      const adding = optimizer.addGroup({ params: [late] });
      await Promise.race([wait(), adding]);
      const [next, last] = [make(other), make(other)];
      optimizer.rebind({ a: { data: next.data, grad: next.grad } });
      optimizer.step();
      await adding;
      optimizer.step();
      const read = optimizer.readParam('a');
      const stats = optimizer.stats();
      optimizer.rebind({ a: { grad: last.grad } });
      optimizer.step();
      optimizer.rebind({ a: { grad: next.grad } });
      optimizer.step();
      optimizer.zeroGrad();
      expect(bitDifference(await optimizer.readParam('a'), wanted), what).toBeUndefined();
      expect(bitDifference(await readFloats(device, old.data), weights), what).toBeUndefined();
      expect(bitDifference(await readFloats(device, old.grad), gradients), what).toBeUndefined();
      expect(
        [...(await readFloats(device, next.grad))].every((g) => g === 0),
        what,
      ).toBe(true);
      expect((await read).length).toBe(9);
      if ('maxGradNorm' in config) expect((await stats).gradNorm, what).toBe(norm);
    }
  });
}

gpuTest(
  'weights that moved while they were evaluated come back where they lie',
  async ({ device, track }) => {
    const configs: Omit<OptimizerConfig, 'params' | 'groups'>[] = [
      { rule: scheduleFreeSgd({ lr: 1 }) },
      { rule: sgd({ lr: 1 }), ema: { decay: 0.5 } },
    ];
    for (const config of configs) {
      const param = makeParameter(device, track, 'w', [1, 2], [1, 1]);
      const params = [param];
      const optimizer = track(await Optimizer.create(device, { ...config, params }));
      optimizer.step();
      optimizer.step();
      const trained = await optimizer.readParam('w');
      optimizer.eval();
      const evaluated = await optimizer.readParam('w');
      const other = makeBuffer(device, track, evaluated);
      optimizer.rebind({ w: { data: other } });
      optimizer.train();
      const back = await optimizer.readParam('w');
      expect(bitDifference(evaluated, trained)).toBeDefined();
      expect(Math.max(...back.map((w, i) => Math.abs(w - trained[i]!)))).toBeLessThan(1e-6);
      expect([...(await readFloats(device, other))]).toEqual([...back]);
      expect([...(await readFloats(device, param.data))]).toEqual([...evaluated]);
    }
  },
);
