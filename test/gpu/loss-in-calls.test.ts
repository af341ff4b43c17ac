/** A device that is lost before, during or shortly after each public call: one clear error, and nothing hangs. */
import { afterAll, describe, expect, inject, test } from 'vitest';
import {
  Optimizer,
  OptimizerError,
  ParameterArena,
  loadCheckpoint,
  saveCheckpoint,
  momentum,
} from '../../src/index.js';
import { ParameterGroup } from '../../src/engine/parameter-group.js';
import { Random } from '../../proof/random.js';
import { getTestAdapter } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { microtasks } from '../support/live-buffers.js';
import { tamper } from '../support/tamper.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';
import { unhandledIn } from '../support/unhandled.js';

const keep = <T>(resource: T): T => resource;
/** Rows of 2. */
const VALUES = [1, 2, 3, 4];

async function makeWorld() {
  const device = await (await getTestAdapter()).requestDevice({ label: 'to be lost' });
  const make = (name: string) => ({ ...makeParameter(device, keep, name, VALUES, VALUES), rowLength: 2 });
  const microGrad = makeBuffer(device, keep, VALUES);
  const config = {
    rule: momentum({ lr: 0.5 }),
    groups: [{ params: [{ ...make('w'), microGrad }] }, { params: [make('v')] }],
    ema: { decay: 0.5 },
  };
  const optimizer = await Optimizer.create(device, config);
  const arena = await ParameterArena.create(device, { t: { shape: [2, 2], init: 'ones' } });
  optimizer.step();
  const { bytes } = await saveCheckpoint(optimizer, 'bytes');
  const dict = await optimizer.stateDict();
  const group = optimizer.groups[0]!;
  const late = make('late');
  const home = makeBuffer(device, keep, VALUES);
  const encoder = device.createCommandEncoder({ label: 'ours' });
  return { device, config, optimizer, arena, bytes, dict, late, home, encoder, group };
}

type World = Awaited<ReturnType<typeof makeWorld>>;
type Call = (world: World) => unknown;

/** What only says what the host knows, is for the inside, or is the end. */
const WITHOUT_DEVICE = [
  'groups',
  'rule',
  'lr',
  'gradScale',
  'lossScaleBuffer',
  'stateByteLength',
  'memory',
  'reportStep',
  'destroy',
];

const OPTIMIZER_CALLS: Readonly<Record<string, Call>> = {
  addGroup: ({ optimizer, late }) => optimizer.addGroup({ params: [late] }),
  addGroupSync: ({ optimizer, late }) => optimizer.addGroupSync({ params: [late] }),
  freeze: ({ optimizer }) => optimizer.freeze(['w']),
  unfreeze: ({ optimizer }) => optimizer.unfreeze(['w']),
  remove: ({ optimizer }) => optimizer.remove(['w']),
  removeGroup: ({ optimizer, group }) => optimizer.removeGroup(group),
  mapRows: ({ optimizer }) => optimizer.mapRows(['v'], { from: Uint32Array.of(1), rowCount: 1 }),
  step: ({ optimizer }) => optimizer.step(),
  encode: ({ optimizer, encoder }) => optimizer.encode(encoder),
  rebind: ({ optimizer, home }) => optimizer.rebind({ v: { grad: home } }),
  zeroGrad: ({ optimizer }) => optimizer.zeroGrad(),
  accumulate: ({ optimizer }) => optimizer.accumulate(),
  stats: ({ optimizer }) => optimizer.stats(),
  norms: ({ optimizer }) => optimizer.norms(),
  readParam: ({ optimizer }) => optimizer.readParam('w'),
  readState: ({ optimizer }) => optimizer.readState('w', 'momentum_buffer'),
  writeState: ({ optimizer }) => optimizer.writeState('w', 'momentum_buffer', VALUES),
  resetState: ({ optimizer }) => optimizer.resetState(),
  copyState: ({ optimizer }) => optimizer.copyState('w', 'v'),
  readEma: ({ optimizer }) => optimizer.readEma('w'),
  swapEma: ({ optimizer }) => optimizer.swapEma(),
  eval: ({ optimizer }) => optimizer.eval(),
  train: ({ optimizer }) => optimizer.train(),
  stateDict: ({ optimizer }) => optimizer.stateDict(),
  loadStateDict: ({ optimizer, dict }) => optimizer.loadStateDict(dict),
  loadStateDictSync: ({ optimizer, dict }) => optimizer.loadStateDictSync(dict),
};

const ARENA_CALLS: Readonly<Record<string, Call>> = {
  load: ({ arena }) => arena.load('t', VALUES),
  read: ({ arena }) => arena.read('t'),
  readGrad: ({ arena }) => arena.readGrad('t'),
  initialize: ({ arena }) => arena.initialize('t', 'normal'),
  zeroGrad: ({ arena }) => arena.zeroGrad(),
};
const ARENA_WITHOUT_DEVICE = ['groupNames', 'byteLength', 'groups', 'shape', 'view', 'gradView', 'destroy'];

const GROUP_CALLS: Readonly<Record<string, Call>> = {
  set: ({ group }) => group.set({ lr: 0.25 }),
};

