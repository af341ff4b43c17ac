import {
  type Array as JaxArray,
  defaultDevice,
  grad,
  init,
  jit,
  nn,
  numpy,
  tree,
  valueAndGrad,
} from '@jax-js/jax';
import { expect, inject, vi } from 'vitest';
import {
  type FusedOptimizer,
  applyUpdates,
  fusedOptimizer,
  fusedTransformation,
} from '../../src/adapters/jax/index.js';
import {
  ReferenceOptimizer,
  type Rule,
  adam,
  adamw,
  lamb,
  lion,
  momentum,
  muon,
  sgd,
} from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { errorOf } from '../support/error-of.js';
import { arrayOf, jaxTest, readArray } from '../support/jax.js';
import { Random } from '../../proof/random.js';

interface Params {
  dense: { kernel: JaxArray; bias: JaxArray }[];
  scale: JaxArray;
}

const SHAPES = {
  'dense.0.kernel': [3, 5],
  'dense.0.bias': [5],
  'dense.1.kernel': [5, 130],
  'dense.1.bias': [130],
};

const countOf = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);

/** Random values by path, and the tree of arrays of them. */
function makeParams(random: Random): { values: Map<string, Float32Array<ArrayBuffer>>; params: Params } {
  const shapes = new Map<string, number[]>([...Object.entries(SHAPES), ['scale', []]]);
  const values = new Map([...shapes].map(([name, shape]) => [name, random.weights(countOf(shape))]));
  const make = (name: string) => arrayOf(values.get(name)!, shapes.get(name));
  const dense = [0, 1].map((k) => ({ kernel: make(`dense.${k}.kernel`), bias: make(`dense.${k}.bias`) }));
  return { values, params: { dense, scale: make('scale') } };
}

/** Leaves by path; a path is what the adapter says it is. */
const leavesOf = ({ dense, scale }: Params): [string, JaxArray][] => [
  ...dense.flatMap(({ kernel, bias }, k): [string, JaxArray][] => [
    [`dense.${k}.kernel`, kernel],
    [`dense.${k}.bias`, bias],
  ]),
  ['scale', scale],
];

/** A loss whose gradient is another at every step, for every leaf. */
function loss({ dense, scale }: Params, x: JaxArray): JaxArray {
  const hidden = numpy.tanh(numpy.dot(x, dense[0]!.kernel).add(dense[0]!.bias));
  const out = numpy.dot(hidden, dense[1]!.kernel).add(dense[1]!.bias).mul(scale);
  return numpy.square(out).mean();
}

const RULES: [Rule, object][] = [
  [sgd({ lr: 0.1 }), {}],
  [momentum({ lr: 0.1, nesterov: true }), { maxGradNorm: 0.001 }],
  [adam({ lr: 0.01 }), { skipNonFinite: true }],
  [adamw({ lr: (step: number) => 0.01 / (step + 1) }), { maxGradValue: 0.01 }],
  [lion(), { gradScale: 0.5, lossScale: 8 }],
  [lamb({ lr: 0.1 }), {}],
];

for (const [rule, options] of RULES) {
  jaxTest(`${rule.name} ${JSON.stringify(options)}: gradients of jax-js, bit for bit`, async () => {
    const random = new Random(inject('seed'));
    const made = makeParams(random);
    let { params } = made;
    const list = [...made.values].map(([name, data]) => ({ name, data }));
    const isBias = ({ name }: { name: string }) => name.startsWith('dense.1');
    const reference = new ReferenceOptimizer({
      rule,
      ...options,
      // Its norm is float64; the factor is taken from the GPU, where other tests judge it.
      maxGradNorm: Infinity,
      groups: [
        { params: list.filter(isBias), weightDecay: 0.1 },
        { params: list.filter((leaf) => !isBias(leaf)) },
      ],
      precision: 'f32',
    });
    const groups = [{ params: ['dense.1'], weightDecay: 0.1 }];
    const optimizer = await fusedOptimizer(rule, tree.ref(params), { ...options, groups });
    const gradient = jit(grad(loss));
    const x = arrayOf(random.weights(12), [4, 3]);
    for (let step = 0; step < 5; step++) {
      const grads = gradient(tree.ref(params), x.ref);
      const read = await Promise.all(
        leavesOf(grads).map(async ([name, leaf]) => [name, await readArray(leaf)] as const),
      );
      params = optimizer.step(grads, params);
      const { clipFactor } = await optimizer.stats();
      if ('maxGradNorm' in options) {
        // Of some seeds, gradients are smaller.
        const norm = Math.hypot(...read.flatMap(([, values]) => [...values]));
        expect(clipFactor < 1).toBe(norm > (options.maxGradNorm as number));
      }
      reference.step(
        Object.fromEntries(read.map(([name, values]) => [name, values.map((g) => g * clipFactor)])),
      );
      for (const [name, leaf] of leavesOf(params)) {
        const want = made.values.get(name)!;
        expect(bitDifference(await readArray(leaf), want), `${name}, step ${step}`).toBeUndefined();
      }
    }
    expect(optimizer.groups.map(({ params: names }) => names)).toEqual([
      ['dense.1.kernel', 'dense.1.bias'],
      ['dense.0.kernel', 'dense.0.bias', 'scale'],
    ]);
    tree.dispose([params, x]);
    gradient.dispose();
    optimizer.destroy();
  });
}

