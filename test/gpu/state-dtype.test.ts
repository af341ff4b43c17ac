/** State in fewer bits: every rule that may, wherever its tensors lie, and all that becomes of it. */
import { expect, inject } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  ParameterArena,
  ReferenceOptimizer,
  type Rule,
  type StateDtype,
  adagrad,
  adam,
  lamb,
  loadCheckpoint,
  rmsprop,
  saveCheckpoint,
  defineRule,
  option,
  sgd,
  signum,
} from '../../src/index.js';
import { readSafetensors } from '../../src/safetensors/index.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { withSettings } from '../../src/rules/rule.js';
import { bitDifference } from '../../proof/compare.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { checkParity } from '../../proof/parity.js';
import { checkTableParity } from '../../proof/table-parity.js';
import { Random } from '../../proof/random.js';
import { rounded, valuesByteLength } from '../../src/codecs/codec.js';
import { stateCodec } from '../../src/codecs/state-dtype.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { errorOf } from '../support/error-of.js';
import { FRESH, exactRule, makeLifePair } from '../support/life-pair.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';
import { checkTogether } from '../support/together.js';

const ROUNDED = ['bf16', 'int8', 'int4'] as const;
/** Elements that lie together: rows that are stepped one by one are multiples of it. */
const BLOCK = { bf16: 2, int8: 64, int4: 64 };
const LENGTHS = [1, 5, 64, 257, 4097];

const mayBeRounded = (rule: Rule): boolean => {
  return layoutOf(withSettings(rule, { stateDtype: 'bf16' })).stateForm.blockLength > 1;
};
/** Elsewhere codes may be others, where a number is in the middle between two. */
const isExact = (device: GPUDevice, dtype: StateDtype): boolean => dtype === 'bf16' || isSwiftShader(device);

const factories = ruleFactories.filter(([, factory]) => mayBeRounded(factory()));
const PLACES = [false, true].flatMap((oneBuffer) =>
  [0, 1, 2, 3].map((offset) => ({ oneBuffer, dataOffset: offset, gradOffset: (offset + 1) % 4 })),
);

for (const stateDtype of ROUNDED) {
  // By the seed: each compiles kernels of its own.
  gpuTest(
    `every rule that keeps state that may be rounded is stepped as its twin is: ${stateDtype}`,
    async ({ device, track }) => {
      expect(factories.map(([name]) => name)).toEqual(
        ruleFactories
          .map(([name]) => name)
          .filter((name) => !['sgd', 'adagrad', 'ftrl', 'scheduleFreeSgd'].includes(name)),
      );
      const cases = drawn(factories, 4).flatMap(([name, factory]) =>
        drawn(PLACES, 8).map((place) => ({ name, factory, place })),
      );
      await checkTogether(
        cases,
        ({ name, place }) => `${name} ${JSON.stringify(place)}`,
        async ({ factory, place: { oneBuffer, ...offsets } }) => {
          await checkParity({
            device,
            track,
            rule: factory(),
            averages: { ema: { decay: 0.5 } },
            stateDtype,
            layouts: LENGTHS.map((length) => ({ length, ...offsets })),
            oneBuffer,
            steps: 3,
            random: new Random(inject('seed')),
            boundedElements: 8,
          });
        },
      );
    },
  );
}

