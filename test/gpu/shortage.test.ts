/** Memory that runs out where nobody looks for it. */
import { describe, expect, inject } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  OptimizerError,
  ParameterArena,
  adafactor,
  adam,
  lamb,
  saveCheckpoint,
  scheduleFreeAdamw,
  sgd,
} from '../../src/index.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { type LiveBuffers, microtasks, watchBuffers } from '../support/live-buffers.js';
import { type Shortage, runShort } from '../support/shortage.js';
import { makeWords } from '../support/sparse-run.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

function makeParams(device: GPUDevice, track: Track, names: readonly string[]) {
  const random = new Random(inject('seed'));
  return names.map((name) => makeParameter(device, track, name, random.weights(9), random.gradients(9)));
}

/** Says that memory was short, with the bytes that were asked for and the limit of a buffer. */
function expectShortage(error: unknown, device: GPUDevice, what: string, shortage?: Shortage): void {
  expect(error, what).toBeInstanceOf(OptimizerError);
  const { code, message } = error as OptimizerError;
  expect([code, message], what).toEqual(['out-of-memory', expect.stringMatching(SHORTAGE)]);
  const { asked, limit } = SHORTAGE.exec(message)!.groups!;
  expect(Number(asked), what).toBeGreaterThan(0);
  if (shortage) expect(Number(asked), what).toBeLessThanOrEqual(shortage.askedByteLength);
  expect(Number(limit), what).toBe(device.limits.maxBufferSize);
}

const SHORTAGE =
  /all of the (?<asked>\d+) bytes that were asked for, in buffers of at most (?<limit>\d+) bytes/;

/** Runs a call with the buffer of one position withheld, for each position that there is. */
async function forEachBuffer(
  device: GPUDevice,
  track: Track,
  call: (index: number, shortage: Shortage) => Promise<void>,
  mostBuffers = 200,
): Promise<number> {
  for (let index = 0; index < mostBuffers; index++) {
    const shortage = track(runShort(device, (_, k) => k === index));
    await call(index, shortage);
    const { withheld } = shortage;
    shortage.destroy();
    if (withheld === 0) return index;
  }
  throw new Error(`more than ${mostBuffers} buffers`);
}

/** Every kind of buffer that an optimizer may make. */
function makeConfigs(device: GPUDevice, track: Track): Record<string, OptimizerConfig> {
  const table = {
    name: 'table',
    data: makeBuffer(device, track, [0, 0, 0, 0]),
    rowLength: 2,
    grad: { indices: makeWords(device, track, [1]), values: makeBuffer(device, track, [1, 1]) },
  };
  const params = makeParams(device, track, ['a', 'b']);
  const micro = { ...params[0]!, microGrad: makeBuffer(device, track, new Float32Array(9)) };
  return {
    plain: { rule: adam(), params },
    controlled: { rule: sgd(), params: [...params, table], maxGradNorm: 1, lossScale: 'dynamic' },
    measured: { rule: lamb(), params, ema: { decay: 0.5 } },
    evaluated: { rule: scheduleFreeAdamw(), params: [micro, params[1]!] },
  };
}