jaxTest('muon steps the leaves that are matrices, and another rule the rest, bit for bit', async () => {
  const random = new Random(inject('seed'));
  const made = makeParams(random);
  let { params } = made;
  const rule = muon({ lr: 0.1, others: adamw({ lr: 0.01 }) });
  const list = [...made.values].map(([name, data]) => {
    const shape = name === 'scale' ? [] : SHAPES[name as keyof typeof SHAPES];
    return { name, data, shape };
  });
  const isNamed = ({ name }: { name: string }) => name === 'dense.1.bias';
  const named = { others: true, lr: 0.5 } as const;
  const reference = new ReferenceOptimizer({
    rule,
    groups: [{ params: list.filter(isNamed), ...named }, { params: list.filter((leaf) => !isNamed(leaf)) }],
    precision: 'f32',
  });
  const groups = [{ params: ['dense.1.bias'], ...named }];
  const optimizer = await fusedOptimizer(rule, tree.ref(params), { groups });
  const gradient = jit(grad(loss));
  const x = arrayOf(random.weights(12), [4, 3]);
  for (let step = 0; step < 3; step++) {
    const grads = gradient(tree.ref(params), x.ref);
    const read = await Promise.all(
      leavesOf(grads).map(async ([name, leaf]) => [name, await readArray(leaf)] as const),
    );
    params = optimizer.step(grads, params);
    reference.step(Object.fromEntries(read));
    for (const [name, leaf] of leavesOf(params)) {
      const want = made.values.get(name)!;
      expect(bitDifference(await readArray(leaf), want), `${name}, step ${step}`).toBeUndefined();
    }
  }
  expect(Object.keys((await optimizer.stateDict()).state['dense.0.kernel']!)).toEqual(['momentum_buffer']);
  tree.dispose([params, x]);
  gradient.dispose();
  optimizer.destroy();
});

/** Two spirals that no line parts, and a network of 2 → 16 → 1 for them. */
function spirals() {
  const random = new Random(1);
  const points = Array.from({ length: 64 }, (_, i) => {
    const [label, radius] = [i % 2, 0.2 + i / 64];
    const angle = 4 * radius + Math.PI * label;
    return { x: [radius * Math.cos(angle), radius * Math.sin(angle)], label };
  });
  return {
    x: arrayOf(Float32Array.from(points.flatMap(({ x }) => x)), [64, 2]),
    y: arrayOf(Float32Array.from(points.map(({ label }) => label)), [64, 1]),
    params: {
      first: { kernel: arrayOf(random.weights(32), [2, 16]), bias: numpy.zeros([16]) },
      second: { kernel: arrayOf(random.weights(16), [16, 1]), bias: numpy.zeros([1]) },
    },
  };
}

type Network = ReturnType<typeof spirals>['params'];

function networkLoss({ first, second }: Network, x: JaxArray, y: JaxArray): JaxArray {
  const hidden = numpy.tanh(numpy.dot(x, first.kernel).add(first.bias));
  const out = nn.sigmoid(numpy.dot(hidden, second.kernel).add(second.bias));
  return numpy.square(out.sub(y)).mean();
}

