/** Runs that are saved at one instant and resumed elsewhere. */
import { afterAll, describe, expect, inject } from 'vitest';
import {
  type CheckpointSink,
  Optimizer,
  type OptimizerConfig,
  type OptimizerSettings,
  type Rule,
  adam,
  loadCheckpoint,
  saveCheckpoint,
  schedules,
} from '../../src/index.js';
import { readSafetensors, writeSafetensors } from '../../src/safetensors/index.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { withSettings } from '../../src/rules/rule.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { getTestAdapter, gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { errorOf } from '../support/error-of.js';
import { FakeAccessHandle } from '../support/safetensors.js';
import { runShort } from '../support/shortage.js';
import { makeBuffer, readFloats } from '../support/tensors.js';

const seed = inject('seed');

/** Tensors of a run: two plain ones, and one of rows of 2, columns of a struct where the rule allows it. */
const LENGTHS = { a: 5, b: 70, c: 12 };
const NAMES = Object.keys(LENGTHS) as (keyof typeof LENGTHS)[];
/** What becomes of the rows of `c`: 5 in place of 6. */
const MAP = Uint32Array.of(5, 0xffff_ffff, 0, 3, 3);

interface Trained {
  readonly optimizer: Optimizer;
  readonly data: GPUBuffer;
  /** Makes a step with gradients of its own. */
  step(k: number): void;
}

/** Parameters in one buffer: `a` and `b` one behind the other, `c` two columns of rows of four. */
async function train(
  device: GPUDevice,
  track: Track,
  rule: Rule,
  settings: OptimizerSettings = {},
  rowCount = LENGTHS.c / 2,
): Promise<Trained> {
  const random = new Random(seed);
  const data = makeBuffer(device, track, random.weights(100));
  const grad = makeBuffer(device, track, new Float32Array(100));
  const isByRows = !('tensor' in rule) && ruleAllowsRows(rule);
  const params = NAMES.map((name, k) => {
    const length = name === 'c' ? 2 * rowCount : LENGTHS[name];
    const range = { offset: 4 * [0, 5, 76][k]!, size: 4 * length };
    const rows = { size: 4 * (4 * rowCount - 2), byteStride: 16 };
    return {
      name,
      data: { buffer: data, ...range, ...(name === 'c' && isByRows && rows) },
      grad: { buffer: grad, ...range },
      ...(name === 'c' && { rowLength: 2 }),
    };
  });
  const config = { rule, params, ...settings } as OptimizerConfig;
  const optimizer = track(await Optimizer.create(device, config));
  return {
    optimizer,
    data,
    step: (k) => {
      const values = new Random(seed + 1 + k).gradients(100);
      if ('skipNonFinite' in settings && k % 7 === 3) values[20] = NaN;
      device.queue.writeBuffer(grad, 0, values);
      optimizer.step(k % 5 === 2 ? { skip: ['b'] } : {});
    },
  };
}

const ruleAllowsRows = ({ name }: Rule): boolean => !['lamb', 'lars', 'novograd'].includes(name);

/** Whether two runs have the same bits. */
async function expectSame(a: Trained, b: Trained, what: string): Promise<void> {
  for (const name of NAMES) {
    const [got, want] = await Promise.all([a, b].map(({ optimizer }) => optimizer.readParam(name)));
    expect(bitDifference(got!, want!), `${what}: ${name}`).toBeUndefined();
  }
  expect(await a.optimizer.stateDict(), what).toEqual(await b.optimizer.stateDict());
}

const SETTINGS: Record<string, OptimizerSettings> = {
  plain: {},
  'skipping, with averages': {
    skipNonFinite: true,
    ema: { decay: 0.9 },
    lookahead: { every: 3, alpha: 0.5 },
  },
  'a dynamic loss scale': {
    skipNonFinite: true,
    lossScale: { init: 1024, growthFactor: 2, growthInterval: 3 },
    swa: { start: 4, period: 2 },
  },
  'state in bf16': { stateDtype: 'bf16', maxGradNormPerTensor: 0.5 },
};

/** Whether a rule has any state that can be kept so. */
const mayBeRounded = (rule: Rule): boolean =>
  layoutOf(withSettings(rule, { stateDtype: 'bf16' })).slots.some(({ codec }) => codec.roundingError > 0);

/** One for all runs that are resumed. */
let resumed: Promise<GPUDevice> | undefined;

async function newDevice(): Promise<GPUDevice> {
  resumed ??= getTestAdapter().then((adapter) => {
    const { maxStorageBuffersPerShaderStage } = adapter.limits;
    return adapter.requestDevice({ label: 'resumed', requiredLimits: { maxStorageBuffersPerShaderStage } });
  });
  return resumed;
}

afterAll(async () => (await resumed)?.destroy());

describe('100 steps, or 50, saved and resumed on a new device, and 50 more, have the same bits', () => {
  const cases = ruleFactories.flatMap(([name, factory]) =>
    Object.keys(SETTINGS)
      .filter((title) => title !== 'state in bf16' || mayBeRounded(factory()))
      .map((title) => ({ name, factory: factory as (options: object) => Rule, title })),
  );
  for (const { name, factory, title } of drawn(cases, 13)) {
    gpuTest(`${name}, ${title}`, async ({ device, track }) => {
      const makeRule = () => factory({ lr: schedules.cosine({ lr: 0.01, tMax: 80, etaMin: 0.001 }) });
      const layout = makeRule();
      const settings = 'evaluation' in layout && title !== 'plain' ? {} : SETTINGS[title]!;
      const first = await train(device, track, makeRule(), settings);
      for (let k = 0; k < 50; k += 1) {
        first.step(k);
        if (k === 20) first.optimizer.freeze(['a']);
        if (k === 30) void first.optimizer.mapRows(['c'], { from: MAP, rowCount: MAP.length });
      }
      const pending = saveCheckpoint(first.optimizer, 'bytes');
      // It is of the moment of the call, though training goes on.
      for (let k = 50; k < 75; k += 1) first.step(k);
      const { bytes, isCopied } = await pending;
      expect(isCopied).toBe(true);
      for (let k = 75; k < 100; k += 1) first.step(k);
      const other = await newDevice();
      const second = await train(other, track, makeRule(), settings, MAP.length);
      // Its own state and weights must all go.
      second.step(200);
      const { loaded } = await loadCheckpoint(second.optimizer, bytes);
      expect(loaded).toEqual(NAMES);
      for (let k = 50; k < 100; k += 1) second.step(k);
      await expectSame(second, first, name);
    });
  }
});

gpuTest('a file that is cut or changed is refused whole', async ({ device, track }) => {
  const run = await train(device, track, adam(), { ema: { decay: 0.9 } });
  for (let k = 0; k < 3; k += 1) run.step(k);
  const { bytes } = await saveCheckpoint(run.optimizer, 'bytes');
  run.step(3);
  const [state, held] = [await run.optimizer.stateDict(), await readFloats(device, run.data)];
  const random = new Random(seed);
  const bad = [
    ...Array.from({ length: 24 }, (_, k) => {
      const changed = bytes.slice();
      // Anywhere, and where the checksum itself lies.
      const at = k === 0 ? bytes.length - 1 : random.integer(bytes.length);
      changed[at]! ^= 1 << random.integer(8);
      return changed;
    }),
    ...Array.from({ length: 12 }, () => bytes.slice(0, random.integer(bytes.length))),
    new Uint8Array(0),
  ];
  const codes = new Set<string>();
  for (const source of bad) {
    const { code } = await errorOf(() => loadCheckpoint(run.optimizer, source));
    codes.add(code);
    expect(['invalid-safetensors', 'invalid-checkpoint', 'invalid-state-dict']).toContain(code);
  }
  expect(codes).toContain('invalid-checkpoint');
  const { tensors, metadata } = await readSafetensors(bytes);
  const unsigned = [...tensors.values()].filter(({ name }) => name !== '~sha256');
  const error = await errorOf(async () =>
    loadCheckpoint(run.optimizer, await writeSafetensors('bytes', unsigned, metadata)),
  );
  expect(error.message).toContain('no tensor "~sha256"');
  expect(await run.optimizer.stateDict()).toEqual(state);
  expect(bitDifference(await readFloats(device, run.data), held)).toBeUndefined();
  await loadCheckpoint(run.optimizer, bytes);
});

gpuTest(
  'without memory for the copy it is of a later moment, and changes wait for it',
  async ({ device, track }) => {
    const run = await train(device, track, adam());
    run.step(0);
    const shortage = runShort(device, ({ label }) => label?.endsWith(' checkpoint') === true);
    const pending = saveCheckpoint(run.optimizer, 'bytes');
    run.step(1);
    let refused = 0;
    const end = { isReached: false };
    void pending.finally(() => (end.isReached = true));
    while (!end.isReached) {
      try {
        run.optimizer.writeState('a', 'exp_avg', new Float32Array(5));
      } catch (error) {
        expect((error as Error).message).toContain('saveCheckpoint()');
        refused++;
      }
      await new Promise((resolve) => setTimeout(resolve));
    }
    shortage.destroy();
    const { bytes, isCopied } = await pending;
    expect(isCopied).toBe(false);
    expect(refused).toBeGreaterThan(0);
    // Afterwards they are made again.
    const second = await train(device, track, adam());
    await loadCheckpoint(second.optimizer, bytes);
    run.step(2);
    second.step(2);
    await expectSame(second, run, 'resumed');
  },
);

gpuTest('a sink that fails, a signal, bad options', async ({ device, track }) => {
  const run = await train(device, track, adam());
  run.step(0);
  const full = new Error('the disk is full');
  const failing = new WritableStream({
    write: () => {
      throw full;
    },
  });
  await expect(saveCheckpoint(run.optimizer, failing)).rejects.toBe(full);
  const refused = async () => Promise.reject(new Error('and gone'));
  const createWritable = async () => new WritableStream({ write: async () => Promise.reject(full) });
  // What a file leaves behind cannot be removed, either.
  const directory = {
    getFileHandle: async (_: string, options?: object) => (options ? { createWritable } : refused()),
    removeEntry: refused,
  };
  const left = saveCheckpoint(run.optimizer, { directory, name: 'run' } as unknown as CheckpointSink);
  await expect(left).rejects.toBe(full);
  const torn = new ReadableStream({ pull: (controller) => controller.error(full) });
  await expect(loadCheckpoint(run.optimizer, torn)).rejects.toBe(full);
  const controller = new AbortController();
  const aborted = saveCheckpoint(run.optimizer, 'bytes', {
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('enough')),
  });
  await expect(aborted).rejects.toThrow('enough');
  const bad: [unknown, string][] = [
    [{ params: 1 }, 'params is 1'],
    [{ onProgress: 3 }, 'onProgress is 3'],
    [{ parms: true }, 'parms'],
    ['all', 'the options are "all"'],
  ];
  for (const [options, text] of bad) {
    const error = await errorOf(() => saveCheckpoint(run.optimizer, 'bytes', options as object));
    expect(error.message).toContain(text);
  }
  const none = await errorOf(() => saveCheckpoint({} as Optimizer, 'bytes'));
  expect(none.message).toContain('no optimizer');
  const progress: [number, number][] = [];
  const { byteLength, bytes } = await saveCheckpoint(run.optimizer, 'bytes', {
    params: false,
    onProgress: (...args) => progress.push(args),
  });
  expect(progress.at(-1)).toEqual([byteLength, byteLength]);
  expect(byteLength).toBe(2 * 4 * 87);
  const file = await readSafetensors(bytes);
  expect([...file.tensors.keys()]).toEqual([
    ...NAMES.flatMap((name) => [`state.${name}.exp_avg`, `state.${name}.exp_avg_sq`]),
    '~sha256',
  ]);
  expect(file.metadata).toMatchObject({
    'param_groups.a.lr': '0.001',
    'param_groups.a.betas': '[0.9,0.999]',
    'state.b.step': '1',
  });
  // Weights stay where the file has none.
  const held = await readFloats(device, run.data);
  await loadCheckpoint(run.optimizer, bytes);
  expect(bitDifference(await readFloats(device, run.data), held)).toBeUndefined();
});

