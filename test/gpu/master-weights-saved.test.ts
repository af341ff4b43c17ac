/** More exact weights in checkpoints and state dicts. */
import { expect, inject } from 'vitest';
import { adam, lamb, loadCheckpoint, saveCheckpoint } from '../../src/index.js';
import { readSafetensors } from '../../src/safetensors/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { drawn } from '../support/draw.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeHalves, roundedTo } from '../support/halves.js';
import { exactRule } from '../support/life-pair.js';
import { KINDS, makePair, slotOf } from '../support/master-pair.js';

gpuTest('they are saved, and go on bit for bit', async ({ device, track }) => {
  for (const kind of drawn(KINDS, 1)) {
    const random = new Random(inject('seed'));
    const tensors = { a: random.weights(5), b: random.weights(257) };
    const settings = { rule: lamb(), ema: { decay: 0.5 }, stateDtype: 'int8' as const };
    const make = () => makePair(device, track, kind, tensors, settings);
    const one = await make();
    for (let k = 0; k < 3; k++) one.step();
    const { bytes } = await saveCheckpoint(one.optimizer, 'bytes');
    const dict = await one.optimizer.stateDict();
    const file = await readSafetensors(bytes);
    expect(file.tensors.get(`state.b.${slotOf(kind)}`)).toMatchObject({
      dtype: kind.masterWeights === 'f32' ? 'F32' : 'U8',
      byteLength: kind.masterWeights === 'f32' ? 4 * 257 : 257,
    });
    const two = await make();
    two.step();
    await loadCheckpoint(two.optimizer, bytes);
    const three = await make();
    for (const name of ['a', 'b'] as const) {
      const halves = makeHalves(device, track, kind.dtype, await one.optimizer.readParam(name));
      three.optimizer.rebind({ [name]: { data: halves } });
    }
    await three.optimizer.loadStateDict(dict);
    for (const each of [one, two, three]) each.optimizer.step();
    const want = await one.optimizer.stateDict();
    for (const each of [two, three]) {
      const got = await each.optimizer.stateDict();
      for (const name of ['a', 'b'])
        for (const [slot, values] of Object.entries(want.state[name]!))
          expect(bitDifference(got.state[name]![slot]!, values), `${slot} of ${name}`).toBeUndefined();
    }
  }
});

gpuTest(
  'a dict of others is loaded by names alone, and weights are what lies there',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const tensors = { a: random.weights(6) };
    const rule = exactRule(device, adam({ lr: 0.01 }));
    const kinds = [KINDS[1], KINDS[2]];
    for (const kind of kinds) {
      const own = await makePair(device, track, kind, tensors, { rule });
      const other = await makePair(
        device,
        track,
        kinds.find((each) => each !== kind)!,
        tensors,
        { rule },
      );
      for (let k = 0; k < 3; k++) {
        own.step();
        other.step();
      }
      const dict = await other.optimizer.stateDict();
      const before = await own.optimizer.readParam('a');
      expect((await errorOf(() => own.optimizer.loadStateDict(dict))).message).toContain(
        `lacks "${slotOf(kind)}"`,
      );
      expect((await errorOf(() => own.twin.loadStateDict(dict))).message).toContain(
        `lacks "${slotOf(kind)}"`,
      );
      expect(await own.optimizer.loadStateDict(dict, { strict: false })).toMatchObject({ loaded: ['a'] });
      own.twin.loadStateDict(dict, { strict: false });
      expect(await own.optimizer.readState('a', slotOf(kind))).toEqual(new Float32Array(6));
      await own.compare('loaded');
      expect(bitDifference(await own.optimizer.readParam('a'), before)).toBeUndefined();
      own.step();
      await own.compare('stepped');
    }
  },
);

gpuTest(
  'copies that are rounded otherwise are refused, for they would lose them',
  async ({ device, track }) => {
    const tensors = { a: new Random(inject('seed')).weights(130) };
    const settings = { rule: adam({ lr: 0.01 }) };
    const [f16, bf16] = KINDS;
    for (const [from, to] of [
      [f16, bf16],
      [bf16, f16],
    ] as const) {
      const one = await makePair(device, track, from, tensors, settings);
      for (let k = 0; k < 3; k++) one.step();
      const { bytes } = await saveCheckpoint(one.optimizer, 'bytes');
      const two = await makePair(device, track, to, tensors, settings);
      two.step();
      const error = await errorOf(() => loadCheckpoint(two.optimizer, bytes));
      expect(error).toMatchObject({ code: 'invalid-state-dict' });
      expect(error.message).toBe(
        `weights of parameter "a" are "${from.dtype}" in the file and "${to.dtype}" here, where its "master" would be lost; use dtype ` +
          `"${from.dtype}", or load them as they are rounded, with { strict: false }.`,
      );
      await two.compare('nothing has changed');
      await loadCheckpoint(two.optimizer, bytes, { strict: false });
      const copies = roundedTo(to.dtype, await one.optimizer.readParam('a'));
      expect(bitDifference(await two.optimizer.readParam('a'), copies)).toBeUndefined();
      // Without weights it is those in place that count.
      const state = await saveCheckpoint(one.optimizer, 'bytes', { params: false });
      await loadCheckpoint(two.optimizer, state.bytes);
    }
  },
);
