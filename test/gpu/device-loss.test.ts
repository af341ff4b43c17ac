/** Devices that go away, and optimizers that are destroyed, while calls are on their way. Each test has a device of its own. */
import { describe, expect, test } from 'vitest';
import { Optimizer, OptimizerError, ParameterArena, adam } from '../../src/index.js';
import { getTestAdapter, gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { errorOf } from '../support/error-of.js';
import { microtasks } from '../support/live-buffers.js';
import { makeParameter } from '../support/tensors.js';
import { unhandledIn } from '../support/unhandled.js';

const keep = <T>(resource: T): T => resource;

const openDevice = async (): Promise<GPUDevice> =>
  (await getTestAdapter()).requestDevice({ label: 'to be lost' });

const CONFIGS = {
  plain: {},
  controlled: { maxGradNorm: 1, skipNonFinite: true, ema: { decay: 0.5 }, onStep: () => undefined },
};

/** Calls whose promises are on their way when the end comes. */
function startAll(
  device: GPUDevice,
  optimizer: Optimizer,
  arena: ParameterArena,
): Record<string, Promise<unknown>> {
  optimizer.step();
  const group = { params: [makeParameter(device, keep, 'late', [1, 2], [1, 1])] };
  return {
    stateDict: optimizer.stateDict(),
    readParam: optimizer.readParam('w'),
    readState: optimizer.readState('w', 'exp_avg'),
    count: optimizer.readState('w', 'step'),
    stats: optimizer.stats(),
    addGroup: optimizer.addGroup(group),
    'a second stateDict': optimizer.stateDict(),
    'a read of the arena': arena.read('t'),
    initialize: arena.initialize('t', 'normal'),
  };
}

/** What each of some promises was rejected with, by name; undefined where it was resolved. */
function outcomesOf(pending: Record<string, Promise<unknown>>): Promise<(readonly [string, unknown])[]> {
  return Promise.all(
    Object.entries(pending).map(async ([name, promise]) => {
      const error: unknown = await promise.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      return [name, error] as const;
    }),
  );
}

function expectCode(outcomes: readonly (readonly [string, unknown])[], code: string, when: string): void {
  for (const [name, error] of outcomes) {
    if (error === undefined) continue;
    expect(error, `${name} ${when}`).toBeInstanceOf(OptimizerError);
    expect((error as OptimizerError).code, `${name} ${when}`).toBe(code);
  }
}

for (const [title, config] of Object.entries(CONFIGS)) {
  test(`a lost device settles every promise with one error (${title})`, async () => {
    const unhandled = await unhandledIn(async () => {
      const device = await openDevice();
      const make = async () => {
        const params = [makeParameter(device, keep, 'w', [1, 2, 3], [1, 1, 1])];
        return await Optimizer.create(device, { rule: adam(), params, ...config });
      };
      const arena = await ParameterArena.create(device, { t: { shape: [3], init: 'ones' } });
      const optimizers = await Promise.all(Array.from({ length: 9 }, make));
      // The end finds each of them in another moment.
      const outcomes: ReturnType<typeof outcomesOf>[] = [];
      for (const [k, optimizer] of optimizers.entries()) {
        outcomes.push(outcomesOf(startAll(device, optimizer, arena)));
        await microtasks(k);
        if (k === 4) await new Promise((resolve) => setTimeout(resolve, 2));
      }
      device.destroy();
      for (const [k, outcome] of outcomes.entries()) expectCode(await outcome, 'device-lost', `of ${k}`);
      await device.lost;
      await microtasks(5);
      const [optimizer] = optimizers;
      const params = [makeParameter(device, keep, 'late', [1], [1])];
      for (const call of [
        () => optimizer!.step(),
        () => optimizer!.stateDict(),
        () => optimizer!.stats(),
        () => optimizer!.readParam('w'),
        () => optimizer!.zeroGrad(),
        () => optimizer!.addGroup({ params }),
        () => optimizer!.addGroupSync({ params }),
        () => arena.read('t'),
      ]) {
        expect((await errorOf(call)).code).toBe('device-lost');
      }
      for (const each of optimizers) each.destroy();
    });
    expect(unhandled).toEqual([]);
  });
}

test('a device lost while an optimizer or an arena is made', async () => {
  const unhandled = await unhandledIn(async () => {
    for (const wait of drawn([0, 1, 3, 8, 21, -1], 2)) {
      const device = await openDevice();
      const params = [makeParameter(device, keep, 'w', [1, 2, 3], [1, 1, 1])];
      const making = [
        Optimizer.create(device, { rule: adam(), params, maxGradNorm: 1 }),
        ParameterArena.create(device, { t: { shape: [3], init: 'normal' } }),
      ];
      const settled = Promise.allSettled(making);
      if (wait < 0) await new Promise((resolve) => setTimeout(resolve, -wait));
      else await microtasks(wait);
      device.destroy();
      for (const outcome of await settled) {
        if (outcome.status === 'fulfilled') continue;
        expect(outcome.reason, `after ${wait}`).toBeInstanceOf(OptimizerError);
        expect((outcome.reason as OptimizerError).code, `after ${wait}`).toBe('device-lost');
      }
    }
  });
  expect(unhandled).toEqual([]);
});

test('what is made at once on a device that goes away says so at the next call', async () => {
  const unhandled = await unhandledIn(async () => {
    const device = await openDevice();
    const params = [makeParameter(device, keep, 'w', [1, 2, 3], [1, 1, 1])];
    const optimizer = Optimizer.createSync(device, { rule: adam(), params, maxGradNorm: 1 });
    optimizer.step();
    device.destroy();
    await device.lost;
    await microtasks(5);
    expect((await errorOf(() => optimizer.step())).code).toBe('device-lost');
    expect((await errorOf(() => optimizer.stateDict())).code).toBe('device-lost');
    optimizer.destroy();
  });
  expect(unhandled).toEqual([]);
});

describe('destroy()', () => {
  for (const [title, config] of Object.entries(CONFIGS)) {
    gpuTest(`settles every promise with one error (${title})`, async ({ device, track }) => {
      const unhandled = await unhandledIn(async () => {
        const arena = track(await ParameterArena.create(device, { t: { shape: [3], init: 'ones' } }));
        for (const wait of [0, 1, 2, 3, 5, 8, 13, 21, -1, -5]) {
          const params = [makeParameter(device, track, 'w', [1, 2, 3], [1, 1, 1])];
          const optimizer = await Optimizer.create(device, { rule: adam(), params, ...config });
          const pending = startAll(device, optimizer, arena);
          const outcomes = outcomesOf(pending);
          if (wait < 0) await new Promise((resolve) => setTimeout(resolve, -wait));
          else await microtasks(wait);
          optimizer.destroy();
          optimizer.destroy();
          expectCode(await outcomes, 'destroyed', `after ${wait}`);
        }
      });
      expect(unhandled).toEqual([]);
    });
  }

  gpuTest('is the end of every call, setters, too', async ({ device, track }) => {
    const params = [makeParameter(device, track, 'w', [1, 2, 3], [1, 1, 1])];
    const optimizer = await Optimizer.create(device, { rule: adam(), params, ema: { decay: 0.5 } });
    const dict = await optimizer.stateDict();
    const [group] = optimizer.groups;
    optimizer.destroy();
    for (const [name, call] of Object.entries({
      lr: (): void => void (optimizer.lr = 1),
      gradScale: (): void => void (optimizer.gradScale = 2),
      'lr of a group': (): void => void (group!.lr = 1),
      step: () => optimizer.step(),
      encode: () => optimizer.encode(device.createCommandEncoder()),
      zeroGrad: () => optimizer.zeroGrad(),
      accumulate: () => optimizer.accumulate(),
      rebind: () => optimizer.rebind({}),
      eval: () => optimizer.eval(),
      train: () => optimizer.train(),
      swapEma: () => optimizer.swapEma(),
      stats: () => optimizer.stats(),
      readEma: () => optimizer.readEma('w'),
      stateDict: () => optimizer.stateDict(),
      loadStateDictSync: () => optimizer.loadStateDictSync(dict),
      addGroup: () => optimizer.addGroup({ params }),
      addGroupSync: () => optimizer.addGroupSync({ params }),
    })) {
      expect((await errorOf(call)).code, name).toBe('destroyed');
    }
  });

  gpuTest('ends one optimizer, and none of the others over the same device', async ({ device, track }) => {
    const make = async () => {
      const params = [makeParameter(device, track, 'w', [1], [1])];
      return track(await Optimizer.create(device, { rule: adam({ lr: 1 }), params, skipNonFinite: true }));
    };
    const [first, second] = [await make(), await make()];
    first.step();
    second.step();
    const reading = second.stateDict();
    first.destroy();
    second.step();
    expect((await reading).step).toBe(1);
    expect((await second.stats()).step).toBe(2);
  });
});
