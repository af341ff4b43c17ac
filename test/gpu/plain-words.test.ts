/** Whatever is given, the answer is one OptimizerError that quotes it, and never a raw error. */
import { describe, expect, test, vi } from 'vitest';
import {
  Optimizer,
  OptimizerError,
  ParameterArena,
  ReferenceOptimizer,
  adam,
  adamw,
  sgd,
} from '../../src/index.js';
import { getTestAdapter, gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeParameter } from '../support/tensors.js';
import { watchUnhandled } from '../support/unhandled.js';

/** An object that not even Object knows. */
const bare = (): object => Object.create(null) as object;
describe('create', () => {
  gpuTest('refuses what is no config', async ({ device, track }) => {
    const w = makeParameter(device, track, 'w', [1], [1]);
    const params = [w];
    const holey = Array<unknown>(2).fill(w, 0, 1);
    const cases: readonly (readonly [string, unknown])[] = [
      ['rule', { rule: JSON.parse(JSON.stringify(adam())) as unknown, params }],
      ['rule', { rule: { ...adam(), declaration: undefined }, params }],
      ['rule', { rule: { declaration: {}, options: {} }, params }],
      ['adamw', { rule: adamw, params }],
      ['sgd', { rule: sgd, params }],
      ['Symbol(mine)', { rule: sgd(), params, label: Symbol('mine') }],
      ['label is 7', { rule: sgd(), params, label: 7 }],
      ['label is null', { rule: sgd(), params, label: null }],
      ['undefined', { rule: sgd(), params: Array(1) }],
      ['undefined', { rule: sgd(), params: holey }],
      ['undefined', { rule: sgd(), groups: Array(1) }],
      ['undefined', { rule: sgd(), groups: [{ params: holey }] }],
      ['name is Symbol(w)', { rule: sgd(), params: [{ ...w, name: Symbol('w') }] }],
      ['params', { rule: sgd(), params: bare() }],
      ['data', { rule: sgd(), params: [{ ...w, data: bare() }] }],
      ['grad', { rule: sgd(), params: [{ ...w, grad: { buffer: bare() } }] }],
      ['offset', { rule: sgd(), params: [{ ...w, grad: { buffer: w.grad, offset: bare() } }] }],
      ['length', { rule: sgd(), params: [{ ...w, length: bare() }] }],
      ['lossScale is []', { rule: sgd(), params, lossScale: [] }],
      ['lossScale', { rule: sgd(), params, lossScale: new Map() }],
      ['kernel', { rule: sgd(), params, kernel: [] }],
      ['kernel', { rule: sgd(), params, kernel: new Map() }],
      ['ema', { rule: sgd(), params, ema: [] }],
      ['maxGradNorm is 1n', { rule: sgd(), params, maxGradNorm: 1n }],
      ['maxGradNorm', { rule: sgd(), params, maxGradNorm: bare() }],
      ['lr', { rule: sgd(), groups: [{ params, lr: bare() }] }],
      ['onStep', { rule: sgd(), params, onStep: bare() }],
      ['config', Symbol('config')],
      ['config', () => undefined],
      ['config', [sgd()]],
    ];
    for (const [hint, config] of cases) {
      for (const call of [
        () => Optimizer.create(device, config as never),
        () => Optimizer.createSync(device, config as never),
      ]) {
        const { message } = await errorOf(call);
        expect(message).toContain(hint);
      }
    }
  });

  gpuTest('tells what is missing, in words of this library', async ({ device, track }) => {
    const params = [makeParameter(device, track, 'w', [1], [1])];
    const messageOf = async (config: object) =>
      (await errorOf(() => Optimizer.create(device, { rule: sgd(), params, ...config }))).message;
    const ema = await messageOf({ ema: {} });
    expect(ema).toContain('decay');
    expect(ema).not.toContain('NaN');
    expect(await messageOf({ swa: { start: 1 } })).not.toContain('NaN');
    expect(await messageOf({ lookahead: { alpha: 0.5 } })).not.toContain('NaN');
    const rule = await messageOf({ rule: adamw });
    expect(rule).not.toContain('function create');
    expect(rule).toContain('adamw');
  });
});

