/** Loss scales at the ends of their range, steps that are not finite many times in a row, and norms at a change of scale. */
import { expect, inject } from 'vitest';
import { Optimizer, type OptimizerSettings, ReferenceOptimizer, sgd } from '../../src/index.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { NORM_TOLERANCE, exactNorm } from '../support/control-tensors.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeParameter, readFloats } from '../support/tensors.js';

/** Float16's smallest number: a loss that is scaled by less is 0 there. */
const FLOOR = 2 ** -24;

/** An optimizer over two weights, its references in both precisions, and what makes a step of all of them. */
async function makeTrio(device: GPUDevice, track: Track, config: OptimizerSettings) {
  const param = makeParameter(device, track, 'w', [1, 1], [0, 0]);
  const rule = sgd({ lr: 1 });
  const optimizer = track(await Optimizer.create(device, { rule, params: [param], ...config }));
  const references = (['f32', 'f64'] as const).map(
    (precision) =>
      new ReferenceOptimizer({
        ...(config as object),
        rule,
        precision,
        params: [{ name: 'w', data: precision === 'f32' ? Float32Array.of(1, 1) : Float64Array.of(1, 1) }],
      }),
  );
  const step = (gradient: readonly [number, number]): void => {
    device.queue.writeBuffer(param.grad, 0, Float32Array.from(gradient));
    optimizer.step();
    for (const reference of references) reference.step([Float32Array.from(gradient)]);
  };
  const check = async (what: string): Promise<void> => {
    const [weights, { lr: _lr, ...stats }] = await Promise.all([optimizer.readParam('w'), optimizer.stats()]);
    for (const reference of references) {
      expect([...weights], what).toEqual([...reference.readParam('w')]);
      const { step: applied, skipped, lossScale } = reference.stats();
      expect(stats, what).toMatchObject({ step: applied, skipped, lossScale });
    }
  };
  return { optimizer, references, step, check };
}

gpuTest('a dynamic loss scale has a floor, from which it grows again', async ({ device, track }) => {
  const config = { lossScale: { init: 65_536, growthInterval: 2 } };
  const { optimizer, step, check } = await makeTrio(device, track, config);
  for (let k = 0; k < 200; k++) step([NaN, Infinity]);
  expect((await optimizer.stats()).lossScale).toBe(FLOOR);
  await check('200 bad steps');
  step([2 ** -25, -(2 ** -26)]);
  await check('a good step');
  expect([...(await optimizer.readParam('w'))]).toEqual([0.5, 1.25]);
  step([0, 0]);
  await check('growth');
  expect((await optimizer.stats()).lossScale).toBe(2 * FLOOR);
  const dict = await optimizer.stateDict();
  expect(dict.control!.lossScale).toBe(2 * FLOOR);
  optimizer.loadStateDictSync(dict);
  step([NaN, 0]);
  step([NaN, 0]);
  await check('the floor again');
});

gpuTest('a dict without a loss scale leaves the one that is configured', async ({ device, track }) => {
  const plain = await makeTrio(device, track, {});
  plain.step([1, -2]);
  const dict = await plain.optimizer.stateDict();
  expect(dict.control).toBeUndefined();
  for (const lossScale of [64, { init: 64, growthInterval: 2 }]) {
    const { optimizer, references, step, check } = await makeTrio(device, track, { lossScale });
    step([64, 64]);
    step([Infinity, 0]);
    optimizer.loadStateDictSync(dict);
    for (const reference of references) reference.loadStateDict(dict);
    expect((await optimizer.stats()).lossScale).toBe(64);
    expect([...(await readFloats(device, optimizer.lossScaleBuffer))].slice(0, 1)).toEqual([64]);
    if (typeof lossScale === 'number') continue;
    step([64, -64]);
    await check('a step behind the dict');
    step([NaN, 0]);
    await check('a scale that was halved');
  }
});

gpuTest('a floor stops between two halves, and holds nobody who begins below', async ({ device, track }) => {
  for (const [init, backoffFactor, want] of [
    [2 ** -22, 0.125, FLOOR],
    [3 * 2 ** -25, 0.5, FLOOR],
    [FLOOR, 0.5, FLOOR],
    [2 ** -30, 0.5, 2 ** -30],
    [2 ** -100, 0.25, 2 ** -100],
  ] as const) {
    const config = { lossScale: { init, backoffFactor, growthInterval: 1000 } };
    const { optimizer, step, check } = await makeTrio(device, track, config);
    for (let k = 0; k < 3; k++) step([Infinity, 0]);
    expect((await optimizer.stats()).lossScale, `from ${init}`).toBe(want);
    await check(`from ${init}`);
    step([want / 2, -want / 4]);
    await check(`from ${init}, a good step`);
  }
});