jaxTest('a network learns, and its training makes no buffer after the first steps', async (device) => {
  const { x, y, ...made } = spirals();
  let params: Network = made.params;
  const optimizer = await fusedOptimizer(adam({ lr: 0.05 }), tree.ref(params));
  const lossAndGrads = jit(valueAndGrad(networkLoss));
  const losses: number[] = [];
  const created = vi.spyOn(device, 'createBuffer');
  const bound = vi.spyOn(device, 'createBindGroup');
  const ours: number[] = [];
  for (let step = 0; step < 60; step++) {
    if (step === 10) created.mockClear();
    const [value, grads] = lossAndGrads(tree.ref(params), x.ref, y.ref);
    // What jax-js makes for its own kernels is made here, not in our step.
    for (const leaf of tree.leaves(grads as never)) (leaf as JaxArray).ref.gpuBufferSync();
    bound.mockClear();
    params = optimizer.step(grads, params);
    ours.push(bound.mock.calls.length);
    // A read makes a buffer.
    if (step === 0 || step === 59) losses.push(await value.jsAsync());
    else value.dispose();
  }
  expect(created).toHaveBeenCalledTimes(1);
  created.mockRestore();
  bound.mockRestore();
  expect(ours.slice(10)).toEqual(ours.slice(10).map(() => 0));
  expect(losses[1]).toBeLessThan(losses[0]! / 4);
  expect(await optimizer.stats()).toMatchObject({ step: 60, skipped: 0, lr: 0.05 });
  for (const leaf of tree.leaves(params as never)) expect((leaf as JaxArray).refCount).toBe(1);
  tree.dispose([params, x, y] as never);
  lossAndGrads.dispose();
  optimizer.destroy();
});

jaxTest('nobody who still refers to an array sees it change', async () => {
  const start = Float32Array.of(1, 2, 3, 4);
  let params = { w: arrayOf(start), alone: arrayOf(start) };
  const optimizer = await fusedOptimizer(sgd({ lr: 1 }), tree.ref(params));
  const ones = () => numpy.ones([4]);
  const before = params;
  // A reference, a view, an operation that is not dispatched yet, a jit'ed function's constant, a read under way.
  const [kept, view, pending] = [params.w.ref, params.w.ref.reshape([2, 2]), params.w.ref.mul(10)];
  const constant = params.w.ref;
  const closure = jit((x: JaxArray) => x.add(constant.ref));
  expect(await closure(numpy.zeros([4])).jsAsync()).toEqual([1, 2, 3, 4]);
  const reading = params.w.ref.data();
  const references = before.w.refCount;
  params = optimizer.step({ w: ones(), alone: ones() }, params);
  expect(before.w.refCount).toBe(references - 1);
  expect(params.w === before.w).toBe(false);
  expect(params.alone === before.alone).toBe(true);
  expect([...(await readArray(params.w))]).toEqual([0, 1, 2, 3]);
  expect([...(await readArray(params.alone))]).toEqual([0, 1, 2, 3]);
  expect([...(await readArray(kept))]).toEqual([1, 2, 3, 4]);
  expect(await view.jsAsync()).toEqual([
    [1, 2],
    [3, 4],
  ]);
  expect(await pending.jsAsync()).toEqual([10, 20, 30, 40]);
  expect([...(await reading)]).toEqual([1, 2, 3, 4]);
  expect(await closure(numpy.zeros([4])).jsAsync()).toEqual([1, 2, 3, 4]);
  // An operation alone is enough.
  const late = params.w.ref.mul(10);
  params = optimizer.step({ w: ones(), alone: ones() }, params);
  expect(await late.jsAsync()).toEqual([0, 10, 20, 30]);
  expect([...(await readArray(params.w))]).toEqual([-1, 0, 1, 2]);
  // From here on they are updated in place again.
  const last = params.w;
  params = optimizer.step({ w: ones(), alone: ones() }, params);
  expect(params.w === last).toBe(true);
  closure.dispose();
  tree.dispose([params, kept, constant] as never);
  optimizer.destroy();
});

jaxTest('an array as its own gradient, as that of several, and as a part of a longer one', async () => {
  const long = arrayOf(Float32Array.of(5, 6, 7, 8));
  let params = {
    a: arrayOf(Float32Array.of(1, 2)),
    head: long.ref.slice([0, 2]),
    tail: long.slice([2, 4]),
  };
  const optimizer = await fusedOptimizer(sgd({ lr: 0.5 }), tree.ref(params));
  params = optimizer.step(tree.ref(params), params);
  for (const [name, want] of Object.entries({ a: [0.5, 1], head: [2.5, 3], tail: [3.5, 4] })) {
    expect(await params[name as 'a'].ref.jsAsync(), name).toEqual(want);
  }
  const gradient = numpy.ones([2]);
  params = optimizer.step({ a: gradient.ref, head: gradient.ref, tail: gradient }, params);
  expect(await params.a.ref.jsAsync()).toEqual([0, 0.5]);
  tree.dispose(params);
  expect(() => gradient.ref).toThrow();
  optimizer.destroy();
});