gpuTest('what a worker has opened: written and read, and left open', async ({ device, track }) => {
  const run = await train(device, track, adam());
  run.step(0);
  const file = new FakeAccessHandle(new Random(seed), new Uint8Array(5000));
  await saveCheckpoint(run.optimizer, file);
  const { bytes } = await saveCheckpoint(run.optimizer, 'bytes');
  expect(file.bytes).toEqual(bytes);
  const state = await run.optimizer.stateDict();
  run.step(1);
  await loadCheckpoint(run.optimizer, file);
  expect(await run.optimizer.stateDict()).toEqual(state);
});

gpuTest('restore() makes an optimizer that goes on, or nothing', async ({ device, track }) => {
  const run = await train(device, track, adam());
  run.step(0);
  const { bytes } = await saveCheckpoint(run.optimizer, 'bytes');
  const data = makeBuffer(device, track, new Float32Array(100).fill(7));
  const params = NAMES.map((name, k) => ({
    name,
    data: { buffer: data, offset: 4 * [0, 5, 76][k]!, size: 4 * LENGTHS[name] },
    grad: makeBuffer(device, track, new Float32Array(LENGTHS[name])),
    ...(name === 'c' && { rowLength: 2 }),
  }));
  const restored = track(await Optimizer.restore(device, { rule: adam(), params }, bytes));
  expect(await restored.stateDict()).toEqual(await run.optimizer.stateDict());
  expect(await restored.readParam('c')).toEqual(await run.optimizer.readParam('c'));
  // What lies between parameters stays.
  expect((await readFloats(device, data))[75]).toBe(7);
  const error = await errorOf(() =>
    Optimizer.restore(device, { rule: adam(), params: params.slice(1) }, bytes),
  );
  expect(error.code).toBe('invalid-state-dict');
});