gpuTest('a loss scale grows no further than a step can divide by', async ({ device, track }) => {
  const config = { lossScale: { init: 2 ** 124, growthInterval: 1 } };
  const { optimizer, step, check } = await makeTrio(device, track, config);
  for (let k = 1; k <= 5; k++) {
    step([2 ** 122, -(2 ** 121)]);
    const { lossScale } = await optimizer.stats();
    expect(lossScale, `after ${k} steps`).toBeGreaterThanOrEqual(Math.min(2 ** (124 + k), 2 ** 126));
    expect(lossScale, `after ${k} steps`).toBeLessThanOrEqual(2 ** 126);
    // What a scale divides by is a number of float32 as well: no step of these is lost.
    await check(`after ${k} steps`);
  }
  const params = [makeParameter(device, track, 'w', [1], [1])];
  for (const lossScale of [2 ** 127, { init: 2 ** 127 }]) {
    const error = await errorOf(() => Optimizer.create(device, { rule: sgd(), params, lossScale }));
    expect(error.message).toContain('lossScale');
  }
  const dict = await optimizer.stateDict();
  dict.control!.lossScale = 2 ** 127;
  expect((await errorOf(() => optimizer.loadStateDictSync(dict))).message).toContain('control.lossScale');
});

gpuTest('non-finite steps in a row: skipped, made, and made again', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  for (const maxConsecutiveSkips of [1, 2, 3]) {
    const { step, check } = await makeTrio(device, track, { skipNonFinite: true, maxConsecutiveSkips });
    for (let k = 0; k < 6; k++) {
      step([1, Infinity]);
      await check(`${maxConsecutiveSkips} may be skipped, bad step ${k + 1}`);
    }
    for (let k = 0; k < 12; k++) {
      step([1, random.uniform() < 0.7 ? Infinity : 1]);
      await check(`${maxConsecutiveSkips} may be skipped, drawn step ${k}`);
    }
  }
});

gpuTest('NaN and ∞ in one gradient, apart and together', async ({ device, track }) => {
  for (const [first, second, norm] of [
    [NaN, Infinity, NaN],
    [Infinity, NaN, NaN],
    [-Infinity, Infinity, Infinity],
    [-Infinity, NaN, NaN],
    [NaN, 1, NaN],
    [1, -Infinity, Infinity],
  ] as const) {
    for (const length of [2, 5000]) {
      const gradient = new Float32Array(length).fill(1);
      gradient[0] = first;
      gradient[length - 1] = second;
      const params = [
        makeParameter(device, track, 'w', new Float32Array(length), gradient),
        makeParameter(device, track, 'v', [0], [0]),
      ];
      for (const config of [
        { skipNonFinite: true },
        { maxGradNorm: 1 },
        { maxGradNorm: 1, lossScale: 'dynamic' },
      ] as const) {
        const optimizer = track(await Optimizer.create(device, { rule: sgd(), params, ...config }));
        optimizer.step();
        const { gradNorm, skipped } = await optimizer.stats();
        expect(gradNorm, `${first}, ${second} of ${length}`).toBe(norm);
        expect(skipped).toBe('skipNonFinite' in config || 'lossScale' in config ? 1 : 0);
      }
    }
  }
});

gpuTest('a norm of one gradient on this side of a scale and many on that', async ({ device, track }) => {
  const lengths = [1, 3, 700, 9001];
  for (const exponent of [-100, -63, -45, -44, -43, -20, 0, 20, 43, 44, 45, 63, 100]) {
    for (const [one, many] of [
      [1.1, 0.9],
      [0.9, 1.1],
      [1.1, 2 ** -30],
    ] as const) {
      const gradients = lengths.map((length) => new Float32Array(length).fill(many * 2 ** exponent));
      gradients[2]![345] = one * 2 ** exponent;
      const params = gradients.map((gradient, k) =>
        makeParameter(device, track, `w${k}`, new Float32Array(gradient.length), gradient),
      );
      const optimizer = track(
        await Optimizer.create(device, { rule: sgd({ lr: 0 }), params, maxGradNorm: 1 }),
      );
      optimizer.step();
      const { gradNorm } = await optimizer.stats();
      const want = exactNorm(gradients);
      expect(Math.abs(gradNorm - want), `${one}, ${many} times 2^${exponent}`).toBeLessThanOrEqual(
        NORM_TOLERANCE * want,
      );
      optimizer.destroy();
    }
  }
});