describe('creation', () => {
  for (const title of ['plain', 'controlled', 'measured', 'evaluated']) {
    gpuTest(
      `says so whichever buffer is missing, and leaves nothing (${title})`,
      async ({ device, track }) => {
        const config = makeConfigs(device, track)[title]!;
        const live = track(watchBuffers(device));
        const made = await forEachBuffer(device, track, async (index, shortage) => {
          let optimizer: Optimizer | undefined;
          let error: unknown;
          try {
            optimizer = await Optimizer.create(device, config);
          } catch (thrown) {
            error = thrown;
          }
          if (optimizer) {
            // All buffers could be had.
            optimizer.step();
            optimizer.destroy();
          } else {
            expectShortage(error, device, `buffer ${index}`, shortage);
          }
          expect(live.labels, `buffer ${index}`).toEqual([]);
        });
        expect(made).toBeGreaterThan(1);
      },
    );
  }

  gpuTest('at once says so at a later call, and leaves nothing', async ({ device, track }) => {
    const { plain } = makeConfigs(device, track);
    const live = track(watchBuffers(device));
    await forEachBuffer(device, track, async (index, shortage) => {
      let optimizer: Optimizer;
      try {
        optimizer = Optimizer.createSync(device, plain!);
      } catch (error) {
        expectShortage(error, device, `buffer ${index}`, shortage);
        expect(live.labels, `buffer ${index}`).toEqual([]);
        return;
      }
      await device.queue.onSubmittedWorkDone();
      await microtasks(20);
      try {
        optimizer.zeroGrad();
      } catch (error) {
        expectShortage(error, device, `buffer ${index}`, shortage);
      }
      optimizer.destroy();
      expect(live.labels, `buffer ${index}`).toEqual([]);
    });
  });

  for (const init of ['ones', 'normal'] as const) {
    gpuTest(`of an arena of ${init} is whole, or refused and gone`, async ({ device, track }) => {
      const live = track(watchBuffers(device));
      await forEachBuffer(device, track, async (index, shortage) => {
        let arena: ParameterArena | undefined;
        try {
          arena = await ParameterArena.create(device, { w: { shape: [5], init }, v: { shape: [2], init } });
        } catch (error) {
          expectShortage(error, device, `buffer ${index}`, shortage);
        }
        if (arena) {
          for (const name of ['w', 'v']) {
            // If nothing of the arena was withheld, what reads it may be.
            const values = await arena.read(name).catch((error: OptimizerError) => error);
            if (values instanceof OptimizerError) expectShortage(values, device, `buffer ${index}`, shortage);
            else expect([...values], `buffer ${index}`).not.toContain(0);
          }
          arena.destroy();
        }
        expect(live.labels, `buffer ${index}`).toEqual([]);
      });
    });
  }
});

describe('a change or a reading', () => {
  const calls: Record<string, (optimizer: Optimizer, late: ReturnType<typeof makeParameter>) => unknown> = {
    addGroup: (optimizer, late) => optimizer.addGroup({ params: [late] }),
    addGroupSync: (optimizer, late) => optimizer.addGroupSync({ params: [late] }),
    stateDict: (optimizer) => optimizer.stateDict(),
    readParam: (optimizer) => optimizer.readParam('a'),
    readState: (optimizer) => optimizer.readState('a', 'exp_avg'),
    stats: (optimizer) => optimizer.stats(),
    norms: (optimizer) => optimizer.norms(),
    swapEma: (optimizer) => {
      optimizer.swapEma();
      optimizer.swapEma();
    },
    zeroGrad: (optimizer) => optimizer.zeroGrad(),
    'freeze and unfreeze': (optimizer) => {
      optimizer.freeze(['a']);
      optimizer.unfreeze(['a']);
    },
    rebind: (optimizer, late) => optimizer.rebind({ a: { grad: late.grad } }),
    'a switch of the rule': (optimizer) => optimizer.groups[0]!.set({ weightDecay: 0.1 }),
    writeState: (optimizer) => optimizer.writeState('a', 'exp_avg', new Float32Array(9).fill(0.5)),
    resetState: (optimizer) => optimizer.resetState({ slots: ['ema', 'exp_avg'] }),
    'rows of the state': (optimizer) => optimizer.resetState({ names: ['a'], rows: [0, 2] }),
    loadStateDict: async (optimizer) => optimizer.loadStateDictSync(await optimizer.stateDict()),
    saveCheckpoint: (optimizer) => saveCheckpoint(optimizer, 'bytes'),
  };
  for (const [name, call] of Object.entries(calls)) {
    gpuTest(`that finds no memory says so, and the run goes on: ${name}`, async ({ device, track }) => {
      const config = { rule: adam({ lr: 0.1 }), ema: { decay: 0.5 }, skipNonFinite: true };
      const run = async (isShort: boolean, index: number) => {
        const [a, late] = makeParams(device, track, ['a', 'late']);
        const params = [{ ...a!, rowLength: 3 }];
        const optimizer = track(await Optimizer.create(device, { ...config, params }));
        optimizer.step();
        const shortage = isShort ? runShort(device, (_, k) => k === index) : undefined;
        let error: unknown;
        try {
          await call(optimizer, late!);
        } catch (thrown) {
          error = thrown;
        }
        const withheld = shortage?.withheld ?? 0;
        shortage?.destroy();
        return { optimizer, error, withheld };
      };
      for (let index = 0; ; index++) {
        const { optimizer, error, withheld } = await run(true, index);
        if (withheld === 0) break;
        const what = `buffer ${index}`;
        if (error !== undefined) {
          expectShortage(error, device, what);
        }
        await device.queue.onSubmittedWorkDone();
        await microtasks(20);
        // Made at once, it is known at the next call; then there is no step, and nobody claims one.
        let later: unknown;
        try {
          optimizer.step();
        } catch (thrown) {
          later = thrown;
        }
        if (later !== undefined) {
          expectShortage(later, device, what);
          continue;
        }
        const want = (await run(false, 0)).optimizer;
        if (error !== undefined && name.startsWith('addGroup')) {
          expect(optimizer.groups.length, what).toBe(1);
        }
        want.step();
        expect(await optimizer.readParam('a'), what).toEqual(await want.readParam('a'));
        expect(await optimizer.readEma('a'), what).toEqual(await want.readEma('a'));
        expect((await optimizer.stats()).step, what).toBe(2);
      }
    });
  }
});