gpuTest('a file that lacks an average, a parameter, its weights', async ({ device, track }) => {
  const run = await train(device, track, adam());
  for (let k = 0; k < 2; k += 1) run.step(k);
  const { bytes } = await saveCheckpoint(run.optimizer, 'bytes');
  const averaged = await train(device, track, adam(), { ema: { decay: 0.5 } });
  averaged.step(5);
  averaged.optimizer.freeze(['a']);
  const strict = await errorOf(() => loadCheckpoint(averaged.optimizer, bytes));
  expect(strict).toMatchObject({ code: 'invalid-state-dict' });
  // It begins from the file's weights. What rests in the file rests then, and nothing else.
  await loadCheckpoint(averaged.optimizer, bytes, { strict: false });
  expect(await averaged.optimizer.readEma('b')).toEqual(await run.optimizer.readParam('b'));
  const before = await averaged.optimizer.readParam('a');
  averaged.step(6);
  expect(await averaged.optimizer.readParam('a')).not.toEqual(before);
  const more = await train(device, track, adam());
  const grad = makeBuffer(device, track, new Float32Array(4));
  const params = [{ name: 'new', data: makeBuffer(device, track, new Float32Array(4).fill(3)), grad }];
  await more.optimizer.addGroup({ params });
  const { loaded, missing } = await loadCheckpoint(more.optimizer, bytes, { strict: false });
  expect([loaded, missing]).toEqual([NAMES, ['new']]);
  expect(await more.optimizer.readParam('new')).toEqual(new Float32Array(4).fill(3));
  expect(await more.optimizer.readParam('c')).toEqual(await run.optimizer.readParam('c'));
});