for (const stateDtype of ROUNDED) {
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

for (const stateDtype of ROUNDED) {
  gpuTest(
    `neighbours share no word of state, in one buffer or an arena: ${stateDtype}`,
    async ({ device, track }) => {
      if (!isExact(device, stateDtype)) return;
      const random = new Random(inject('seed'));
      const lengths = [5, 3, 4, 8, 7, 1];
      const total = lengths.reduce((sum, length) => sum + length, 0);
      const [weights, gradients] = [random.weights(total), random.gradients(total)];
      const [data, grad] = [makeBuffer(device, track, weights), makeBuffer(device, track, gradients)];
      const spec = Object.fromEntries(lengths.map((length, k) => [`p${k}`, { shape: [length] }]));
      const arena = track(await ParameterArena.create(device, spec));
      let first = 0;
      const firsts = lengths.map((length) => (first += length) - length);
      const own = (values: Float32Array<ArrayBuffer>, k: number) =>
        values.subarray(firsts[k], firsts[k]! + lengths[k]!);
      const together = lengths.map((length, k) => {
        const range = { offset: 4 * firsts[k]!, size: 4 * length };
        return { name: `p${k}`, data: { buffer: data, ...range }, grad: { buffer: grad, ...range } };
      });
      lengths.forEach((_, k) => {
        arena.load(`p${k}`, own(weights, k));
        const { buffer, offset } = arena.params[k]!.grad as Required<GPUBufferBinding>;
        device.queue.writeBuffer(buffer, offset, own(gradients, k));
      });
      const rule = exactRule(device, adam({ lr: 0.1 }));
      for (const params of [together, arena.params]) {
        const optimizer = track(await Optimizer.create(device, { rule, stateDtype, params }));
        const twin = new ReferenceOptimizer({
          rule,
          stateDtype,
          precision: 'f32',
          params: lengths.map((_, k) => ({ name: `p${k}`, data: own(weights, k).slice() })),
        });
        const all = lengths.map((_, k) => own(gradients, k));
        const slot = twin.stateDict().state['p1']!['exp_avg'] ? 'exp_avg' : 'momentum_buffer';
        for (const skip of [[], ['p1'], ['p0', 'p4'], []]) {
          optimizer.step({ skip });
          twin.step(all, { skip });
          optimizer.writeState('p1', slot, [1, 2, 3]);
          const dict = twin.stateDict();
          dict.state['p1']![slot] = Float32Array.of(1, 2, 3);
          twin.loadStateDict(dict);
        }
        const [got, want] = [await optimizer.stateDict(), twin.stateDict()];
        for (const [name, state] of Object.entries(want.state)) {
          for (const [each, values] of Object.entries(state))
            expect(
              bitDifference(got.state[name]![each]!, Float32Array.from(values)),
              `${each} of ${name}`,
            ).toBeUndefined();
          expect(
            bitDifference(await optimizer.readParam(name), Float32Array.from(twin.readParam(name))),
          ).toBeUndefined();
        }
      }
    },
  );
}

for (const stateDtype of ROUNDED) {
  gpuTest(
    `tables of rows of whole blocks are stepped by the rows that are named: ${stateDtype}`,
    async ({ device, track }) => {
      if (!isExact(device, stateDtype)) return;
      const rule = exactRule(device, adam({ lr: 0.1 }));
      for (const rowLength of [1, 3, 4].map((times) => times * BLOCK[stateDtype])) {
        const rowCount = 33;
        const indices = Uint32Array.of(0, 7, 8, 7, 32, 31);
        const values = Float32Array.from(
          { length: indices.length * rowLength },
          (_, k) => ((k * 7) % 13) / 8 - 0.5,
        );
        const weights = Float32Array.from({ length: rowCount * rowLength }, (_, k) => ((k * 5) % 11) / 4 - 1);
        const optimizer = track(
          await Optimizer.create(device, {
            rule,
            stateDtype,
            params: [
              {
                name: 'table',
                data: makeBuffer(device, track, weights),
                grad: {
                  indices: makeBuffer(device, track, new Float32Array(indices.buffer)),
                  values: makeBuffer(device, track, values),
                },
                rowLength,
              },
            ],
          }),
        );
        const twin = new ReferenceOptimizer({
          rule,
          stateDtype,
          precision: 'f32',
          params: [{ name: 'table', data: weights, rowLength }],
        });
        for (let step = 0; step < 3; step++) {
          optimizer.step();
          twin.step([{ indices, values }]);
        }
        expect(
          bitDifference(await optimizer.readParam('table'), Float32Array.from(twin.readParam('table'))),
        ).toBeUndefined();
        const [got, want] = [await optimizer.stateDict(), twin.stateDict()];
        for (const [slot, state] of Object.entries(want.state['table']!)) {
          expect(bitDifference(got.state['table']![slot]!, Float32Array.from(state)), slot).toBeUndefined();
        }
      }
    },
  );
}

const config = (
  make: (name: string, length: number) => NonNullable<OptimizerConfig['params']>[number],
  rule: Rule,
) => ({
  rule,
  params: [5, 64, 3].map((length, k) => make(`p${k}`, length)),
});

for (const stateDtype of ROUNDED) {
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

for (const stateDtype of ROUNDED) {
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

for (const stateDtype of ['int8', 'int4'] as const) {
  gpuTest(`numbers of any size, and none: ${stateDtype}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const special = [0, -0, NaN, Infinity, -Infinity, 2 ** -126, 2 ** -130, 1e-30, 1e30, 3e38, 1e-20, 1e-17];
    for (const rule of [adam(), rmsprop({ momentum: 0.9, centered: true })]) {
      await checkParity({
        device,
        track,
        rule,
        stateDtype,
        layouts: [7, 128, 2049].map((length) => ({ length, dataOffset: 0, gradOffset: 3 })),
        oneBuffer: false,
        ownBuffers: true,
        steps: 3,
        random,
        boundedElements: 0,
        // Blocks of each, and of many.
        makeGradients: (length, step) =>
          Float32Array.from({ length }, (_, i) =>
            Math.floor(i / 64) % 2 === step % 2 ? random.pick(special) : special[(i >> 7) % special.length]!,
          ),
      });
    }
  });

  gpuTest(`kernels of any shape have the same bits: ${stateDtype}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const [weights, gradients] = [random.weights(4_099), random.gradients(4_099)];
    const shapes = [
      {},
      { lanesPerInvocation: 1, consecutive: false },
      { workgroupSize: 3, lanesPerInvocation: 17 },
      { workgroupSize: 64, lanesPerInvocation: 256, consecutive: false },
    ];
    const dicts = shapes.map(async (kernel) => {
      const params = [makeParameter(device, track, 'w', weights, gradients)];
      const optimizer = track(await Optimizer.create(device, { rule: adam(), stateDtype, params, kernel }));
      for (let k = 0; k < 3; k++) optimizer.step();
      return optimizer.stateDict();
    });
    const [first, ...others] = (await Promise.all(dicts)).map(({ state }) => state['w']!);
    for (const other of others) {
      for (const slot of ['exp_avg', 'exp_avg_sq'])
        expect(bitDifference(other[slot]!, first![slot]!), slot).toBeUndefined();
    }
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

for (const stateDtype of ROUNDED) {
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

gpuTest('what it cannot be is refused, and says how it could', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', new Float32Array(9), new Float32Array(9));
  const create = (given: object) =>
    errorOf(() => Optimizer.create(device, { params: [param], ...given } as never));
  const cases: [object, string, string][] = [
    [
      { rule: adam(), stateDtype: 'f16' },
      'invalid-config',
      'stateDtype is "f16"; give "f32" or "bf16" or "int8" or "int4".',
    ],
    [{ rule: adam(), stateDtype: null }, 'invalid-config', 'stateDtype is null'],
    [{ rule: adam(), stateDtype: 'toString' }, 'invalid-config', 'stateDtype is "toString"'],
    [
      { rule: sgd(), stateDtype: 'bf16' },
      'invalid-config',
      'sgd keeps no state that may be rounded; leave it out',
    ],
    [{ rule: adagrad(), stateDtype: 'bf16' }, 'invalid-config', 'adagrad keeps no state that may be rounded'],
    [
      { rule: signum({ momentum: 0 }), stateDtype: 'bf16' },
      'invalid-config',
      'signum keeps no state that may',
    ],
    [
      { rule: adam(), stateDtype: 'bf16', params: [{ ...param, rowLength: 3, constraint: 'unit-rows' }] },
      'invalid-parameter',
      'has rows of 3 elements and constraint \'unit-rows\', which stateDtype "bf16" takes with rows of a multiple of 2 only',
    ],
    [
      {
        rule: adam(),
        stateDtype: 'bf16',
        params: [
          {
            name: 'cut',
            data: [
              makeBuffer(device, track, new Float32Array(5)),
              makeBuffer(device, track, new Float32Array(7)),
            ],
            grad: makeBuffer(device, track, new Float32Array(12)),
          },
        ],
      },
      'invalid-parameter',
      'parameter "cut" has a buffer for 5 of its elements, and stateDtype "bf16" keeps 4 together; cut it at multiples of 4',
    ],
  ];
  const params = [{ ...param, rowLength: 3 }];
  const mask = makeBuffer(device, track, new Float32Array(3));
  for (const stateDtype of ['int8', 'int4'] as const) {
    const pieces = [66, 62].map((length) => makeBuffer(device, track, new Float32Array(length)));
    const cut = { name: 'cut', data: pieces, grad: makeBuffer(device, track, new Float32Array(128)) };
    const only = `which stateDtype "${stateDtype}" takes with rows of a multiple of 64 only; pad the rows`;
    const refused: [object, string][] = [
      [{ ...params[0], rowMask: mask }, `has rows of 3 elements and a rowMask, ${only}`],
      [
        { ...params[0], constraint: 'unit-rows' },
        `has rows of 3 elements and constraint 'unit-rows', ${only}`,
      ],
      [
        { name: 't', data: param.data, rowLength: 3, grad: { indices: mask, values: param.grad } },
        `has rows of 3 elements and a sparse grad, ${only}`,
      ],
      [cut, `has a buffer for 66 of its elements, and stateDtype "${stateDtype}" keeps 64 together`],
    ];
    for (const [given, message] of refused)
      cases.push([{ rule: adam(), stateDtype, params: [given] }, 'invalid-parameter', message]);
  }
  for (const [given, code, message] of cases) {
    const error = await create(given);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  }
  expect(
    () =>
      new ReferenceOptimizer({ rule: sgd(), stateDtype: 'bf16', params: [{ data: new Float32Array(1) }] }),
  ).toThrow('sgd keeps no state that may be rounded');
  const optimizer = track(
    await Optimizer.create(device, { rule: adam(), stateDtype: 'bf16', params: [param] }),
  );
  // What rests has no place among the steps, and is asked for the same.
  for (const call of ['freeze', 'unfreeze'] as const) {
    optimizer[call](['w']);
    const data = [5, 4].map((length) => makeBuffer(device, track, new Float32Array(length)));
    expect((await errorOf(() => optimizer.rebind({ w: { data } }))).message).toContain('has a buffer for 5');
  }
  const table = {
    ...param,
    name: 'table',
    data: makeBuffer(device, track, new Float32Array(9)),
    rowLength: 3,
  };
  const mapped = track(await Optimizer.create(device, { rule: adam(), stateDtype: 'bf16', params: [table] }));
  const [data, grad] = [[9, 6], [15]].map((lengths) => ({
    table: lengths.map((length) => makeBuffer(device, track, new Float32Array(length))),
  }));
  const from = Uint32Array.of(0, 1, 2, FRESH, FRESH);
  const refused = await errorOf(() =>
    mapped.mapRows(['table'], { from, rowCount: 5, data: data!, grad: { table: grad!.table[0]! } }),
  );
  expect(refused.message).toContain('parameter "table" has a buffer for 9 of its elements');
  // Gradients do not say where state is cut, so that nothing else would notice.
  const cutWithin = { table: [3, 6].map((length) => makeBuffer(device, track, new Float32Array(length))) };
  const roomy = { table: makeBuffer(device, track, new Float32Array(15)) };
  const rows = { from: Uint32Array.of(0, 1, 2), rowCount: 3 };
  const ofGrad = await errorOf(() => mapped.mapRows(['table'], { ...rows, data: roomy, grad: cutWithin }));
  expect(ofGrad.message).toContain('parameter "table" has a buffer for 3 of its elements');
  mapped.step();
  expect(await mapped.readState('table', 'step')).toEqual(Float32Array.of(1));
  const given = Array.from({ length: 9 }, (_, k) => (k === 0 ? 3.4e38 : 0));
  expect((await errorOf(() => optimizer.writeState('w', 'exp_avg', given))).message).toContain(
    'value 0 is 3.4e+38; give a magnitude that bf16 holds',
  );
  expect([...(await optimizer.readState('w', 'exp_avg'))]).toEqual(given.map(() => 0));
});

gpuTest(
  'a checkpoint of as many blocks, but of another number of elements, is refused',
  async ({ device, track }) => {
    for (const stateDtype of ['int8', 'int4'] as const) {
      const params = [
        { ...makeParameter(device, track, 'w', new Float32Array(42), new Float32Array(42)), rowLength: 7 },
      ];
      const optimizer = track(await Optimizer.create(device, { rule: adam(), stateDtype, params }));
      const { bytes } = await saveCheckpoint(optimizer, 'bytes', { params: false });
      await loadCheckpoint(optimizer, bytes);
      await optimizer.mapRows(['w'], { from: Uint32Array.of(0, 1, 2), rowCount: 3 });
      const { code, message } = await errorOf(() => loadCheckpoint(optimizer, bytes));
      expect(code).toBe('invalid-state-dict');
      expect(message).toContain('the file has 42 elements in');
    }
  },
);
