/** Memory that runs out while rows move. */
import { describe, expect, inject } from 'vitest';
import { Optimizer, type OptimizerConfig, adafactor, adam, lamb } from '../../src/index.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { FRESH } from '../support/life-pair.js';
import { type LiveBuffers, microtasks, watchBuffers } from '../support/live-buffers.js';
import { expectShortage, makeParams } from '../support/short-calls.js';
import { runShort } from '../support/shortage.js';
import { makeWords } from '../support/sparse-run.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

describe('mapRows', () => {
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
