/** Loops, counts and limits where they end, or should. */
import { describe, expect, inject, vi } from 'vitest';
import {
  Optimizer,
  OptimizerError,
  ParameterArena,
  type Rule,
  adam,
  adan,
  lamb,
  sgd,
} from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { errorOf } from '../support/error-of.js';
import { watchBuffers } from '../support/live-buffers.js';
import { makeWords } from '../support/sparse-run.js';
import { tamper } from '../support/tamper.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

/** The device's limits with some of them lower; the device itself does not mind more. */
function limitedTo(device: GPUDevice, limits: Record<string, number>): Record<string, number> {
  const all: Record<string, number> = {};
  for (const name in device.limits) all[name] = Reflect.get(device.limits, name) as number;
  return { ...all, ...limits };
}

gpuTest(
  'a row that is named hundreds of thousands of times is summed in a tree, the same bits every run',
  async ({ device, track }) => {
    const entryCount = 2 ** 18;
    const random = new Random(inject('seed'));
    // Two rows, so that the order within a row matters.
    const rows = Uint32Array.from({ length: entryCount }, (_, k) => (k % 1000 === 7 ? 1 : 0));
    const values = Float32Array.from({ length: entryCount }, () =>
      Math.fround(0.1 + 0.01 * random.uniform()),
    );
    const grad = { indices: makeWords(device, track, rows), values: makeBuffer(device, track, values) };
    const sums = [0, 0];
    values.forEach((value, k) => (sums[rows[k]!]! += value));
    const results: Float32Array[] = [];
    for (const config of [{}, {}, { maxGradNorm: 1e30 }]) {
      const table = { name: 'table', data: makeBuffer(device, track, [0, 0, 5]), rowLength: 1, grad };
      const optimizer = track(
        await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [table], ...config }),
      );
      optimizer.step();
      results.push(await optimizer.readParam('table'));
      optimizer.destroy();
    }
    for (const [got] of [results[0]!, results[1]!, results[2]!].map((result) => [result])) {
      expect(bitDifference(got!, results[0]!)).toBeUndefined();
      expect(got![2]).toBe(5);
      // 18 levels of a tree; one after the other, the sum is off by some 10⁻³ of itself.
      for (const row of [0, 1]) {
        expect(Math.abs(-got![row]! - sums[row]!) / sums[row]!, `row ${row}`).toBeLessThan(32 * 2 ** -24);
      }
    }
  },
);

describe('tiny limits', () => {
  for (const bytes of drawn([4, 16, 64, 256, 1024], 2)) {
    gpuTest(`bindings of ${bytes} bytes are planned for or refused`, async ({ device, track }) => {
      const random = new Random(inject('seed'));
      const [weights, gradients] = [random.weights(300), random.gradients(300)];
      const restore = tamper(device, {
        limits: limitedTo(device, { maxStorageBufferBindingSize: bytes, maxUniformBufferBindingSize: bytes }),
      });
      try {
        for (const rule of [adam(), lamb()] as Rule[]) {
          for (const config of [{}, { maxGradNorm: 1e9, skipNonFinite: true }]) {
            const make = () => makeParameter(device, track, 'w', weights, gradients);
            let optimizer: Optimizer;
            try {
              optimizer = track(await Optimizer.create(device, { rule, params: [make()], ...config }));
            } catch (error) {
              expect(error).toBeInstanceOf(OptimizerError);
              expect((error as OptimizerError).code).toBe('limit-exceeded');
              continue;
            }
            optimizer.step();
            restore();
            const want = track(await Optimizer.create(device, { rule, params: [make()], ...config }));
            want.step();
            const got = await optimizer.readParam('w');
            const wanted = await want.readParam('w');
            expect(Math.max(...got.map((w, i) => Math.abs(w - wanted[i]!)))).toBeLessThan(1e-5);
          }
        }
        const arena = await ParameterArena.create(device, { w: { shape: [300] } }).catch(
          (error: unknown) => error,
        );
        if (arena instanceof ParameterArena) arena.destroy();
        else expect(arena).toMatchObject({ name: 'OptimizerError', code: 'limit-exceeded' });
      } finally {
        restore();
      }
    });
  }

  gpuTest('an arena of two buffers is cleared, filled and stepped as one', async ({ device, track }) => {
    const restore = tamper(device, {
      limits: limitedTo(device, { maxBufferSize: 1024, maxStorageBufferBindingSize: 1024 }),
    });
    let arena: ParameterArena;
    try {
      arena = track(
        await ParameterArena.create(
          device,
          Object.fromEntries(['a', 'b', 'c'].map((name) => [name, { shape: [200], init: 'ones' as const }])),
        ),
      );
    } finally {
      restore();
    }
    const names = ['a', 'b', 'c'];
    expect(new Set(names.map((name) => arena.gradView(name).buffer)).size).toBe(3);
    for (const [k, name] of names.entries()) {
      const { buffer, offset } = arena.gradView(name);
      device.queue.writeBuffer(buffer, offset, new Float32Array(200).fill(k + 1));
    }
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: arena.params }));
    optimizer.step();
    const encoder = device.createCommandEncoder();
    arena.zeroGrad(encoder);
    optimizer.encode(encoder);
    device.queue.submit([encoder.finish()]);
    for (const [k, name] of names.entries()) {
      expect(
        (await arena.read(name)).every((w) => w === -k),
        name,
      ).toBe(true);
      expect(
        (await arena.readGrad(name)).every((g) => g === 0),
        name,
      ).toBe(true);
    }
    arena.load('b', new Float32Array(200).fill(7));
    expect((await arena.read('b'))[199]).toBe(7);
    expect((await arena.read('c'))[0]).toBe(-2);
  });
});