gpuTest(
  'a file of other sizes, weights that cannot be written, no memory to load',
  async ({ device, track }) => {
    const run = await train(device, track, adam());
    run.step(0);
    const { bytes } = await saveCheckpoint(run.optimizer, 'bytes');
    const make = async (lengths: Record<string, number>, usage?: number) => {
      const params = NAMES.map((name) => ({
        name,
        data: makeBuffer(device, track, new Float32Array(lengths[name]!), usage),
        grad: makeBuffer(device, track, new Float32Array(lengths[name]!)),
      }));
      return track(await Optimizer.create(device, { rule: adam(), params }));
    };
    const other = await make({ ...LENGTHS, b: 71 });
    const error = await errorOf(() => loadCheckpoint(other, bytes));
    expect(error).toMatchObject({ code: 'invalid-state-dict' });
    expect(error.message).toContain('keeps 71 values');
    const fixed = await make(LENGTHS, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC);
    const unwritable = await errorOf(() => loadCheckpoint(fixed, bytes));
    expect(unwritable.message).toContain('COPY_DST');
    expect(await fixed.stateDict()).toMatchObject({ step: 0 });
    const short = await make(LENGTHS);
    const shortage = runShort(device, ({ label }) => label?.endsWith(' checkpoint') === true);
    const memory = await errorOf(() => loadCheckpoint(short, bytes));
    shortage.destroy();
    expect(memory).toMatchObject({ code: 'out-of-memory' });
    expect(memory.message).toContain('1044 bytes');
    expect(await short.stateDict()).toMatchObject({ step: 0 });
    await loadCheckpoint(short, bytes);
    expect(await short.stateDict()).toEqual(await run.optimizer.stateDict());
  },
);

