/** What is given is copied at the call: nothing that its owner does to it later is seen, and nothing of ours is handed out. */
import { describe, expect } from 'vitest';
import {
  Optimizer,
  type OptimizerSettings,
  type Parameter,
  type ParameterGroupConfig,
  type Rule,
  ParameterArena,
  ReferenceOptimizer,
  adam,
  lion,
  momentum,
  sgd,
} from '../../src/index.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeParameter } from '../support/tensors.js';

/** Changes a value in spite of `readonly`, whether it takes that or throws. */
function meddle(change: () => void): void {
  try {
    change();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

gpuTest('undefined in a group means that the option is not given', async ({ device, track }) => {
  const rule = adam({ lr: 0.1, betas: [0.5, 0.5], weightDecay: 0.25 });
  const options = { lr: undefined, betas: undefined, weightDecay: undefined, eps: undefined };
  const params = ['a', 'b'].map((name) => makeParameter(device, track, name, [1], [1]));
  const optimizer = track(
    await Optimizer.create(device, { rule, groups: [{ ...options, params: [params[0]!] }] }),
  );
  const added = await optimizer.addGroup({ ...options, params: [params[1]!] });
  const reference = new ReferenceOptimizer({
    rule,
    groups: [{ ...options, params: [{ data: new Float64Array(1) }] }],
  });
  for (const group of [optimizer.groups[0]!, added, reference.groups[0]!]) {
    expect(group.options).toEqual(rule.options);
    expect(group.lr).toBe(0.1);
  }
  const arena = track(await ParameterArena.create(device, { w: { shape: [1] } }));
  const inArena = track(
    await Optimizer.create(device, { rule, groups: arena.groups({ default: { lr: undefined } }) }),
  );
  expect(inArena.lr).toBe(0.1);
});

describe('options that are lists', () => {
  gpuTest('are nobody else’s', async ({ device, track }) => {
    meddle(() => void ((adam().options.betas as unknown as number[])[0] = 0.125));
    meddle(() => void ((lion().options.betas as unknown as number[]).length = 1));
    expect(adam().options['betas']).toEqual([0.9, 0.999]);
    expect(lion().options['betas']).toEqual([0.9, 0.99]);
    const betas: [number, number] = [0.5, 0.75];
    const rule = adam({ betas });
    betas[0] = 7;
    expect(rule.options['betas']).toEqual([0.5, 0.75]);
    const given: [number, number] = [0.25, 0.75];
    const params = [makeParameter(device, track, 'w', [1], [1])];
    const optimizer = track(await Optimizer.create(device, { rule, groups: [{ params, betas: given }] }));
    given[0] = 7;
    meddle(() => void ((optimizer.groups[0]!.options['betas'] as unknown as number[])[1] = 7));
    const dict = await optimizer.stateDict();
    expect(dict.groups[0]!['betas']).toEqual([0.25, 0.75]);
    meddle(() => void ((dict.groups[0]!['betas'] as number[])[0] = 7));
    meddle(() => void dict.groups[0]!.params.push('nobody'));
    const again = await optimizer.stateDict();
    expect(again.groups[0]!['betas']).toEqual([0.25, 0.75]);
    expect(again.groups[0]!.params).toEqual(['w']);
    const loaded = { ...again, groups: [{ ...again.groups[0]!, betas: [0.5, 0.5] }] };
    optimizer.loadStateDictSync(loaded);
    loaded.groups[0]!.betas[0] = 7;
    expect(optimizer.groups[0]!.options['betas']).toEqual([0.5, 0.5]);
    optimizer.step();
    expect(Number.isFinite((await optimizer.readParam('w'))[0])).toBe(true);
  });
});

describe('what is given to a call that waits', () => {
  gpuTest('is read at the call: create', async ({ device, track }) => {
    const param: { name: string; data: GPUBuffer; grad: GPUBuffer } = {
      ...makeParameter(device, track, 'w', [1, 2], [1, 1]),
      name: 'w',
    };
    const params: Parameter[] = [param];
    const other = makeParameter(device, track, 'other', [5], [5]);
    const lossScale = { init: 4, growthInterval: 1 };
    const ema = { decay: 0.5 };
    const kernel = { workgroupSize: 64 };
    const config: OptimizerSettings & { rule: Rule; params: Parameter[] } = {
      rule: momentum({ lr: 1 }),
      params,
      lossScale,
      ema,
      kernel,
      label: 'mine',
    };
    const creating = Optimizer.create(device, config);
    config.rule = sgd({ lr: 9 });
    Object.assign(config, { groups: [{ params: [other] }] });
    config.label = 'other';
    config.maxGradNorm = -1;
    params.push(other);
    param.name = 'x';
    param.data = other.data;
    param.grad = other.grad;
    lossScale.init = 1024;
    ema.decay = 0.999;
    kernel.workgroupSize = -1;
    delete (config as { params?: unknown }).params;
    const optimizer = track(await creating);
    expect(optimizer.rule).toBe('momentum');
    expect(optimizer.groups.map((group) => group.params)).toEqual([['w']]);
    optimizer.step();
    // −1/4 for the loss scale, and the average halfway.
    expect([...(await optimizer.readParam('w'))]).toEqual([0.75, 1.75]);
    expect([...(await optimizer.readEma('w'))]).toEqual([0.875, 1.875]);
    expect((await optimizer.stats()).lossScale).toBe(8);
    expect(optimizer.lossScaleBuffer.label).toContain('mine');
  });

  gpuTest('is read at the call: addGroup', async ({ device, track }) => {
    const first = makeParameter(device, track, 'first', [0], [0]);
    const optimizer = track(await Optimizer.create<Rule>(device, { rule: sgd({ lr: 1 }), params: [first] }));
    const param = { ...makeParameter(device, track, 'w', [1], [1]) };
    const group: ParameterGroupConfig = { params: [param], lr: 0.5 };
    const adding = optimizer.addGroup(group);
    group['lr'] = 4;
    group['nonsense'] = 1;
    group.params = [];
    param.name = 'x';
    param.grad = first.grad;
    expect((await adding).params).toEqual(['w']);
    optimizer.step();
    expect([...(await optimizer.readParam('w'))]).toEqual([0.5]);
  });

  gpuTest('is read at the call: an arena', async ({ device, track }) => {
    const shape = [2, 3];
    const tensor = { shape, init: 'ones' as const, group: 'mine' };
    const spec: Record<string, { shape: number[]; init?: 'ones'; group?: string }> = { w: tensor };
    const options = { label: 'mine', seed: 1 };
    const creating = ParameterArena.create(device, spec, options);
    shape[0] = 99;
    tensor.group = 'other';
    spec['v'] = { shape: [1] };
    options.label = 'other';
    options.seed = -1;
    const arena = track(await creating);
    expect(arena.params.map(({ name }) => name)).toEqual(['w']);
    expect(arena.groupNames).toEqual(['mine']);
    expect(arena.shape('w')).toEqual([2, 3]);
    expect([...(await arena.read('w'))]).toEqual([1, 1, 1, 1, 1, 1]);
    expect(arena.view('w').buffer.label).toContain('mine');
    meddle(() => void (arena.shape('w') as number[]).push(7));
    meddle(() => void ((arena.params[0] as { name: string }).name = 'x'));
    expect(arena.shape('w')).toEqual([2, 3]);
    expect(arena.params[0]!.name).toBe('w');
  });

  gpuTest('is read at the call: rebind, and lists of ranges', async ({ device, track }) => {
    const { data, grad } = makeParameter(device, track, 'w', [1, 2], [1, 1]);
    const range = { buffer: data, offset: 0, size: 8 };
    const list = [range];
    const optimizer = track(
      await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [{ name: 'w', data: list, grad }] }),
    );
    range.offset = 4;
    list.length = 0;
    const next = makeParameter(device, track, 'w', [5, 6], [2, 2]);
    const change: { data: GPUBuffer; grad: GPUBuffer } = { data: next.data, grad: next.grad };
    optimizer.step();
    optimizer.rebind({ w: change });
    change.data = data;
    change.grad = grad;
    optimizer.step();
    expect([...(await optimizer.readParam('w'))]).toEqual([3, 4]);
  });
});

