/** What a run has on the GPU after a thousand changes is what a fresh one of the same shape has. */
import { expect, inject } from 'vitest';
import { Optimizer, type OptimizerSettings, type Parameter, adam } from '../../src/index.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { microtasks, watchBuffers } from '../support/live-buffers.js';
import { makeBuffer } from '../support/tensors.js';

const FRESH = 0xffff_ffff;
/** Rows that buffers have room for. */
const ROOM = 24;
const TENSORS = 12;
const CHANGES = 1000;
/** Of what a step tells of a tensor's row, twice for having grown, and of what its norm is reduced in. */
const BYTES_PER_TENSOR = 512;

/** A parameter, there or not, and the two homes that it has in turn. */
interface Tensor {
  readonly name: string;
  readonly rowLength: number;
  readonly homes: readonly { readonly data: GPUBuffer; readonly grad: GPUBuffer }[];
  home: number;
  rowCount: number;
  isThere: boolean;
  isFrozen: boolean;
}

function makeTensors(device: GPUDevice, track: Track, random: Random): Tensor[] {
  return Array.from({ length: TENSORS }, (_, k) => {
    const rowLength = 1 + (k % 4);
    const floats = () => makeBuffer(device, track, random.weights(ROOM * rowLength));
    const homes = [0, 1].map(() => ({ data: floats(), grad: floats() }));
    return { name: `w${k}`, rowLength, homes, home: 0, rowCount: 8, isThere: true, isFrozen: false };
  });
}

const parameterOf = ({ name, rowLength, rowCount, homes, home }: Tensor): Parameter => ({
  name,
  rowLength,
  length: rowCount * rowLength,
  ...homes[home]!,
});

/** Makes one change of a run that is drawn; whoever it gives a promise to does not wait for it. */
function change(optimizer: Optimizer, tensors: readonly Tensor[], random: Random): Promise<unknown> | void {
  const there = tensors.filter(({ isThere }) => isThere);
  const [one, other] = [random.pick(there), random.pick(there)];
  const gone = tensors.filter(({ isThere }) => !isThere);
  const group = random.pick(optimizer.groups);
  switch (random.integer(10)) {
    case 0:
      optimizer.freeze([one.name]);
      one.isFrozen = true;
      return undefined;
    case 1:
      optimizer.unfreeze([one.name, other.name]);
      one.isFrozen = other.isFrozen = false;
      return undefined;
    case 2:
      if (there.length < 4) return undefined;
      optimizer.remove([one.name]);
      one.isThere = false;
      return undefined;
    case 3: {
      const [back] = gone;
      if (!back) return undefined;
      back.isThere = true;
      back.isFrozen = false;
      const options = random.integer(2) === 0 ? { lr: 0.5 } : {};
      optimizer.addGroupSync({ ...options, params: [parameterOf(back)] });
      return undefined;
    }
    case 4:
      optimizer.addGroupSync({ params: [...new Set([one.name, other.name])] });
      return undefined;
    case 5: {
      const rowCount = 1 + random.integer(ROOM);
      const from = Uint32Array.from({ length: rowCount }, (_, row) =>
        row < one.rowCount ? (random.integer(2) === 0 ? row : random.integer(one.rowCount)) : FRESH,
      );
      const isMoved = random.integer(2) === 0;
      if (isMoved) one.home = 1 - one.home;
      const { data, grad } = one.homes[one.home]!;
      one.rowCount = rowCount;
      const where = isMoved ? { data: { [one.name]: data }, grad: { [one.name]: grad } } : {};
      return optimizer.mapRows([one.name], { from, rowCount, ...where });
    }
    case 6:
      group.set({ weightDecay: random.pick([0, 0.1]), lr: random.pick([0.1, (step) => 1 / (step + 1)]) });
      return undefined;
    case 7: {
      const values = random.weights(one.rowCount * one.rowLength).map(Math.abs);
      if (random.integer(2) === 0) optimizer.writeState(one.name, 'exp_avg_sq', values);
      else optimizer.writeState(one.name, 'step', [random.integer(9)]);
      return undefined;
    }
    case 8: {
      const like = (tensor: Tensor) => tensor.rowCount * tensor.rowLength;
      if (one !== other && like(one) === like(other)) optimizer.copyState(one.name, other.name);
      else optimizer.resetState({ names: [one.name] });
      return undefined;
    }
    default:
      one.home = 1 - one.home;
      optimizer.rebind({ [one.name]: one.homes[one.home]! });
      return undefined;
  }
}

for (const settings of [{}, { skipNonFinite: true, ema: { decay: 0.5 } }] satisfies OptimizerSettings[]) {
  gpuTest(
    `a thousand changes leave nothing behind: ${JSON.stringify(settings)}`,
    async ({ device, track }) => {
      const random = new Random(inject('seed'));
      const tensors = makeTensors(device, track, random);
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
      // Who made the same steps shares what says so.
      optimizer.resetState();
      const frozen = tensors.filter(({ isThere, isFrozen }) => isThere && isFrozen).map(({ name }) => name);
      const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
      const shape = optimizer.groups.map(({ params }) => ({
        params: params.map((name) => parameterOf(byName.get(name)!)),
      }));
      const settle = async (each: Optimizer) => {
        each.unfreeze(frozen);
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