gpuTest('a file by its name is whole, or as it was', async ({ device, track }) => {
  const run = await train(device, track, adam());
  run.step(0);
  const directory = await navigator.storage.getDirectory();
  const name = `run-${seed}.safetensors`;
  const entry = async () => (await directory.getFileHandle(name)).getFile();
  const enough = new Error('enough');
  const save = (isEnded: boolean) => {
    const controller = new AbortController();
    const onProgress = isEnded ? () => controller.abort(enough) : () => undefined;
    return saveCheckpoint(run.optimizer, { directory, name }, { signal: controller.signal, onProgress });
  };
  await expect(save(true)).rejects.toBe(enough);
  await expect(entry()).rejects.toThrow();
  // While the platform writes, and has the file locked.
  const during = new AbortController();
  const busy = beforeEnd(directory, 'write', () => during.abort(enough));
  const ended = saveCheckpoint(run.optimizer, { directory: busy, name }, { signal: during.signal });
  await expect(ended).rejects.toBe(enough);
  await expect(entry()).rejects.toThrow();
  const target = { directory, name };
  const saving = saveCheckpoint(run.optimizer, target);
  // It is of the call.
  target.name = 'other';
  await saving;
  const state = await run.optimizer.stateDict();
  run.step(1);
  await expect(save(true)).rejects.toBe(enough);
  await loadCheckpoint(run.optimizer, await entry());
  expect(await run.optimizer.stateDict()).toEqual(state);
  // What puts the file in its place cannot be ended any more.
  run.step(2);
  const late = new AbortController();
  const closing = beforeEnd(directory, 'close', () => late.abort(enough));
  await saveCheckpoint(run.optimizer, { directory: closing, name }, { signal: late.signal });
  await loadCheckpoint(run.optimizer, await entry());
  expect(await run.optimizer.stateDict()).toMatchObject({ step: 2 });
  await directory.removeEntry(name);
});

/** A directory like the one given; `run` is called whenever a writer of its files has begun to write, or to close. */
function beforeEnd(
  directory: FileSystemDirectoryHandle,
  call: 'write' | 'close',
  run: () => void,
): FileSystemDirectoryHandle {
  const watch = (stream: WritableStream): WritableStream => {
    const writer = stream.getWriter();
    const begin = writer[call].bind(writer);
    writer[call] = async (...given: unknown[]) => {
      const done = begin(...given);
      run();
      return done;
    };
    stream.getWriter = () => writer;
    return stream;
  };
  const like = {
    getFileHandle: async (name: string, options?: object) => {
      const handle = await directory.getFileHandle(name, options);
      return { createWritable: async () => watch(await handle.createWritable()) };
    },
    removeEntry: async (name: string) => directory.removeEntry(name),
  };
  return like as unknown as FileSystemDirectoryHandle;
}