jaxTest('tied weights are refused: neither at creation nor at a step do they part', async () => {
  const tied = (view: (array: JaxArray) => JaxArray) => {
    const a = arrayOf(Float32Array.of(1, 2));
    return { a: a.ref, b: view(a) };
  };
  const refusal = {
    code: 'invalid-parameter',
    message: expect.stringContaining(
      '"a" and "b" are one array, or views of one; name it once and sum the gradients',
    ),
  };
  const optimizer = await fusedOptimizer(sgd({ lr: 1 }), { a: numpy.ones([2]), b: numpy.ones([2]) });
  for (const view of [(array: JaxArray) => array, (array: JaxArray) => array.reshape([2])]) {
    const params = tied(view);
    expect(await errorOf(async () => fusedOptimizer(sgd(), params))).toMatchObject(refusal);
    const grads = { a: numpy.ones([2]), b: numpy.ones([2]) };
    expect(await errorOf(() => optimizer.step(grads, params))).toMatchObject(refusal);
    // Nothing was consumed, and a copy parts them by will.
    const copied = { a: params.a.ref, b: params.b.ref.mul(1) };
    const stepped = optimizer.step(grads, copied);
    expect([...(await readArray(params.a)), ...(await readArray(stepped.a))]).toEqual([1, 2, 0, 1]);
    tree.dispose([params, stepped] as never);
  }
  expect((await optimizer.stats()).step).toBe(2);
  optimizer.destroy();
});

jaxTest('one array is a tree, and keys may come in another order', async () => {
  const single = await fusedOptimizer(sgd({ lr: 1 }), numpy.ones([3]));
  const after = single.step(numpy.ones([3]), numpy.ones([3]));
  expect(await after.jsAsync()).toEqual([0, 0, 0]);
  expect(single.groups[0]!.params).toEqual(['params']);
  single.destroy();
  const pair = await fusedOptimizer(sgd({ lr: 1 }), { a: numpy.ones([1]), b: numpy.ones([1]) });
  const updated = pair.step(
    { b: numpy.full([1], 2), a: numpy.full([1], 3) },
    { a: numpy.zeros([1]), b: numpy.zeros([1]) },
  );
  expect([await updated.a.jsAsync(), await updated.b.jsAsync()]).toEqual([[-3], [-2]]);
  pair.destroy();
});

jaxTest('a run goes on from a state dict as if it had not stopped', async () => {
  const random = new Random(inject('seed'));
  const [weights, gradients] = [random.weights(40), [0, 1, 2].map(() => random.gradients(40))];
  const make = async () => fusedOptimizer(adam({ lr: 0.1 }), { w: arrayOf(weights) });
  const [whole, first, second] = [await make(), await make(), await make()];
  let params = { w: arrayOf(weights) };
  for (const g of gradients) params = whole.step({ w: arrayOf(g) }, params);
  let resumed = first.step({ w: arrayOf(gradients[0]!) }, { w: arrayOf(weights) });
  await second.loadStateDict(await first.stateDict());
  for (const g of gradients.slice(1)) resumed = second.step({ w: arrayOf(g) }, resumed);
  expect(bitDifference(await readArray(resumed.w), await readArray(params.w))).toBeUndefined();
  expect(await second.readState('w', 'step')).toEqual(Float32Array.of(3));
  tree.dispose([params, resumed]);
  for (const optimizer of [whole, first, second]) optimizer.destroy();
});

jaxTest('weights and their average change places, and nobody sees it', async () => {
  const optimizer = await fusedOptimizer(sgd({ lr: 1 }), { w: numpy.zeros([2]) }, { ema: { decay: 0.5 } });
  let params = optimizer.step({ w: numpy.full([2], -4) }, { w: numpy.zeros([2]) });
  params = optimizer.step({ w: numpy.full([2], -4) }, params);
  const raw = params.w.ref;
  params = optimizer.swapEma(params);
  expect(await raw.ref.jsAsync()).toEqual([8, 8]);
  const average = await params.w.ref.jsAsync();
  expect(average[0]).toBeLessThan(8);
  params = optimizer.swapEma(params);
  expect(await params.w.ref.jsAsync()).toEqual([8, 8]);
  tree.dispose([params, raw] as never);
  optimizer.destroy();
});