test('rules and references refuse what is no options, and what is no gradient', async () => {
  for (const options of [new Map(), new Set(), [], () => undefined, 'lr', 7, Symbol('lr')]) {
    expect((await errorOf(() => adam(options as never))).code).toBe('invalid-option');
  }
  expect((await errorOf(() => adam({ lr: Symbol('lr') } as never))).message).toContain('Symbol(lr)');
  expect((await errorOf(() => adam({ lr: bare() } as never))).message).toContain('lr');
  expect((await errorOf(() => adam({ betas: bare() } as never))).message).toContain('betas');
  const make = () =>
    new ReferenceOptimizer({ rule: sgd(), params: [{ name: 'w', data: new Float64Array(2) }] });
  const reference = make();
  for (const gradients of [null, 7, 'w', Symbol('w'), [null], [7], { w: null }, [bare()], { v: [1, 2] }]) {
    await errorOf(() => reference.step(gradients as never));
  }
  expect(reference.stats().step).toBe(0);
  for (const config of [
    null,
    undefined,
    7,
    { rule: sgd(), params: [null] },
    { rule: sgd(), params: Array(1) },
    { rule: sgd(), params: [{ data: bare() }] },
  ]) {
    await errorOf(() => new ReferenceOptimizer(config as never));
  }
});

gpuTest('methods refuse what is no name, change, group or dict', async ({ device, track }) => {
  const params = [makeParameter(device, track, 'w', [1], [1])];
  const optimizer = track(await Optimizer.create(device, { rule: adam(), params, ema: { decay: 0.5 } }));
  const arena = track(await ParameterArena.create(device, { w: { shape: [1] } }));
  const odd = [bare(), Symbol('odd'), null, undefined, 7, 1n, [], () => undefined];
  for (const value of odd) {
    const calls: Record<string, () => unknown> = {
      rebind: () => optimizer.rebind({ w: typeof value === 'object' ? 'odd' : (value ?? 0) } as never),
      'rebind of data': () => optimizer.rebind({ w: { data: value ?? 0 } } as never),
      readParam: () => optimizer.readParam(value as never),
      readState: () => optimizer.readState('w', value as never),
      readEma: () => optimizer.readEma(value as never),
      lr: () =>
        void (optimizer.lr = (
          typeof value === 'number' || typeof value === 'function' ? 'odd' : value
        ) as never),
      gradScale: () => void (optimizer.gradScale = (value === 7 ? -7 : (value ?? null)) as never),
      addGroup: () => optimizer.addGroup(value as never),
      addGroupSync: () => optimizer.addGroupSync(value as never),
      loadStateDict: () => optimizer.loadStateDict(value as never),
      loadStateDictSync: () => optimizer.loadStateDictSync(value as never),
      encode: () => optimizer.encode(value as never),
      zeroGrad: () => optimizer.zeroGrad((value ?? 0) as never),
      eval: () => optimizer.eval((value ?? 0) as never),
      'view of an arena': () => arena.view(value as never),
      'load of an arena': () => arena.load('w', (Array.isArray(value) ? 'odd' : value) as never),
      'read of an arena': () => arena.read(value as never),
      'initialize of an arena': () => arena.initialize('w', (value ?? 0) as never),
      'zeroGrad of an arena': () => arena.zeroGrad((value ?? 0) as never),
      'an arena': () => ParameterArena.create(device, { w: value } as never),
      'a shape': () =>
        ParameterArena.create(device, { w: { shape: Array.isArray(value) ? [bare()] : value } } as never),
    };
    for (const [name, call] of Object.entries(calls)) {
      const what = `${name} of ${typeof value === 'symbol' ? 'a symbol' : typeof value}`;
      const error = await Promise.resolve()
        .then(call)
        .then(
          () => undefined,
          (reason: unknown) => reason,
        );
      expect(error, what).toBeInstanceOf(OptimizerError);
    }
  }
  expect(await errorOf(() => arena.groups(null as never))).toBeInstanceOf(OptimizerError);
  expect((await errorOf(() => arena.groups({ default: 7 as never }))).message).toContain('7');
  for (const value of [undefined, null, 7, Symbol('device'), bare(), params]) {
    const error = await errorOf(() => Optimizer.create(value as never, { rule: sgd(), params }));
    expect(error.code).toBe('invalid-config');
    await errorOf(() => Optimizer.createSync(value as never, { rule: sgd(), params }));
    await errorOf(() => ParameterArena.create(value as never, { w: { shape: [1] } }));
  }
  optimizer.step();
  expect((await optimizer.stats()).step).toBe(1);
});

