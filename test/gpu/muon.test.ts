/** Muon in a run: with what an optimizer can do beside its steps. */
import { expect, inject } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  ParameterArena,
  ReferenceOptimizer,
  type Rule,
  adam,
  loadCheckpoint,
  muon,
  saveCheckpoint,
} from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeBuffer } from '../support/tensors.js';
import { makeWords } from '../support/sparse-run.js';

const SHAPES = [
  [4, 6],
  [6, 4],
  [4, 6],
  [5, 3],
  [3, 2, 2],
] as const;

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/** Matrices and their twins, and how to give them gradients. */
function makeMatrices(device: GPUDevice, track: Track, random: Random) {
  return SHAPES.map((shape, k) => {
    const weights = random.weights(sizeOf(shape));
    const grad = makeBuffer(device, track, weights);
    return {
      parameter: { name: `w${k}`, shape: [...shape], data: makeBuffer(device, track, weights), grad },
      twin: { name: `w${k}`, shape: [...shape], data: weights.slice() },
      upload: (values: Float32Array<ArrayBuffer>) => device.queue.writeBuffer(grad, 0, values),
    };
  });
}

type Settings = Omit<OptimizerConfig, 'rule' | 'params' | 'groups'>;

/** An optimizer, its twin, and a step of both with gradients that are drawn. */
async function makePair(device: GPUDevice, track: Track, rule: Rule, settings: Settings = {}) {
  const random = new Random(inject('seed'));
  const matrices = makeMatrices(device, track, random);
  const params = matrices.map(({ parameter }) => parameter);
  const optimizer = track(await Optimizer.create(device, { rule, ...settings, params }));
  const twin = new ReferenceOptimizer({
    rule,
    ...(settings as object),
    precision: 'f32',
    params: matrices.map((matrix) => matrix.twin),
  });
  const step = (skip: string[] = [], change: (values: Float32Array) => void = () => {}): void => {
    const gradients = matrices.map(({ parameter }) => random.weights(sizeOf(parameter.shape)));
    for (const values of gradients) change(values);
    matrices.forEach(({ upload }, k) => upload(gradients[k]!));
    optimizer.step({ skip });
    twin.step(gradients, { skip });
  };
  const check = async (what: string): Promise<void> => {
    for (const { parameter } of matrices) {
      for (const slot of ['momentum_buffer', undefined]) {
        const [got, want] =
          slot === undefined
            ? [await optimizer.readParam(parameter.name), twin.readParam(parameter.name)]
            : [await optimizer.readState(parameter.name, slot), twin.readState(parameter.name, slot)];
        const text = `${what}: ${slot ?? 'weights'} of ${parameter.name}`;
        if (isSwiftShader(device)) {
          expect(bitDifference(got, Float32Array.from(want)), text).toBeUndefined();
        } else {
          // Two correct runs part by what their iterations make of rounding.
          got.forEach((value, i) => expect(Math.abs(value - want[i]!), text).toBeLessThan(1e-3));
        }
      }
    }
  };
  return { random, matrices, params, optimizer, twin, step, check };
}

gpuTest('freezing, leaving out, schedules and options that change', async ({ device, track }) => {
  const rule = muon({
    lr: (step) => 0.1 / (step + 1),
    weightDecay: 0.2,
    momentum: (step) => 0.9 - 0.1 * (step % 2),
  });
  const { optimizer, twin, step, check } = await makePair(device, track, rule);
  step();
  step(['w0', 'w3']);
  await check('left out');
  optimizer.freeze(['w1']);
  step(['w2']);
  optimizer.unfreeze(['w1']);
  // The twin knows no freezing: it leaves out.
  expect(bitDifference(await optimizer.readState('w0', 'step'), Float32Array.of(2))).toBeUndefined();
  optimizer.destroy();
  const other = await makePair(device, track, muon({ lr: 0.1 }));
  other.step();
  for (const change of [
    { nsSteps: 3 },
    { nsCoefficients: [2, -1.5, 0.5] as const },
    { adjustLrFn: 'match_rms_adamw' as const, rmsScale: 0.3 },
    { eps: 0.5, epsPlacement: 'sum' as const },
    { nesterov: false },
    { momentum: 0.5, maximize: true },
  ]) {
    other.optimizer.groups[0]!.set(change);
    other.twin.groups[0]!.set(change);
    other.step();
    await other.check(JSON.stringify(change));
  }
  void twin;
});

gpuTest(
  'steps that are skipped leave momentum as it is; clipping and scaling come first',
  async ({ device, track }) => {
    const { step, check, optimizer } = await makePair(device, track, muon({ lr: 0.1 }), {
      skipNonFinite: true,
      maxGradValue: 0.5,
      gradScale: 0.25,
    });
    step();
    step([], (values) => (values[1] = NaN));
    await check('skipped');
    step();
    await check('after it');
    expect((await optimizer.stats()).skipped).toBe(1);
    const clipped = await makePair(device, track, muon({ lr: 0.1 }), { maxGradNormPerTensor: 0.5 });
    clipped.step();
    clipped.step();
    await clipped.check('clipped one by one');
  },
);

