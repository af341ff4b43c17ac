import { expect, inject } from 'vitest';
import { Random } from '../../proof/random.js';
import { Optimizer, sgd } from '../../src/index.js';
import {
  type Compress,
  OuterOptimizer,
  ReferenceOuterOptimizer,
  averageDeltas,
  inspectDelta,
  nesterov,
} from '../../src/outer/index.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { differingByte, makeOuterPair } from '../support/outer-pair.js';
import { makeParameter } from '../support/tensors.js';

// Heavy ball would move by ηΔ at first.
gpuTest(
  'the first outer step of a constant delta is η(1+β)Δ, as Nesterov has it',
  async ({ device, track }) => {
    const params = [makeParameter(device, track, 'w', [1, 2], [0.5, -1])];
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 1 }), params }));
    const rule = nesterov({ lr: 0.5, momentum: 0.5 });
    const outer = track(await OuterOptimizer.create(optimizer, { every: 1, rule }));
    expect(outer.isDue).toBe(false);
    optimizer.step();
    expect(outer.isDue).toBe(true);
    const delta = await outer.delta({ samples: 3, peer: 'a' });
    const summary = await inspectDelta(delta);
    expect(summary).toMatchObject({
      round: 0,
      samples: 3,
      peer: 'a',
      elementCount: 2,
      norm: Math.hypot(0.5, 1),
    });
    await outer.apply(await averageDeltas([delta]));
    expect([...(await optimizer.readParam('w'))]).toEqual([1 - 0.75 * 0.5, 2 + 0.75]);
    expect(outer.round).toBe(1);
    optimizer.step();
    await outer.apply([await outer.delta()]);
    // m = 0.5·m + Δ = 1.5Δ; the step is η(Δ + βm) = 0.5·1.75Δ.
    expect([...(await optimizer.readParam('w'))]).toEqual([1 - 0.375 - 0.875 * 0.5, 2 + 0.75 + 0.875]);
  },
);

/** What has the same bits on every adapter that tests run on: no division, no root. */
const EVERYWHERE: readonly Compress[] = ['none', 'bf16', { topK: 0.25, bits: 32 }];
const SWIFTSHADER: readonly Compress[] = [
  { topK: 64, bits: 2 },
  { topK: 1, bits: 4 },
  { topK: 2048, bits: 8 },
  { topK: 0.01, bits: 16 },
];

const SIZES = [1, 3, 4, 5, 63, 64, 65, 255, 256, 257, 1023, 4095, 4096, 4097, 9000];

const isExact = inject('runtime') !== 'firefox';

const formats: readonly Compress[] = isExact ? [...EVERYWHERE, 'int8', ...drawn(SWIFTSHADER, 2)] : EVERYWHERE;
for (const compress of formats) {
  gpuTest(
    `deltas, anchors and weights have the twin's bits: ${JSON.stringify(compress)}`,
    async ({ device, track }) => {
      const random = new Random(inject('seed'));
      const dtype = random.pick(['f32', 'f32', 'f16', 'bf16'] as const);
      const gap = random.pick([undefined, 0, 1, 3]);
      const options = { sizes: SIZES, dtype, compress, ...(gap !== undefined && { gap }) };
      const pair = await makeOuterPair(device, track, random, options);
      const { outer, twin } = pair;
      // Another peer, on the CPU alone, of the same anchor.
      const others = SIZES.map((elementCount, k) => ({
        name: `w${k}`,
        data: new Float32Array(elementCount),
      }));
      const other = new ReferenceOuterOptimizer(others, { every: 1, compress });
      await other.loadSnapshot(await twin.snapshot());
      for (const kind of ['goes on', 'silent', 'too late', 'again'] as const) {
        const what = `${dtype}, gap ${gap}, ${kind}`;
        await pair.train(random);
        for (const { data } of others) data.forEach((value, k) => (data[k] = value + random.uniform() - 0.5));
        const peers = [await other.delta({ samples: random.integer(100) + 1, peer: 'other' })];
        const give = async (): Promise<Uint8Array<ArrayBuffer>> => {
          const given = { samples: 1 + random.integer(100), peer: 'own' };
          const [own, wanted] = await Promise.all([outer.delta(given), twin.delta(given)]);
          expect(differingByte(own, wanted), what).toBeUndefined();
          return own;
        };
        if (kind !== 'silent') {
          let own = await give();
          if (kind === 'goes on' || kind === 'again') await pair.train(random);
          if (kind === 'again') own = await give();
          if (kind !== 'too late') peers.push(own);
        }
        await Promise.all([outer.apply(peers), twin.apply(peers.toReversed()), other.apply(peers)]);
        expect(await pair.difference(), what).toBeUndefined();
        const [snapshot, wanted] = await Promise.all([outer.snapshot(), twin.snapshot()]);
        expect(differingByte(snapshot, wanted), what).toBeUndefined();
        expect(differingByte(await other.snapshot(), wanted), what).toBeUndefined();
      }
    },
  );
}
