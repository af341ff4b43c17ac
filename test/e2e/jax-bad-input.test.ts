import { type Array as JaxArray, devicePut, grad, init, numpy, tree } from '@jax-js/jax';
import { expect, test, vi } from 'vitest';
import { fusedOptimizer, fusedTransformation } from '../../src/adapters/jax/index.js';
import { adam, sgd } from '../../src/index.js';
import { errorOf } from '../support/error-of.js';
import { jaxTest, readArray } from '../support/jax.js';
import { recordCalls } from './record-calls.js';

// First: the other tests initialize it.
test('without a WebGPU backend there is one clear error', async () => {
  await init('cpu');
  const error = await errorOf(async () => fusedOptimizer(sgd(), numpy.zeros([1], { device: 'cpu' })));
  expect(error).toMatchObject({ code: 'invalid-config' });
  expect(error.message).toContain("await init('webgpu')");
});

const tree2 = () => ({ a: numpy.ones([2]), b: { c: numpy.ones([2, 3]) } });

type Tree = ReturnType<typeof tree2>;

/** An array that was consumed. */
function disposed(shape: number[]): JaxArray {
  const array = numpy.ones(shape);
  array.dispose();
  return array;
}

function twice(): Tree {
  const one = numpy.ones([2]);
  return { a: one, b: { c: one } };
}

const dotted = () => ({ ...tree2(), 'b.c': numpy.ones([1]) });

jaxTest('a tree that does not fit: at creation', async () => {
  const onCpu = { a: await devicePut(numpy.ones([2]), 'cpu') };
  for (const [make, message] of [
    [() => ({ a: 3 }), 'params: "a" is 3; give an Array'],
    [() => ({}), 'params is {  }, without any array'],
    [() => null, 'params: "params" is null'],
    [() => ({ a: { b: disposed([2]) } }), 'params: "a.b" is disposed'],
    [() => ({ a: numpy.ones([2], { dtype: numpy.int32 }) }), 'params: "a" has dtype "int32"; give float32'],
    [() => ({ a: numpy.ones([0]) }), 'params: "a" has shape [0], without elements'],
    [() => onCpu, 'params: "a" lies on device "cpu"; call defaultDevice'],
    [dotted, 'params: two arrays have the path "b.c"'],
    [twice, 'params: "b.c" is an array that stands in 2 places but has 1 reference'],
  ] as const) {
    const error = await errorOf(async () => fusedOptimizer(sgd(), make()));
    expect(error.message).toContain(message);
    expect(error.code).toBe('invalid-parameter');
  }
});

jaxTest('options that do not fit', async (device) => {
  const params = tree2();
  const created = vi.spyOn(device, 'createComputePipelineAsync');
  const buffers = recordCalls(GPUDevice.prototype, 'createBuffer');
  const destroyed = recordCalls(GPUBuffer.prototype, 'destroy');
  for (const [options, message] of [
    [{ lossScale: 'dynamic' }, 'lossScale is "dynamic"; give a number'],
    [{ lossScale: -1 }, 'lossScale is -1'],
    [{ params: [] }, 'options has params'],
    [{ rule: sgd() }, 'options has rule'],
    [{ clip: 1 }, 'unknown option "clip"'],
    [null, 'options is null'],
    [{ groups: 3 }, 'groups is 3'],
    [{ groups: [{ lr: 1 }] }, 'groups[0] is { lr }'],
    [{ groups: [{ params: ['x'] }] }, 'groups[0]: there is no array at or below "x"; there are ["a", "b.c"]'],
    [{ groups: [{ params: ['b'] }, { params: ['b.c'] }] }, 'groups[1]: "b.c" is named twice'],
    [{ groups: [{ params: ['b'], lr: -1 }] }, 'lr is -1'],
  ] as const) {
    const error = await errorOf(async () => fusedOptimizer(sgd(), params, options as never));
    expect(error.message).toContain(message);
  }
  expect(created).not.toHaveBeenCalled();
  created.mockRestore();
  for (const recorder of [buffers, destroyed]) recorder.restore();
  const isOurs = (about: unknown) =>
    (about as GPUObjectDescriptorBase).label?.startsWith('webgpu-optim') === true;
  const ours = buffers.calls.filter(({ args: [about] }) => isOurs(about));
  expect(ours.length).toBeGreaterThan(0);
  expect(destroyed.calls.filter(({ target }) => isOurs(target)).length).toBe(ours.length);
  // Nothing was consumed.
  expect([params.a.refCount, params.b.c.refCount]).toEqual([1, 1]);
  tree.dispose(params);
});