const OTHER_CALLS: Readonly<Record<string, Call>> = {
  create: ({ device, config }) => Optimizer.create(device, config),
  createSync: ({ device, config }) => Optimizer.createSync(device, config),
  restore: ({ device, config, bytes }) => Optimizer.restore(device, config, bytes),
  'create of an arena': ({ device }) => ParameterArena.create(device, { u: { shape: [2], init: 'normal' } }),
  saveCheckpoint: ({ optimizer }) => saveCheckpoint(optimizer, 'bytes'),
  loadCheckpoint: ({ optimizer, bytes }) => loadCheckpoint(optimizer, bytes),
};

const methodsOf = (kind: { readonly prototype: object }): string[] =>
  Object.getOwnPropertyNames(kind.prototype).filter((name) => name !== 'constructor');

test('these are all calls there are', () => {
  expect(methodsOf(Optimizer).toSorted()).toEqual(
    [...Object.keys(OPTIMIZER_CALLS), ...WITHOUT_DEVICE].toSorted(),
  );
  expect(methodsOf(ParameterArena).toSorted()).toEqual(
    [...Object.keys(ARENA_CALLS), ...ARENA_WITHOUT_DEVICE].toSorted(),
  );
  expect(methodsOf(ParameterGroup)).toContain('set');
});

const CALLS: Readonly<Record<string, Call>> = {
  ...Object.fromEntries(Object.entries(OPTIMIZER_CALLS).map(([name, call]) => [`optimizer.${name}`, call])),
  ...Object.fromEntries(Object.entries(ARENA_CALLS).map(([name, call]) => [`arena.${name}`, call])),
  ...Object.fromEntries(Object.entries(GROUP_CALLS).map(([name, call]) => [`group.${name}`, call])),
  ...OTHER_CALLS,
};

/** Has a device be lost at one of the requests that are made of it from now on. @returns the count of them, and an end. */
function loseAt(device: GPUDevice, index: number): { readonly asked: number; destroy(): void } {
  let asked = 0;
  const methods = ['createBuffer', 'createBindGroup', 'createCommandEncoder', 'pushErrorScope'] as const;
  const counted = (target: GPUDevice | GPUQueue, name: string) => {
    const real = (Reflect.get(target, name) as (...args: unknown[]) => unknown).bind(target);
    return (...args: unknown[]): unknown => {
      if (asked++ === index) device.destroy();
      return real(...args);
    };
  };
  const undoes = [
    tamper(device, Object.fromEntries(methods.map((name) => [name, counted(device, name)]))),
    tamper(
      device.queue,
      Object.fromEntries(['submit', 'writeBuffer'].map((name) => [name, counted(device.queue, name)])),
    ),
  ];
  return {
    get asked() {
      return asked;
    },
    destroy: () => {
      for (const undo of undoes) undo();
    },
  };
}

/** The one error that a call may have; nothing where it came through. */
async function codeOf(call: () => unknown): Promise<string | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    if (error instanceof OptimizerError) return error.code;
    throw error;
  }
}

/** How a device is lost around a call. */
const MOMENTS: Readonly<
  Record<string, (world: World, call: () => unknown, random: Random) => Promise<unknown>>
> = {
  before: async ({ device }, call) => {
    device.destroy();
    return codeOf(call);
  },
  during: async ({ device }, call, random) => {
    const losing = loseAt(device, random.integer(12));
    try {
      return await codeOf(call);
    } finally {
      losing.destroy();
      device.destroy();
    }
  },
  behind: async ({ device }, call, random) => {
    const code = codeOf(call);
    await microtasks(random.integer(20));
    device.destroy();
    return code;
  },
  later: async ({ device }, call, random) => {
    const code = codeOf(call);
    await new Promise((resolve) => setTimeout(resolve, random.integer(4)));
    device.destroy();
    return code;
  },
};

const survived = new Map<string, number>();

afterAll(() => {
  const rows = [...survived].map(([name, count]) => `${name}: ${count}`);
  console.log(`losses survived, ${inject('runtime')}:\n  ${rows.join('\n  ')}`);
});

describe.each(Object.keys(MOMENTS))('a device lost %s', (moment) => {
  // Each call has a device of its own, whose kernels are compiled anew.
  test.each(drawn(Object.keys(CALLS), 8))('%s', async (name) => {
    const random = new Random(inject('seed'));
    const unhandled = await unhandledIn(async () => {
      const world = await makeWorld();
      const { device, optimizer, arena } = world;
      const code = await MOMENTS[moment]!(world, () => CALLS[name]!(world), random);
      expect(code, moment).toBeOneOf([undefined, 'device-lost']);
      await device.lost;
      await microtasks(5);
      expect(await codeOf(() => CALLS[name]!(world)), 'afterwards').toBe('device-lost');
      expect(await codeOf(() => optimizer.step())).toBe('device-lost');
      optimizer.destroy();
      arena.destroy();
    });
    expect(unhandled).toEqual([]);
    survived.set(name, (survived.get(name) ?? 0) + 1);
  });
});
