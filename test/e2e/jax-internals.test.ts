/** jax-js with another inside than the adapter knows: it says so, and which version it knows, and consumes nothing. */
import { Array as JaxArray, numpy } from '@jax-js/jax';
import { expect } from 'vitest';
import { fusedOptimizer } from '../../src/adapters/jax/index.js';
import { sgd } from '../../src/index.js';
import { errorOf } from '../support/error-of.js';
import { arrayOf, jaxTest, readArray } from '../support/jax.js';
import { tamper } from '../support/tamper.js';

/** What of jax-js's WebGPU backend is tampered with. */
interface Backend {
  buffers: Map<number, { readonly ref: number }>;
  incRef(slot: number): void;
  decRef(slot: number): void;
}

/** The backend, asked for as the adapter does. */
function backendOf(array: JaxArray): Backend {
  let backend: unknown;
  array._putSync = (given) => {
    backend = given;
    return array;
  };
  array.ref.add(1).dispose();
  Reflect.deleteProperty(array, '_putSync');
  return backend as Backend;
}

/** A table that does all that jax-js asks of its own, and is no Map. */
function disguised(buffers: Backend['buffers']): unknown {
  const methods = (['get', 'set', 'has', 'delete'] as const).map((name) => [
    name,
    buffers[name].bind(buffers),
  ]);
  return Object.fromEntries(methods);
}

/** What jax-js has otherwise, as properties to set: of its arrays, or of its backend; and what the error says. */
const tamperings: Record<
  string,
  [Partial<Record<'arrays' | 'backend', (own: Backend) => Record<string, unknown>>>, string]
> = {
  'no _putSync': [{ arrays: () => ({ _putSync: undefined }) }, 'not a function'],
  'no _realizeSource': [{ arrays: () => ({ _realizeSource: undefined }) }, 'not a function'],
  'no gpuBufferSync': [{ arrays: () => ({ gpuBufferSync: undefined }) }, 'not a function'],
  'no refCount': [{ arrays: () => ({ refCount: undefined }) }, 'a new array counts undefined references'],
  'operations that do not ask for the backend': [
    {
      arrays: () => ({
        add(this: JaxArray) {
          return this;
        },
      }),
    },
    'arrays do not show their backend',
  ],
  'another table': [
    { backend: ({ buffers }) => ({ buffers: disguised(buffers) }) },
    'the backend has no table of buffers',
  ],
  'arrays in parts of buffers': [
    { arrays: () => ({ gpuBufferSync: () => ({}) }) },
    'an array has another buffer than its slot',
  ],
  'operations that do not count': [
    { backend: () => ({ incRef: () => undefined }) },
    'a slot with an array and an operation to come counts 1 references',
  ],
  'references that stay': [
    { arrays: () => ({ dispose: () => undefined }) },
    'a slot with an array counts 2 references',
  ],
  'slots that stay': [
    {
      backend: (own) => ({
        decRef: (slot: number) => {
          if (own.buffers.get(slot)!.ref > 1) (Reflect.getPrototypeOf(own) as Backend).decRef.call(own, slot);
        },
      }),
    },
    'a slot outlives its array',
  ],
};

for (const [name, [{ arrays, backend }, complaint]] of Object.entries(tamperings)) {
  jaxTest(name, async () => {
    const params = arrayOf(Float32Array.of(1, 2));
    const own = backendOf(params);
    const undo = [tamper(JaxArray.prototype, arrays?.(own) ?? {}), tamper(own, backend?.(own) ?? {})];
    const error = await errorOf(async () => fusedOptimizer(sgd(), params)).finally(() => {
      for (const one of undo) one();
    });
    expect(error.code).toBe('invalid-config');
    for (const part of [
      'this @jax-js/jax',
      'otherwise than 0.1.25',
      complaint,
      'install @jax-js/jax@0.1.25',
    ]) {
      expect(error.message).toContain(part);
    }
    expect(params.refCount).toBe(1);
    // All is well once jax-js is as known.
    const optimizer = await fusedOptimizer(sgd({ lr: 1 }), params.ref);
    const stepped = optimizer.step(numpy.ones([2]), params);
    expect([...(await readArray(stepped))]).toEqual([0, 1]);
    stepped.dispose();
    optimizer.destroy();
  });
}