gpuTest(
  'a group whose norms find no memory leaves none of it to those that come after',
  async ({ device, track }) => {
    const [a, b] = makeParams(device, track, ['a', 'b']);
    const large = makeParameter(
      device,
      track,
      'large',
      new Float32Array(70_000),
      new Float32Array(70_000).fill(1),
    );
    const optimizer = track(
      await Optimizer.create(device, { rule: sgd({ lr: 1 }), params: [a!], maxGradNorm: 1e9 }),
    );
    for (const what of ['reduction', 'step records']) {
      // So many that they need other records.
      const params = what === 'reduction' ? [large] : manyParams(device, track, 300);
      const shortage = track(runShort(device, ({ label }) => label!.includes(what)));
      expect((await errorOf(() => optimizer.addGroup({ params }))).code, what).toBe('out-of-memory');
      expect(shortage.withheld, what).toBe(1);
      shortage.destroy();
    }
    await optimizer.addGroup({ params: [b!, large, ...manyParams(device, track, 300)] });
    const [before] = await Promise.all([optimizer.readParam('large'), optimizer.readParam('b')]);
    optimizer.step();
    expect((await optimizer.readParam('large'))[69_999]).toBe(before[69_999]! - 1);
    expect((await optimizer.readParam('m299'))[0]).toBe(-1);
  },
);

function manyParams(device: GPUDevice, track: Track, count: number) {
  const data = makeBuffer(device, track, new Float32Array(count));
  const grad = makeBuffer(device, track, new Float32Array(count).fill(1));
  return Array.from({ length: count }, (_, k) => ({
    name: `m${k}`,
    data: { buffer: data, offset: 4 * k, size: 4 },
    grad: { buffer: grad, offset: 4 * k, size: 4 },
  }));
}