describe('a rule with as many bindings as there are, and one more', () => {
  const RULES: Record<string, () => Rule> = {
    adam: () => adam({ amsgrad: true }),
    adan: () => adan(),
    lamb: () => lamb(),
    sgd: () => sgd(),
  };
  const AVERAGES = [
    {},
    { ema: { decay: 0.5 } },
    { ema: { decay: 0.5 }, swa: { start: 1, period: 1 } },
    { ema: { decay: 0.5 }, swa: { start: 1, period: 1 }, lookahead: { every: 2, alpha: 0.5 } },
  ];
  for (const [name, make] of drawn(Object.entries(RULES), 4)) {
    gpuTest(
      `${name}: what fits steps, and the rest is refused in terms of the limit`,
      async ({ device, track }) => {
        const live = track(watchBuffers(device));
        for (const averages of AVERAGES) {
          for (const control of [{}, { maxGradNorm: 1e9 }, { skipNonFinite: true }]) {
            const params = ['a', 'b'].map((param) =>
              makeParameter(device, (buffer) => buffer, param, [1, 2, 3], [1, 1, 1]),
            );
            const own = live.count;
            let optimizer: Optimizer | undefined;
            try {
              optimizer = await Optimizer.create(device, { rule: make(), params, ...averages, ...control });
            } catch (error) {
              expect((error as OptimizerError).code).toBe('limit-exceeded');
              expect((error as OptimizerError).message).toContain('maxStorageBuffersPerShaderStage');
            }
            if (optimizer) {
              optimizer.step();
              optimizer.step({ skip: ['b'] });
              expect((await optimizer.readParam('a'))[2]).toBeLessThan(3);
              optimizer.destroy();
            }
            expect(live.count, live.labels.join()).toBe(own);
            for (const { data, grad } of params) [data, grad].forEach((buffer) => buffer.destroy());
          }
        }
      },
    );
  }

  gpuTest('a table, whose rows take bindings, too', async ({ device, track }) => {
    const live = track(watchBuffers(device));
    const grad = { indices: makeWords(device, track, [1]), values: makeBuffer(device, track, [1]) };
    const table = { name: 'table', data: makeBuffer(device, track, [0, 0]), rowLength: 1, grad };
    const own = live.count;
    for (const rule of [sgd(), adam(), adam({ amsgrad: true }), adan()]) {
      for (const control of [{}, { maxGradNorm: 1e9, skipNonFinite: true }]) {
        try {
          const optimizer = await Optimizer.create(device, { rule, params: [table], ...control });
          device.queue.writeBuffer(table.data, 0, Float32Array.of(0, 0));
          optimizer.step();
          const [first, second] = await optimizer.readParam('table');
          expect(first).toBe(0);
          expect(second).toBeLessThan(0);
          optimizer.destroy();
        } catch (error) {
          if (!(error instanceof OptimizerError)) throw error;
          expect(error.code).toBe('limit-exceeded');
        }
        expect(live.count, live.labels.join()).toBe(own);
      }
    }
  });
});

gpuTest('broken WGSL is told as such, waited for or not', async ({ device, track }) => {
  const createShaderModule = device.createShaderModule.bind(device);
  const restore = tamper(device, {
    createShaderModule: (descriptor: GPUShaderModuleDescriptor) =>
      createShaderModule({ ...descriptor, code: `${descriptor.code}\nfn broken( {` }),
  });
  const live = track(watchBuffers(device));
  try {
    // Shapes that no other test compiles: a compiled kernel is not compiled again.
    const params = [makeParameter(device, (buffer) => buffer, 'w', [1], [1])];
    const config = {
      rule: adam({ amsgrad: true }),
      params,
      kernel: { workgroupSize: 96, lanesPerInvocation: 3 },
    };
    const own = live.count;
    expect((await errorOf(() => Optimizer.create(device, config))).code).toBe('shader');
    expect(live.count, live.labels.join()).toBe(own);
    device.pushErrorScope('validation');
    const optimizer = Optimizer.createSync(device, { ...config, kernel: { workgroupSize: 80 } });
    await vi.waitFor(async () => {
      const error = await errorOf(() => optimizer.rebind({}));
      expect(error.code).toBe('shader');
    }, 60_000);
    expect((await errorOf(() => optimizer.step())).code).toBe('shader');
    optimizer.destroy();
    await device.popErrorScope();
    expect(live.count, live.labels.join()).toBe(own);
    for (const { data, grad } of params) [data, grad].forEach((buffer) => buffer.destroy());
  } finally {
    restore();
  }
});

gpuTest('numbers in shared memory, and of every kind, are loaded', async ({ device, track }) => {
  const arena = track(await ParameterArena.create(device, { w: { shape: [4] } }));
  // Without cross-origin isolation a page gets shared memory from WebAssembly alone.
  const shared = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer;
  const floats = new Float32Array(shared, 8, 4);
  floats.set([1, 2, 3, 4]);
  arena.load('w', floats as never);
  floats.fill(9);
  expect([...(await arena.read('w'))]).toEqual([1, 2, 3, 4]);
  for (const values of [Float64Array.of(5, 6, 7, 8), Int8Array.of(5, 6, 7, 8), [5, 6, 7, 8]]) {
    arena.load('w', [0, 0, 0, 0]);
    arena.load('w', values as never);
    expect([...(await arena.read('w'))]).toEqual([5, 6, 7, 8]);
  }
});