describe('properties that are inherited count as own ones do', () => {
  /** The same properties, none of them own. */
  const inherited = <T extends object>(given: T): T => Object.create(given) as T;

  gpuTest('of configs, groups, parameters and settings', async ({ device, track }) => {
    const make = (name: string) => makeParameter(device, track, name, [0, 0], [30, 40]);
    const config = {
      rule: sgd({ lr: 1 }),
      maxGradNorm: 5,
      ema: inherited({ decay: 0.5 }),
      lossScale: inherited({ init: 2, growthInterval: 1 }),
      groups: [inherited({ params: [inherited(make('a'))], lr: 2 })],
    };
    const [own, other] = [
      track(
        await Optimizer.create(device, {
          ...config,
          groups: [{ params: [make('a')], lr: 2 }],
          ema: { decay: 0.5 },
          lossScale: { init: 2, growthInterval: 1 },
        }),
      ),
      track(await Optimizer.create(device, inherited(config))),
    ];
    for (const optimizer of [own, other]) {
      await optimizer.addGroup(
        optimizer === own ? { params: [make('b')], lr: 4 } : inherited({ params: [make('b')], lr: 4 }),
      );
      optimizer.step();
    }
    expect(await other.stateDict()).toEqual(await own.stateDict());
    expect(await other.stats()).toEqual(await own.stats());
    for (const name of ['a', 'b']) expect(await other.readParam(name)).toEqual(await own.readParam(name));
    expect((await own.stats()).clipFactor).toBeLessThan(1);
  });

  gpuTest('of rule options, kernels, arenas and changes', async ({ device, track }) => {
    expect(adam(inherited({ lr: 0.5, betas: [0.5, 0.5] as [number, number] })).options).toEqual(
      adam({ lr: 0.5, betas: [0.5, 0.5] }).options,
    );
    const bad = await errorOf(() => adam(inherited({ lr: -1 })));
    expect(bad.message).toContain('-1');
    const arena = track(
      await ParameterArena.create(
        device,
        { w: inherited({ shape: [2], init: 'ones' as const }) },
        inherited({ label: 'mine' }),
      ),
    );
    expect([...(await arena.read('w'))]).toEqual([1, 1]);
    expect(arena.view('w').buffer.label).toContain('mine');
    const params = arena.params.map((param) => inherited(param));
    const kernel = inherited({ workgroupSize: 2 ** 20 });
    const refused = await errorOf(() => Optimizer.create(device, { rule: sgd(), params, kernel }));
    expect(refused.code).toBe('limit-exceeded');
    const own = inherited(makeParameter(device, track, 'w', [1, 2], [1, 1]));
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [own] }));
    const next = makeParameter(device, track, 'w', [5, 6], [1, 1]);
    optimizer.rebind({ w: inherited({ data: next.data, grad: next.grad }) });
    optimizer.step();
    expect([...(await optimizer.readParam('w'))]).toEqual([4, 5]);
  });
});
