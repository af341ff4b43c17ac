/** What a run has on the GPU after a thousand changes is what a fresh one of the same shape has. */
import { expect, inject } from 'vitest';
import { Optimizer, type OptimizerSettings, adam } from '../../src/index.js';
import { Random } from '../../proof/random.js';
import { change, makeTensors, parameterOf } from '../support/changing-run.js';
import { gpuTest } from '../support/device.js';
import { microtasks, watchBuffers } from '../support/live-buffers.js';

const TENSORS = 12;
const CHANGES = 1000;
/** Of what a step tells of a tensor's row, twice for having grown, and of what its norm is reduced in. */
const BYTES_PER_TENSOR = 512;

for (const settings of [{}, { skipNonFinite: true, ema: { decay: 0.5 } }] satisfies OptimizerSettings[]) {
  gpuTest(
    `a thousand changes leave nothing behind: ${JSON.stringify(settings)}`,
    async ({ device, track }) => {
      const random = new Random(inject('seed'));
      const tensors = makeTensors(device, track, random, TENSORS);
      const live = track(watchBuffers(device));
      const config = { rule: adam({ lr: 0.1 }), label: 'o', ...settings };
      const groups = [0, 1, 2].map((g) => ({
        params: tensors.filter((_, k) => k % 3 === g).map((tensor) => parameterOf(tensor)),
      }));
      const optimizer: Optimizer = track(await Optimizer.create(device, { ...config, groups }));
      const pending: Promise<unknown>[] = [];
      for (let k = 0; k < CHANGES; k++) {
        const mapped = change(optimizer, tensors, random);
        if (mapped) pending.push(mapped);
        const isRested = tensors.every(({ isThere, isFrozen }) => isFrozen || !isThere);
        if (k % 7 === 0 && !isRested) optimizer.step();
        if (k % 50 === 0) await microtasks(20);
        if (k % 250 === 0) await device.queue.onSubmittedWorkDone();
      }
      await Promise.all(pending);
      // Who made the same steps shares what says so, but who rests does not.
      optimizer.unfreeze(tensors.filter(({ isThere }) => isThere).map(({ name }) => name));
      optimizer.resetState();
      const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
      const shape = optimizer.groups.map(({ params }) => ({
        params: params.map((name) => parameterOf(byName.get(name)!)),
      }));
      const settle = async (each: Optimizer) => {
        each.step();
        await each.stats();
        await device.queue.onSubmittedWorkDone();
        each.step();
        return live.labels;
      };
      const after = await settle(optimizer);
      optimizer.destroy();
      expect(live.labels).toEqual([]);
      const fresh = track(await Optimizer.create(device, { ...config, groups: shape }));
      const [got, want] = [kinds(after), kinds(await settle(fresh))];
      // What grew with the most rows that there were at a time, and what norms are reduced in, shrinks no more; a step's numbers are few.
      expect(got.filter((kind) => !GROWN.test(kind))).toEqual(want.filter((kind) => !GROWN.test(kind)));
      const grown = got.filter((kind) => GROWN.test(kind));
      expect(byteLengthOf(grown), grown.join('\n')).toBeLessThanOrEqual(BYTES_PER_TENSOR * TENSORS);
      expect(grown.filter((kind) => !kind.includes('reduction')).length).toBe(
        want.filter((kind) => GROWN.test(kind) && !kind.includes('reduction')).length,
      );
    },
  );
}

const GROWN = /^o (rows|rows 0|reduction) /;

/** Labels and sizes, without the groups' numbers, in order. */
const kinds = (labels: readonly string[]): string[] =>
  labels.map((label) => label.replace(/ group \d+/, '')).toSorted();

const byteLengthOf = (all: readonly string[]): number =>
  all.reduce((sum, kind) => sum + Number(/\((\d+) bytes\)/.exec(kind)![1]), 0);