jaxTest('trees that do not fit: at a step, which changes and consumes nothing', async (device) => {
  const optimizer = await fusedOptimizer(sgd({ lr: 1 }), tree2());
  const [grads, params] = [tree2(), tree2()];
  const other = (a: unknown, c: unknown) => ({ a, b: { c } }) as Tree;
  const { a, b } = grads;
  for (const [badGrads, badParams, message] of [
    [{ a } as Tree, params, 'grads: there is no "b.c"'],
    [{ a, b, d: b.c } as Tree, params, 'grads: the optimizer knows no "d"'],
    [other(a, numpy.ones([3, 2])), params, 'grads: "b.c" has shape [3, 2], but the parameter had [2, 3]'],
    [other(a, disposed([2, 3])), params, 'grads: "b.c" is disposed'],
    [other(a, 1), params, 'grads: "b.c" is 1'],
    [grads, other(params.a, numpy.ones([6])), 'params: "b.c" has shape [6]'],
    [grads, other(params.a, disposed([2, 3])), 'params: "b.c" is disposed'],
    [grads, { a: params.a } as Tree, 'params: there is no "b.c"'],
    [grads, other(grads.a, params.b.c), 'params: "a" is an array that stands in 2 places'],
  ] as const) {
    const error = await errorOf(() => optimizer.step(badGrads, badParams));
    expect(error.message).toContain(message);
    expect(error.code).toBe('invalid-parameter');
  }
  // A constant has no buffer, and nothing that refers to it.
  params.a.ref.gpuBufferSync();
  const pending = params.a.ref.mul(2);
  optimizer.groups[0]!.lr = () => NaN;
  const created = vi.spyOn(device, 'createBuffer');
  // More often than jax-js keeps buffers of a size.
  for (let k = 0; k < 70; k++) {
    expect((await errorOf(() => optimizer.step(grads, params))).message).toContain('NaN');
    if (k === 0) created.mockClear();
  }
  // The copy that it needed went back each time.
  expect(created).not.toHaveBeenCalled();
  created.mockRestore();
  expect((await errorOf(() => optimizer.swapEma(params))).message).toContain('ema');
  optimizer.lr = 1;
  expect([...(await readArray(pending))]).toEqual([2, 2]);
  expect([...(await readArray(params.a))]).toEqual([1, 1]);
  for (const leaf of [a, b.c, params.a, params.b.c]) expect(leaf.refCount).toBe(1);
  expect(await optimizer.stats()).toMatchObject({ step: 0 });
  const stepped = optimizer.step(grads, params);
  expect([...(await readArray(stepped.b.c))]).toEqual([0, 0, 0, 0, 0, 0]);
  optimizer.destroy();
  const late = await errorOf(() => optimizer.step(tree2(), stepped));
  expect(late.code).toBe('destroyed');
  for (const call of [
    () => optimizer.swapEma(stepped),
    () => optimizer.stats(),
    () => optimizer.stateDict(),
  ]) {
    expect((await errorOf(call)).code).toBe('destroyed');
  }
  expect([...(await readArray(stepped.a))]).toEqual([0, 0]);
  tree.dispose([stepped, pending] as never);
});

jaxTest('an await that was forgotten is said, whatever is asked of the promise', async () => {
  const params = numpy.ones([2]);
  const given = fusedOptimizer(sgd({ lr: 1 }), params.ref);
  const promise = given as never as Awaited<typeof given>;
  for (const use of [
    () => promise.step(params, params),
    () => promise.groups,
    () => (promise.lr = 1),
    () => promise.destroy(),
  ]) {
    const error = await errorOf(use);
    expect([error.code, error.message]).toEqual([
      'invalid-config',
      expect.stringContaining(
        'was asked of the promise of an optimizer; write: const optimizer = await fusedOptimizer(',
      ),
    ]);
  }
  (await given).destroy();
  params.dispose();
  const failed = fusedOptimizer(sgd(), null);
  await expect(failed).rejects.toThrow('params: "params" is null');
});

jaxTest('a transformation checks its options at once, and parameters as it is initialized', async () => {
  for (const [options, message] of [
    [{ maxGradNorm: -1 }, 'maxGradNorm is -1'],
    [{ groups: [{ lr: 1 }] }, 'groups[0] is { lr }'],
    [{ rule: sgd() }, 'options has rule'],
  ] as const) {
    expect(() => fusedTransformation(sgd(), options as never)).toThrow(message);
  }
  for (const other of [null, adam(), { init: () => null }]) {
    expect(() => fusedTransformation(sgd()).orElse(other as never)).toThrow(
      'give a transformation of @jax-js/optax',
    );
  }
  const solver = fusedTransformation(sgd(), { groups: [{ params: ['x'] }] });
  const params = tree2();
  expect(() => solver.init(params)).toThrow('no array at or below "x"');
  expect(params.a.refCount).toBe(1);
  tree.dispose(params);
});

jaxTest('in a traced function', async () => {
  const optimizer = await fusedOptimizer(sgd(), numpy.ones([2]));
  const traced = grad((w: JaxArray) => optimizer.step(w.ref, w).sum());
  expect((await errorOf(() => traced(numpy.ones([2])))).message).toContain('outside of functions that jit');
  optimizer.destroy();
});

jaxTest('gradients that are no numbers are for the engine to decide', async () => {
  const params = { w: numpy.ones([2]) };
  const optimizer = await fusedOptimizer(adam(), tree.ref(params), { skipNonFinite: true });
  const stepped = optimizer.step({ w: numpy.full([2], NaN) }, params);
  expect([...(await readArray(stepped.w))]).toEqual([1, 1]);
  expect(await optimizer.stats()).toMatchObject({ step: 0, skipped: 1 });
  tree.dispose(stepped);
  optimizer.destroy();
});

jaxTest('a state that init() did not make, and updates that other code applies, are said', async () => {
  const solver = fusedTransformation(sgd());
  const params = { x: numpy.zeros([2]) };
  for (const state of [undefined, null, {}, solver]) {
    const error = await errorOf(() => solver.update({ x: numpy.zeros([2]) }, state as never, params));
    expect(error.code).toBe('invalid-parameter');
    expect(error.message).toMatch(/^update\(\): the state is .+; give what init\(\) returned\.$/);
  }
  const state = solver.init(tree.ref(params));
  const [updates] = solver.update({ x: numpy.ones([2]) }, state);
  const add = (param: JaxArray, update: JaxArray) => param.ref.add(update);
  expect(() => tree.map(add as never, params as never, updates as never)).toThrow(
    'updates of webgpu-optim/jax; apply them by its own applyUpdates',
  );
  tree.dispose(params);
  state.destroy();
});