gpuTest('averages, resuming, copies of state, and buffers that are others', async ({ device, track }) => {
  const pair = await makePair(device, track, muon({ lr: 0.1 }), { ema: { decay: 0.9 } });
  const { optimizer, twin, matrices, params } = pair;
  pair.step();
  pair.step();
  optimizer.eval();
  twin.eval();
  await pair.check('evaluating');
  optimizer.train();
  twin.train();
  const dict = await optimizer.stateDict();
  const saved = await saveCheckpoint(optimizer, 'bytes');
  const weights = await Promise.all(params.map(({ name }) => optimizer.readParam(name)));
  const data = weights.map((values) => makeBuffer(device, track, values));
  const resumed = track(
    await Optimizer.create(device, {
      rule: muon({ lr: 0.1 }),
      ema: { decay: 0.9 },
      params: params.map((parameter, k) => ({ ...parameter, data: data[k]! })),
    }),
  );
  await resumed.loadStateDict(dict);
  pair.step();
  resumed.step();
  for (const { name } of params)
    expect(
      bitDifference(await resumed.readParam(name), await optimizer.readParam(name)),
      name,
    ).toBeUndefined();
  await loadCheckpoint(resumed, saved.bytes);
  for (const [k, { name }] of params.entries())
    expect(bitDifference(await resumed.readParam(name), weights[k]!), name).toBeUndefined();
  // Of the same shape.
  optimizer.copyState('w0', 'w2');
  expect(
    bitDifference(
      await optimizer.readState('w2', 'momentum_buffer'),
      await optimizer.readState('w0', 'momentum_buffer'),
    ),
  ).toBeUndefined();
  const moved = makeBuffer(device, track, await optimizer.readParam('w1'));
  const grad = makeBuffer(device, track, new Float32Array(24).fill(1));
  const before = await optimizer.readParam('w1');
  optimizer.rebind({ w1: { data: moved, grad } });
  optimizer.step();
  expect(bitDifference(await optimizer.readParam('w1'), before)).toBeDefined();
  void matrices;
});

gpuTest('rows that lie apart, rates per column, and weights with limits', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const [rows, columns] = [5, 3];
  const weights = random.weights(15);
  // In a buffer of structs of five numbers, of which weights are three, and gradients in one of four.
  const spread = (values: Float32Array, width: number) => {
    const whole = new Float32Array(rows * width);
    for (let row = 0; row < rows; row++)
      whole.set(values.subarray(columns * row, columns * (row + 1)), width * row);
    return makeBuffer(device, track, whole);
  };
  const about = { name: 'w', shape: [rows, columns], rowLength: columns, lrPerColumn: [1, 0.5, 2] };
  const constraint = { min: -0.6, max: 0.7 };
  const data = spread(weights, 5);
  const twin = new ReferenceOptimizer({
    rule: muon({ lr: 0.1 }),
    precision: 'f32',
    params: [{ ...about, constraint, data: weights }],
  });
  const gradient = random.weights(15);
  const grad = spread(gradient, 4);
  const optimizer = track(
    await Optimizer.create(device, {
      rule: muon({ lr: 0.1 }),
      params: [
        {
          ...about,
          constraint,
          data: { buffer: data, byteStride: 20 },
          grad: { buffer: grad, byteStride: 16 },
        },
      ],
    }),
  );
  for (let step = 0; step < 4; step++) {
    optimizer.step();
    twin.step([gradient]);
  }
  const got = await optimizer.readParam('w');
  if (isSwiftShader(device)) expect(bitDifference(got, weights)).toBeUndefined();
  got.forEach((value, i) => expect(Math.abs(value - weights[i]!)).toBeLessThan(1e-3));
});

gpuTest('zeros, and matrices of one element', async ({ device, track }) => {
  const data = makeBuffer(device, track, [1, 2, 3, 4]);
  const grad = makeBuffer(device, track, [0, 0, 0, 0]);
  const one = {
    name: 'one',
    shape: [1, 1],
    data: makeBuffer(device, track, [1]),
    grad: makeBuffer(device, track, [-7]),
  };
  const optimizer = track(
    await Optimizer.create(device, {
      rule: muon({ lr: 0.5, weightDecay: 0, nsCoefficients: [2, -1.5, 0.5], nsSteps: 20 }),
      params: [{ name: 'w', shape: [2, 2], data, grad }, one],
    }),
  );
  optimizer.step();
  expect([...(await optimizer.readParam('w'))]).toEqual([1, 2, 3, 4]);
  expect((await optimizer.readParam('one'))[0]).toBeCloseTo(1.5, 5);
});