gpuTest('a dict of other options or another grouping is refused with a remedy', async ({ device, track }) => {
  const make = (name: string) => makeParameter(device, track, name, [1], [1]);
  const [a, b] = [make('a'), make('b')];
  const optimizer = track(await Optimizer.create(device, { rule: adam(), params: [a, b] }));
  const decaying = track(
    await Optimizer.create(device, {
      rule: adam({ weightDecay: 0.1, weightDecayMode: 'decoupled' }),
      params: [a, b],
    }),
  );
  const grouped = track(
    await Optimizer.create(device, { rule: adam(), groups: [{ params: [a] }, { params: [b] }] }),
  );
  const dict = await grouped.stateDict();
  const grouping = (await errorOf(() => optimizer.loadStateDictSync(dict))).message;
  expect(grouping).toMatch(/group/);
  expect(grouping).toMatch(/[;.] .*\b(create|save|give|use|load|build|make|group)\b/);
  // A decay where there was none takes another kernel, if it is refused at all: in words of the options.
  try {
    optimizer.loadStateDictSync(await decaying.stateDict());
  } catch (error) {
    expect(error).toBeInstanceOf(OptimizerError);
    expect((error as Error).message).not.toMatch(/[A-Z]+_[A-Z]+/);
    expect((error as Error).message).toContain('weightDecay');
  }
});

describe('schedules that call back', () => {
  gpuTest('are refused what would change the run under them', async ({ device, track }) => {
    for (const call of [
      (optimizer: Optimizer) =>
        void optimizer.addGroupSync({ params: [makeParameter(device, track, 'late', [1], [1])] }),
      (optimizer: Optimizer) => optimizer.destroy(),
      (optimizer: Optimizer) => optimizer.step(),
      (optimizer: Optimizer) => optimizer.encode(device.createCommandEncoder()),
    ]) {
      let optimizer: Optimizer | undefined;
      const params = [makeParameter(device, track, 'w', [1], [1])];
      const lr = vi.fn<(step: number) => number>((step) => {
        if (step === 1 && optimizer) call(optimizer);
        return 0.5;
      });
      optimizer = track(await Optimizer.create(device, { rule: sgd({ lr }), params, skipNonFinite: true }));
      optimizer.step();
      let error: unknown;
      try {
        optimizer.step();
      } catch (thrown) {
        error = thrown;
      }
      // Either the call is refused, with the step that asked; or both are made, as if the schedule had called before.
      if (error !== undefined) expect(error).toBeInstanceOf(OptimizerError);
      const steps = error === undefined ? undefined : 1;
      const stats = await optimizer.stats().catch((reason: unknown) => reason);
      if (stats instanceof Error) expect(stats).toMatchObject({ code: 'destroyed' });
      else {
        const { step } = stats as { step: number };
        if (steps !== undefined) expect(step).toBe(steps);
        // Of the same number of steps are the weights.
        expect([...(await optimizer.readParam('w'))]).toEqual([1 - 0.5 * step]);
      }
      expect(lr.mock.calls.length).toBeLessThan(20);
    }
  });
});

describe('onStep that throws', () => {
  for (const [title, config] of Object.entries({ plain: {}, controlled: { skipNonFinite: true } })) {
    test(`is reported once for each call, and nothing else is (${title})`, async () => {
      const device = await (await getTestAdapter()).requestDevice({ label: 'onStep' });
      const unhandled = watchUnhandled();
      // Node has no `reportError`, and logs it.
      const log = 'reportError' in globalThis ? undefined : vi.spyOn(console, 'error').mockReturnValue();
      const keep = <T>(resource: T): T => resource;
      const own = new Error('mine');
      const onStep = vi.fn<() => void>(() => {
        throw own;
      });
      try {
        const params = [makeParameter(device, keep, 'w', [1], [1])];
        const optimizer = await Optimizer.create(device, { rule: sgd({ lr: 1 }), params, onStep, ...config });
        optimizer.step();
        await vi.waitFor(
          () => expect([...unhandled.reasons, ...(log?.mock.calls.flat() ?? [])]).toEqual([own]),
          { timeout: 60_000 },
        );
        expect(onStep).toHaveBeenCalledTimes(1);
        expect([...(await optimizer.readParam('w'))]).toEqual([0]);
        expect((await optimizer.stats()).step).toBe(1);
        optimizer.destroy();
      } finally {
        unhandled.destroy();
        log?.mockRestore();
        device.destroy();
      }
    });
  }
});
