/** What becomes of state in fewer bits: rows that move and rest, dicts and checkpoints, evaluation, copies. */
import { expect, inject } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  type Rule,
  adam,
  lamb,
  loadCheckpoint,
  saveCheckpoint,
  defineRule,
  option,
  rmsprop,
} from '../../src/index.js';
import { readSafetensors } from '../../src/safetensors/index.js';
import { bitDifference } from '../../proof/compare.js';
import { checkTableParity } from '../../proof/table-parity.js';
import { Random } from '../../proof/random.js';
import { rounded, valuesByteLength } from '../../src/codecs/codec.js';
import { stateCodec } from '../../src/codecs/state-dtype.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { FRESH, exactRule, makeLifePair } from '../support/life-pair.js';
import { BLOCK, ROUNDED, isExact } from '../support/state-dtypes.js';
import { makeParameter } from '../support/tensors.js';

const config = (
  make: (name: string, length: number) => NonNullable<OptimizerConfig['params']>[number],
  rule: Rule,
) => ({
  rule,
  params: [5, 64, 3].map((length, k) => make(`p${k}`, length)),
});

for (const stateDtype of drawn(ROUNDED, 1)) {
  gpuTest(
    `rows move, are reset and rest, of whatever length they are: ${stateDtype}`,
    async ({ device, track }) => {
      if (!isExact(device, stateDtype)) return;
      const random = new Random(inject('seed'));
      const groups = [
        [1, 2, 3, 5, 8, 59].map((rowLength) => ({
          name: `w${rowLength}`,
          rowLength,
          rowCount: 37,
          room: 90,
        })),
        [
          { name: 'other', rowLength: 3, rowCount: 5, room: 5 },
          { name: 'apart', rowLength: 1, rowCount: 37, room: 64 },
        ],
      ];
      const settings = { stateDtype, ema: { decay: 0.5 }, skipNonFinite: true };
      const pair = await makeLifePair(
        device,
        track,
        random,
        exactRule(device, adam({ lr: 0.1 })),
        groups,
        settings,
      );
      const names = ['apart', ...groups[0]!.map(({ name }) => name)];
      pair.step();
      pair.step(['w3']);
      const maps: [Uint32Array<ArrayBuffer>, object][] = [
        [Uint32Array.from({ length: 41 }, (_, k) => (k < 37 ? 36 - k : FRESH)), {}],
        [Uint32Array.from({ length: 64 }, () => random.integer(41)), { elsewhere: true }],
        [
          Uint32Array.from({ length: 21 }, (_, k) => (k === 3 ? 2 ** 31 : random.integer(80))),
          { onGpu: true },
        ],
        [Uint32Array.of(FRESH, 3, 2), { onGpu: true, elsewhere: true }],
        [Uint32Array.of(0, 1, 2, FRESH, FRESH), {}],
        [Uint32Array.of(0, 1, 2), {}],
      ];
      const pending: Promise<void>[] = [];
      for (const [map, options] of maps) {
        pending.push(pair.map(names, map, options));
        pair.step();
        pair.step(['other', 'w59']);
      }
      await pair.compare('behind maps');
      await Promise.all(pending);
      const before = await pair.optimizer.stateDict();
      const slot = Object.keys(before.state['w3']!).find((name) => name !== 'ema')!;
      pair.optimizer.resetState({ names: ['w3', 'w1', 'other'], slots: [slot], rows: [1] });
      const after = await pair.optimizer.stateDict();
      for (const [name, rowLength] of [
        ['w3', 3],
        ['w1', 1],
        ['other', 3],
        ['w5', 0],
      ] as const) {
        const want = rounded(
          stateCodec(stateDtype),
          before.state[name]![slot]!.slice().fill(0, rowLength, 2 * rowLength),
        );
        expect(bitDifference(after.state[name]![slot]!, want), name).toBeUndefined();
      }
    },
  );
}

for (const stateDtype of drawn(ROUNDED, 1)) {
  gpuTest(
    `what does not start at 0 does so to its last element, and again when it is reset: ${stateDtype}`,
    async ({ device, track }) => {
      // Between two numbers of any of them, but where it is the largest of a block.
      const start = 0.3;
      const rule = rmsprop({ initialAccumulator: start });
      const lengths = [1, 65, 257];
      const params = lengths.map((length) =>
        makeParameter(
          device,
          track,
          `w${length}`,
          new Float32Array(length),
          new Float32Array(length).fill(1),
        ),
      );
      const optimizer = track(await Optimizer.create(device, { rule, stateDtype, params }));
      const expectStart = async (what: string): Promise<void> => {
        for (const length of lengths) {
          const want = rounded(stateCodec(stateDtype, true), new Float32Array(length).fill(start));
          const got = await optimizer.readState(`w${length}`, 'square_avg');
          expect(bitDifference(got, want), `${what}: ${length}`).toBeUndefined();
        }
      };
      await expectStart('at first');
      optimizer.step();
      optimizer.resetState({ slots: ['square_avg'] });
      await expectStart('reset');
    },
  );
}