gpuTest('an arena, and groups', async ({ device, track }) => {
  const arena = track(
    await ParameterArena.create(device, {
      a: { shape: [8, 4], init: 'normal', group: 'one' },
      b: { shape: [4, 8], init: 'normal', group: 'two' },
      c: { shape: [8, 4], init: 'normal', group: 'one' },
    }),
  );
  const random = new Random(inject('seed'));
  for (const { grad } of arena.params) {
    const { buffer, offset = 0 } = grad as GPUBufferBinding;
    device.queue.writeBuffer(buffer, offset, random.weights(32));
  }
  const before = await arena.read('a');
  const optimizer = track(
    await Optimizer.create(device, { rule: muon(), groups: arena.groups({ two: { lr: 0 } }) }),
  );
  const still = await arena.read('b');
  optimizer.step();
  expect(bitDifference(await arena.read('a'), before)).toBeDefined();
  expect(bitDifference(await arena.read('b'), still)).toBeUndefined();
  await optimizer.addGroup({ lr: 0.5, params: ['a'] });
  optimizer.step();
  optimizer.removeGroup(optimizer.groups[1]!);
  optimizer.step();
});

gpuTest('what is no matrix is refused, with the remedy', async ({ device, track }) => {
  const buffer = (length: number) => makeBuffer(device, track, new Float32Array(length));
  const base = { name: 'w', data: buffer(6), grad: buffer(6) };
  const create = (parameter: object, rule: Rule = muon()) =>
    errorOf(() => Optimizer.create(device, { rule, params: [{ ...base, ...parameter }] }));
  for (const [parameter, message] of [
    [{}, 'parameter "w" has no shape, and muon steps matrices; give shape: [rows, columns]'],
    [{ shape: [6] }, 'has the shape [6], and muon steps matrices; give two or more axes'],
    [{ shape: [2, 2] }, 'shape is [2, 2]; give the lengths of its axes, integers ≥ 1 whose product is 6'],
    [{ shape: [2, 3.5] }, 'shape is [2, 3.5]; give the lengths of its axes, integers ≥ 1'],
    [{ shape: 'wide' }, 'shape is "wide"; give the lengths of its axes'],
    [{ shape: [2, 3], rowLength: 3, rowMask: buffer(2) }, 'has a rowMask, and muon steps whole matrices'],
    [
      { shape: [2, 3], rowLength: 3, grad: { indices: makeWords(device, track, [1]), values: buffer(3) } },
      'has a sparse gradient, and muon steps whole matrices',
    ],
  ] as const) {
    const error = await create(parameter);
    expect(error.code).toBe('invalid-parameter');
    expect(error.message).toContain(message);
  }
  expect((await create({ shape: [7] }, adam())).message).toContain(
    'shape is [7]; give the lengths of its axes, integers ≥ 1 whose product is 6',
  );
  const optimizer = track(
    await Optimizer.create(device, { rule: muon(), params: [{ ...base, shape: [2, 3], rowLength: 3 }] }),
  );
  const mapped = await errorOf(() => optimizer.mapRows(['w'], { from: Uint32Array.of(0), rowCount: 1 }));
  expect(mapped.message).toContain('a matrix that muon steps as a whole');
  const { maxStorageBufferBindingSize } = device.limits;
  const half = maxStorageBufferBindingSize / 2;
  const pieces = (role: string) => {
    const whole = track(
      device.createBuffer({ label: role, size: 2 * half + 1024, usage: GPUBufferUsage.STORAGE }),
    );
    return [
      { buffer: whole, offset: 0, size: half },
      { buffer: whole, offset: half, size: half + 1024 },
    ];
  };
  if (2 * half + 1024 <= device.limits.maxBufferSize) {
    const large = await create({
      data: pieces('data'),
      grad: pieces('grad'),
      shape: [256, (2 * half + 1024) / 1024],
    });
    expect(large.code).toBe('limit-exceeded');
    expect(large.message).toContain('requiredLimits.maxStorageBufferBindingSize');
  }
});

gpuTest('options that are none', () => {
  for (const [options, message] of [
    [{ nsSteps: 0 }, 'muon: nsSteps is 0; give an integer from 1 to 99'],
    [{ nsSteps: 100 }, 'muon: nsSteps is 100; give an integer from 1 to 99'],
    [{ eps: 0 }, 'muon: eps is 0'],
    [
      { nsCoefficients: [1, 2] },
      'muon: nsCoefficients is [1, 2]; give three finite numbers [a, b, c], or a list',
    ],
    [
      {
        nsCoefficients: [
          [1, 2, 3],
          [1, 2],
        ],
      },
      'muon: nsCoefficients is [[1, 2, 3], [1, 2]]',
    ],
    [
      {
        nsCoefficients: [
          [1, 2, 3],
          [1, 2, 3],
        ],
        nsSteps: 1,
      },
      'has 2 triples and nsSteps is 1',
    ],
    [{ nsCoefficients: [1e39, 1, 1] }, 'float32'],
    [{ nsCoefficients: [[1e-46, 1, 1]] }, 'float32'],
    [{ weightDecayMode: 'l2' }, 'muon: weightDecayMode is "l2"; give one of "decoupled", "raw"'],
    [{ adjustLrFn: 'rms' }, 'muon: adjustLrFn is "rms"'],
  ] as const) {
    expect(() => muon(options as never)).toThrow(message);
  }
});