jaxTest(
  'leaves that are no float32 arrays pass untouched, whatever the gradients have in their place',
  async () => {
    const make = () => ({
      none: null as null | JaxArray,
      layers: [{ w: numpy.ones([2]), ids: numpy.array([3, 4], { dtype: numpy.int32 }) }],
      half: numpy.ones([3], { dtype: numpy.float16 }),
      b: numpy.ones([2]),
    });
    let params = make();
    const { ids } = params.layers[0]!;
    const { half } = params;
    const optimizer = await fusedOptimizer(sgd({ lr: 1 }), tree.ref(params), { ema: { decay: 0.5 } });
    expect(optimizer.groups.map((group) => group.params)).toEqual([['layers.0.w', 'b']]);
    const grads = {
      none: numpy.ones([1]),
      layers: [{ w: numpy.ones([2]), ids: null }],
      b: numpy.full([2], 2),
    };
    const given = grads.none;
    params = optimizer.step(grads as never, params);
    expect(() => given.ref).toThrow();
    params = optimizer.step(make(), params);
    params = optimizer.swapEma(optimizer.swapEma(params));
    expect(Object.keys(params)).toEqual(['none', 'layers', 'half', 'b']);
    expect([params.none, params.half === half, params.layers[0]!.ids === ids]).toEqual([null, true, true]);
    expect([ids.refCount, half.refCount]).toEqual([1, 1]);
    expect(await ids.ref.jsAsync()).toEqual([3, 4]);
    expect(await params.layers[0]!.w.ref.jsAsync()).toEqual([-1, -1]);
    expect(await params.b.ref.jsAsync()).toEqual([-2, -2]);
    // What was float32 must be so.
    const error = await errorOf(() => optimizer.step({ ...make(), b: null as never }, params));
    expect(error.message).toContain('grads: "b" is null; give an Array');
    tree.dispose(params);
    optimizer.destroy();
  },
);

jaxTest('code in the shape of optax makes the same steps, in place', async () => {
  const random = new Random(inject('seed'));
  const start = makeParams(random);
  const x = arrayOf(random.weights(12), [4, 3]);
  const gradient = jit(grad(loss));
  const options = { maxGradNorm: 0.01, groups: [{ params: ['scale'], lr: 0.5 }] };
  const copy = () =>
    tree.map((leaf: JaxArray) => leaf.ref.mul(1), start.params as never) as unknown as Params;
  const optimizer = await fusedOptimizer(adam({ lr: 0.1 }), tree.ref(start.params), options);
  const solver = fusedTransformation(adam({ lr: 0.1 }), options);
  let [params, twin] = [copy(), copy()];
  let state = solver.init(tree.ref(params));
  for (let step = 0; step < 3; step++) {
    const before = params.scale;
    const [updates, next] = solver.update(gradient(tree.ref(params), x.ref), state, tree.ref(params));
    state = next;
    params = applyUpdates(params, updates);
    expect(params.scale).toBe(before);
    twin = optimizer.step(gradient(tree.ref(twin), x.ref), twin);
    if (step === 0) optimizer.lr = state.lr = 0.05;
  }
  for (const [k, [name, leaf]] of leavesOf(params).entries()) {
    expect(
      bitDifference(await readArray(leaf), await readArray(leavesOf(twin)[k]![1])),
      name,
    ).toBeUndefined();
  }
  expect(await state.stats()).toMatchObject({ step: 3, skipped: 0 });
  tree.dispose([params, twin, start.params, x] as never);
  gradient.dispose();
  for (const one of [optimizer, state]) one.destroy();
});

jaxTest(
  'a page that falls back to wasm takes the other transformation, with the same applyUpdates',
  async () => {
    type Tree = { w: JaxArray; ids: JaxArray | null };
    // In the shape of optax' sgd.
    const plain = {
      init: (params: Tree) => (tree.dispose(params), null),
      update: ({ w }: Tree, state: null): [Tree, null] => [{ w: w.mul(-0.5), ids: null }, state],
    };
    await init('wasm');
    defaultDevice('wasm');
    // Before it is known where the page computes.
    const solver = fusedTransformation(sgd({ lr: 0.5 })).orElse(plain);
    for (const device of ['wasm', 'webgpu'] as const) {
      defaultDevice(device);
      let params: Tree = { w: numpy.ones([2]), ids: null };
      const state: unknown = solver.init(tree.ref(params));
      expect(state === null).toBe(device === 'wasm');
      const [updates] = solver.update({ w: numpy.full([2], 3), ids: null }, state as null);
      params = applyUpdates(params, updates);
      expect(await params.w.jsAsync()).toEqual([-0.5, -0.5]);
      expect(params.ids).toBe(null);
      (state as FusedOptimizer<Tree> | null)?.destroy();
    }
  },
);