for (const stateDtype of drawn(ROUNDED, 1)) {
  gpuTest(
    `is saved in its own bits, and resumed in these, in more or in fewer: ${stateDtype}`,
    async ({ device, track }) => {
      if (!isExact(device, stateDtype)) return;
      const random = new Random(inject('seed'));
      for (const rule of [adam({ lr: 0.1 }), lamb()]) {
        const held = [5, 64, 3].map((length) => [random.weights(length), random.gradients(length)] as const);
        const make = async (settings: object) =>
          track(
            await Optimizer.create(device, {
              ...config((name) => makeParameter(device, track, name, ...held[Number(name[1])]!), rule),
              ...settings,
            }),
          );
        const run = await make({ stateDtype });
        for (let k = 0; k < 3; k++) run.step();
        const saved = saveCheckpoint(run, 'bytes');
        const dict = run.stateDict();
        run.step();
        const { bytes } = await saved;
        const file = await readSafetensors(bytes);
        const dtypes = [...file.tensors.values()].map(({ name, dtype }) => `${name} ${dtype}`);
        expect(
          dtypes
            .filter((one) => one.startsWith('state'))
            .every((one) => one.endsWith(stateDtype === 'bf16' ? ' BF16' : ' U8')),
        ).toBe(true);
        expect(dtypes.filter((one) => one.startsWith('param')).every((one) => one.endsWith(' F32'))).toBe(
          true,
        );
        const again = await make({ stateDtype });
        await loadCheckpoint(again, bytes);
        again.step();
        for (const name of ['p0', 'p1', 'p2']) {
          expect(bitDifference(await again.readParam(name), await run.readParam(name)), name).toBeUndefined();
          expect(
            bitDifference(await again.readState(name, 'exp_avg'), await run.readState(name, 'exp_avg')),
          ).toBeUndefined();
        }
        // In more bits it is what it was; from there back, too.
        const wide = await make({});
        await loadCheckpoint(wide, bytes);
        expect((await wide.stateDict()).state).toEqual((await dict).state);
        const { bytes: wideBytes } = await saveCheckpoint(wide, 'bytes');
        const narrow = await make({ stateDtype });
        await loadCheckpoint(narrow, wideBytes);
        expect((await narrow.stateDict()).state).toEqual((await dict).state);
        // What is given is rounded where it does not fit.
        const given = Float32Array.of(1, 1.003_90625, 1.011_71875, NaN, -1e30);
        for (const values of [given, given.slice().fill(-0.5, 3, 4)]) {
          narrow.writeState('p0', 'exp_avg', values);
          const kept = rounded(stateCodec(stateDtype), values.slice());
          expect(bitDifference(await narrow.readState('p0', 'exp_avg'), kept)).toBeUndefined();
        }
        const lengths = held.map(([weights]) => weights.length);
        const ofSlots = lengths.map((length) => 2 * valuesByteLength(stateCodec(stateDtype), length));
        expect(run.stateByteLength).toBe(ofSlots.reduce((sum, each) => sum + each, 0));
      }
    },
  );
}

for (const stateDtype of drawn(ROUNDED, 1)) {
  gpuTest(`rows rest, lie apart, and have rates of their own: ${stateDtype}`, async ({ device, track }) => {
    const block = BLOCK[stateDtype];
    const tables = [
      { rowLength: block, masked: 0.4, isScaled: true, constraint: 'unit-rows' as const },
      { rowLength: 2 * block, dataGap: 1, gradGap: 2, masked: 0.4, constraint: { max: 0.5 } },
      { rowLength: 7, dataGap: 1, isScaled: true, constraint: { min: -0.5 } },
      { rowLength: 3, gradGap: 0 },
    ];
    await checkTableParity({
      device,
      track,
      rule: adam({ lr: 0.1 }),
      stateDtype,
      tables,
      rowCount: 37,
      oneBuffer: true,
      averages: { ema: { decay: 0.5 } },
      steps: 4,
      random: new Random(inject('seed')),
    });
  });
}

gpuTest('what is evaluated with stays float32', async ({ device, track }) => {
  const rule = defineRule({
    name: 'offset',
    wgsl: `fn prepare() {}
fn update(w: lane, g: lane) -> lane {
  offset = offset + lane(0.1);
  speed = speed + g;
  return w;
}`,
    options: option.common(0.1),
    slots: [{ name: 'offset' }, { name: 'speed' }],
    evaluation: { slot: 'offset', share: () => 1 },
    scalars: () => ({}),
    reference: (f, { w, g, s }) => {
      s.offset = f.add(s.offset, f.scalar(0.1));
      s.speed = f.add(s.speed, g);
      return w;
    },
  });
  const params = [makeParameter(device, track, 'w', [1, 2, 3], [1, 1, 1])];
  const optimizer = track(await Optimizer.create(device, { rule: rule(), stateDtype: 'bf16', params }));
  optimizer.step();
  optimizer.eval();
  expect([...(await optimizer.readParam('w'))]).toEqual(
    [1, 2, 3].map((w) => Math.fround(w + Math.fround(0.1))),
  );
  expect(optimizer.stateByteLength).toBe(3 * 4 + 3 * 2);
});

for (const stateDtype of drawn(ROUNDED, 1)) {
  gpuTest(`copies go from one parameter to another: ${stateDtype}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const optimizer = track(
      await Optimizer.create(device, {
        ...config(
          (name) => makeParameter(device, track, name, random.weights(7), random.gradients(7)),
          adam(),
        ),
        stateDtype,
      }),
    );
    optimizer.step();
    optimizer.copyState('p0', 'p2');
    const [from, to, other] = await Promise.all(
      ['p0', 'p2', 'p1'].map((name) => optimizer.readState(name, 'exp_avg')),
    );
    expect(bitDifference(to!, from!)).toBeUndefined();
    expect(bitDifference(other!, from!)).toBeDefined();
  });
}