describe('mapRows', () => {
  const FRESH = 0xffff_ffff;
  const mappings: Record<string, (device: GPUDevice, track: Track) => Parameters<Optimizer['mapRows']>[1]> = {
    'in another order': () => ({ from: Uint32Array.of(1, 2, 0), rowCount: 3 }),
    'fewer rows': () => ({ from: Uint32Array.of(2, 1), rowCount: 2 }),
    'a row behind the others': () => ({ from: Uint32Array.of(0, 1, 2, FRESH), rowCount: 4 }),
    elsewhere: (device, track) => ({
      from: Uint32Array.of(2, FRESH, 0, 0, 1),
      rowCount: 5,
      data: {
        a: makeBuffer(device, track, new Float32Array(15)),
        b: makeBuffer(device, track, new Float32Array(10)),
      },
      grad: {
        a: makeBuffer(device, track, new Float32Array(15).fill(1)),
        b: makeBuffer(device, track, new Float32Array(10)),
      },
    }),
  };
  const configs: Record<string, Omit<OptimizerConfig, 'params'>> = {
    'adam with averages': { rule: adam({ lr: 0.1 }), ema: { decay: 0.5 }, skipNonFinite: true },
    'lamb in bf16': { rule: lamb({ lr: 0.1 }), stateDtype: 'bf16' },
    'clipped one by one': { rule: adam({ lr: 0.1 }), maxGradNormPerTensor: 0.5 },
  };
  /** But for what partials of norms lie in: it is as large as it ever had to be. */
  const kept = ({ labels }: LiveBuffers) => labels.filter((label) => !label.includes('reduction')).toSorted();
  for (const [what, mappingOf] of Object.entries(mappings)) {
    for (const [title, config] of Object.entries(configs)) {
      // Codes of state move alike, in place or not.
      if (title !== 'adam with averages' && what !== 'in another order' && what !== 'elsewhere') continue;
      const makeRun = async (device: GPUDevice, track: Track) => {
        const random = new Random(inject('seed'));
        const make = (name: string, length: number) => ({
          ...makeParameter(device, track, name, random.weights(length), random.gradients(length)),
          rowLength: length / 3,
        });
        // Room for a fourth row, in one buffer that is larger than it need be. Rows differ, so that it shows where they lie.
        const roomy = (name: string, length: number) => {
          const parameter = make(name, length);
          return {
            ...parameter,
            data: makeBuffer(device, track, random.weights((4 * length) / 3)),
            grad: makeBuffer(device, track, random.gradients((4 * length) / 3)),
            length,
          };
        };
        const params = [roomy('a', 9), roomy('b', 6), make('rest', 3)];
        const optimizer = track(await Optimizer.create(device, { ...config, params } as OptimizerConfig));
        optimizer.step();
        return optimizer;
      };
      const everything = async (optimizer: Optimizer) => ({
        dict: await optimizer.stateDict(),
        weights: await Promise.all(['a', 'b', 'rest'].map((name) => optimizer.readParam(name))),
      });

      gpuTest(
        `${what} that finds no memory is as if it had not been called: ${title}`,
        async ({ device, track }) => {
          const want = await makeRun(device, track);
          const before = await everything(want);
          want.step();
          const behind = await everything(want);
          const live = track(watchBuffers(device));
          let tried = 0;
          for (; ; tried++) {
            const optimizer = await makeRun(device, track);
            const mapping = mappingOf(device, track);
            const labels = kept(live);
            const shortage = track(runShort(device, (_, k) => k === tried));
            const pending = optimizer.mapRows(['a', 'b'], mapping);
            shortage.destroy();
            if (shortage.withheld === 0) {
              await pending;
              optimizer.destroy();
              break;
            }
            const error = await errorOf(() => pending);
            expectShortage(error, device, `buffer ${tried}`);
            expect(error.message).toContain('Nothing has changed, and the run goes on as it was.');
            expect(kept(live), `buffer ${tried}`).toEqual(labels);
            expect(await everything(optimizer), `buffer ${tried}`).toEqual(before);
            optimizer.step();
            expect(await everything(optimizer), `buffer ${tried}`).toEqual(behind);
            // What it was to go to is nobody's: another one may have it.
            const { a: data } = mapping.data ?? {};
            if (data instanceof GPUBuffer) {
              const group = optimizer.addGroupSync({
                params: [{ name: 'late', data, grad: mapping.grad!['a']! }],
              });
              optimizer.removeGroup(group);
            }
            // It can be called again.
            await optimizer.mapRows(['a', 'b'], mapping);
            optimizer.step();
            await optimizer.readParam('a');
            optimizer.destroy();
          }
          expect(tried).toBeGreaterThan(0);
        },
      );
    }
  }

  gpuTest('that the device rejects is as if it had not been called', async ({ device, track }) => {
    const kinds: Omit<OptimizerConfig, 'params' | 'groups'>[] = [
      { rule: adam() },
      { rule: adam(), maxGradNormPerTensor: 0.5 },
      // It knows of how many elements a tensor is.
      { rule: adafactor({ scaleParameter: false, relativeStep: false, d: 0.1 }) },
    ];
    for (const config of kinds) {
      const make = async (): Promise<Optimizer> => {
        const params = makeParams(device, track, ['a', 'b']).map((each) => ({
          ...each,
          rowLength: 3,
          length: 6,
        }));
        return track(await Optimizer.create(device, { params, ...config }));
      };
      const [optimizer, other] = [await make(), await make()];
      const read = async (from: Optimizer) => [await from.readParam('a'), await from.stateDict()];
      for (const each of [optimizer, other]) each.step();
      const gone = makeBuffer(device, track, new Float32Array(9));
      gone.destroy();
      const mapping = { from: Uint32Array.of(1, 0, 0), rowCount: 3 };
      const error = await errorOf(() => optimizer.mapRows(['a'], { ...mapping, grad: { a: gone } }));
      expect(error.code).toBe('invalid-parameter');
      expect(error.message).toContain('Nothing has changed, and the run goes on as it was.');
      expect(await read(optimizer)).toEqual(await read(other));
      for (const each of [optimizer, other]) each.step();
      expect(await read(optimizer)).toEqual(await read(other));
      await optimizer.mapRows(['a'], mapping);
    }
  });

  gpuTest('that finds no memory to count strays in counts them the next time', async ({ device, track }) => {
    const [a] = makeParams(device, track, ['a']);
    const optimizer = track(
      await Optimizer.create(device, { rule: adam(), params: [{ ...a!, rowLength: 3 }] }),
    );
    const mapping = { from: makeWords(device, track, [2, 7, 1]), rowCount: 3 };
    const shortage = track(runShort(device, ({ label }) => label!.includes('stray rows')));
    expect((await errorOf(() => optimizer.mapRows(['a'], mapping))).code).toBe('out-of-memory');
    expect(shortage.withheld).toBe(1);
    shortage.destroy();
    expect((await optimizer.stats()).strayRows).toBeUndefined();
    await optimizer.mapRows(['a'], mapping);
    expect((await optimizer.stats()).strayRows).toBe(1);
  });

  gpuTest(
    'that finds no memory behind which calls were made ends the run, and leaves nothing',
    async ({ device, track }) => {
      const params = makeParams(device, track, ['a', 'b']).map((each) => ({ ...each, rowLength: 3 }));
      const live = track(watchBuffers(device));
      const calls: Record<string, (optimizer: Optimizer) => unknown> = {
        step: (optimizer) => optimizer.step(),
        set: (optimizer) => optimizer.groups[0]!.set({ lr: 0.5 }),
        freeze: (optimizer) => optimizer.freeze(['b']),
        destroy: (optimizer) => optimizer.destroy(),
      };
      for (const [name, call] of Object.entries(calls)) {
        const optimizer = track(await Optimizer.create(device, { rule: adam(), params }));
        optimizer.step();
        const shortage = track(runShort(device, () => true));
        const pending = optimizer.mapRows(['a'], { from: Uint32Array.of(2, 1), rowCount: 2 });
        shortage.destroy();
        // Commands over a buffer that does not exist are an error of the device's, which nobody can know yet.
        device.pushErrorScope('validation');
        call(optimizer);
        const invalid = device.popErrorScope();
        const code = (await errorOf(() => pending)).code;
        if (name === 'destroy') {
          expect(['destroyed', 'out-of-memory'], name).toContain(code);
        } else {
          expect(code, name).toBe('out-of-memory');
          expect((await errorOf(() => optimizer.step())).code, name).toBe('out-of-memory');
          optimizer.destroy();
        }
        await invalid;
        await microtasks(20);
        expect(live.labels, name).toEqual([]);
      }
    },
  );
});

gpuTest(
  'steps beyond what the ring can grow to are made, or nobody counts them',
  async ({ device, track }) => {
    for (const config of [{}, { maxGradNorm: 1e9 }]) {
      const params = [makeParameter(device, track, 'w', [0], [-1])];
      const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params, ...config }));
      optimizer.step();
      const shortage = track(runShort(device, () => true));
      const encoder = device.createCommandEncoder();
      let encoded = 0;
      let refused: OptimizerError | undefined;
      while (encoded < 3200 && !refused) {
        try {
          optimizer.encode(encoder);
          encoded++;
        } catch (error) {
          if (!(error instanceof OptimizerError)) throw error;
          refused = error;
        }
      }
      // What was encoded over a buffer that does not exist is an error of the caller's encoder; there is no other witness.
      device.pushErrorScope('validation');
      device.queue.submit([encoder.finish()]);
      const invalid = await device.popErrorScope();
      shortage.destroy();
      if (shortage.withheld === 0) expect(invalid).toBeNull();
      else expect(refused?.code ?? 'out-of-memory').toBe('out-of-memory');
      await microtasks(20);
      try {
        optimizer.step();
        const { step } = await optimizer.stats();
        expect([...(await optimizer.readParam('w'))]).toEqual([step]);
        expect(step).toBeGreaterThan(1);
      } catch (error) {
        if (!(error instanceof OptimizerError)) throw error;
        expect(error.code).toBe('out-of-memory');
        expect((await errorOf(() => optimizer.step())).code).toBe('out-of-memory');
      }
    }
  },
);
