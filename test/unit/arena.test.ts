import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { streamOf } from '../../src/random-stream.js';
import { layOut } from '../../src/arena/layout.js';
import { resolveArena } from '../../src/arena/spec.js';
import { resolveInitializer } from '../../src/arena/initializer.js';
import { normalCdf } from '../../src/arena/normal-cdf.js';
import { philox } from '../support/philox.js';

describe('the layout of an arena', () => {
  test('keeps tensors apart, aligned, within the capacity, a group’s together, in as few buffers as it can', () => {
    const tensorsArbitrary = fc.array(
      fc.record({ group: fc.constantFrom('a', 'b', 'c'), words: fc.integer({ min: 1, max: 2000 }) }),
      { minLength: 1, maxLength: 40 },
    );
    const check = fc.property(tensorsArbitrary, fc.integer({ min: 32, max: 100 }), (sizes, blocks) => {
      const capacity = blocks * 64;
      const tensors = sizes.map(({ group, words }, k) => ({ name: `t${k}`, group, elementCount: words }));
      const { places, elementCounts } = layOut(tensors, capacity, 64);
      const placed = tensors
        .map((tensor) => ({ ...tensor, ...places.get(tensor.name)! }))
        .toSorted((a, b) => a.bufferIndex - b.bufferIndex || a.element - b.element);
      placed.forEach(({ bufferIndex, element, elementCount }, k) => {
        expect(element % 64).toBe(0);
        expect(element + elementCount).toBeLessThanOrEqual(elementCounts[bufferIndex]!);
        const next = placed[k + 1];
        if (next?.bufferIndex === bufferIndex)
          expect(next.element).toBe(Math.ceil((element + elementCount) / 64) * 64);
        // A buffer ends where the next tensor no longer fits.
        else if (next) {
          expect(next.element).toBe(0);
          expect(Math.ceil((element + elementCount) / 64) * 64 + next.elementCount).toBeGreaterThan(capacity);
        }
      });
      for (const elementCount of elementCounts) expect(elementCount).toBeLessThanOrEqual(capacity);
      const order = placed.map(({ group }) => group);
      expect(order.filter((group, k) => group !== order[k - 1])).toHaveLength(new Set(order).size);
    });
    fc.assert(check, { seed: inject('seed'), numRuns: 200 });
  });
});

describe('a tensor of an arena', () => {
  test('may end where the buffer does', () => {
    const tensors = ['a', 'b'].map((name) => ({ name, group: 'g', elementCount: 64 }));
    expect(layOut(tensors, 128, 64).elementCounts).toEqual([128]);
  });

  const limits = {
    maxBufferSize: 100,
    maxStorageBufferBindingSize: 100,
    minStorageBufferOffsetAlignment: 32,
  };

  // Whole vec4s of it, for kernels that reach its end by lanes.
  test.for([
    { ...limits },
    { ...limits, maxBufferSize: 2 ** 20 },
    { ...limits, maxStorageBufferBindingSize: 2 ** 20 },
  ])('fits a buffer and a binding: $maxBufferSize and $maxStorageBufferBindingSize bytes', (device) => {
    const { buffers } = resolveArena({ w: { shape: [24] } }, undefined, device);
    expect(buffers.map(({ elementCount }) => elementCount)).toEqual([24]);
    expect(() => resolveArena({ w: { shape: [25] } }, undefined, device)).toThrow('binds at most 96;');
  });

  test('of 2 bytes lies with its like, aligned in weights and in gradients', () => {
    const device = {
      maxBufferSize: 4096,
      maxStorageBufferBindingSize: 4096,
      minStorageBufferOffsetAlignment: 256,
    };
    const { tensors, buffers } = resolveArena(
      {
        a: { shape: [3] },
        b: { shape: [5], gradDtype: 'f32' },
        c: { shape: [130] },
        d: { shape: [1], dtype: 'f32' },
        e: { shape: [2000] },
      },
      { dtype: 'f16', gradDtype: 'bf16' },
      device,
    );
    const placesOf = (name: string) => {
      const { place, kind } = tensors.get(name)!;
      return [kind.data.name, kind.grad.name, place.bufferIndex, place.element];
    };
    expect(['a', 'b', 'c', 'd', 'e'].map(placesOf)).toEqual([
      ['f16', 'bf16', 0, 0],
      ['f16', 'f32', 2, 0],
      ['f16', 'bf16', 0, 128],
      ['f32', 'bf16', 3, 0],
      ['f16', 'bf16', 1, 0],
    ]);
    expect(buffers.map(({ elementCount, alignment }) => [elementCount, alignment])).toEqual([
      [260, 128],
      [2000, 128],
      [8, 128],
      [4, 128],
    ]);
    // Both of a kind in one buffer would take more gradients than a binding reaches.
    const pair = { a: { shape: [600] }, b: { shape: [600] } };
    const halves = (gradDtype: 'f16' | 'f32') =>
      resolveArena(pair, { dtype: 'f16', gradDtype, usage: 0x20 }, device);
    expect(halves('f16').buffers).toHaveLength(1);
    expect(halves('f32').buffers).toHaveLength(2);
    expect(halves('f32').usage & 0x20).toBe(0x20);
    const scaled = resolveArena(
      {
        a: { shape: [1] },
        b: { shape: [1], gradDtype: 'f32' },
        // What an arena has already may be said again.
        c: { shape: [1], gradDtype: 'i32' },
        d: { shape: [1], gradScale: 2 },
      },
      { gradDtype: 'i32', gradScale: 1024 },
      device,
    );
    expect([...scaled.tensors.values()].map(({ kind }) => kind.grad.name)).toEqual([
      'i32/1024',
      'f32',
      'i32/1024',
      'i32/2',
    ]);
    const ofSize = (elementCount: number, options: object) => () =>
      resolveArena({ w: { shape: [elementCount], dtype: 'f16', ...options } }, undefined, device);
    expect(ofSize(2048, { gradDtype: 'f16' })).not.toThrow();
    expect(ofSize(2049, { gradDtype: 'f16' })).toThrow('takes 4098 bytes');
    expect(ofSize(1025, {})).toThrow('takes 4100 bytes');
  });
});

describe('the generator', () => {
  // Random123, tests/kat_vectors, philox 4x32 with 10 rounds.
  test.for([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ] as const)('the oracle gives the published words for counter %j', ([counter, key, expected]) => {
    expect(philox(counter.map(BigInt), key.map(BigInt))).toEqual(expected);
  });

  // Noll, "FNV hash", test vectors.
  test('a stream is the 64-bit FNV-1a hash of the name', () => {
    const hash = ([low, high]: [number, number]) => (BigInt(high) << 32n) | BigInt(low);
    expect(hash(streamOf(''))).toBe(0xcbf29ce484222325n);
    expect(hash(streamOf('a'))).toBe(0xaf63dc4c8601ec8cn);
    expect(hash(streamOf('foobar'))).toBe(0x85944171f73967e8n);
  });

  test.for([
    [0, 0.5],
    [1.959963984540054, 0.975],
    [-1, 0.15865525393145705],
    [-5, 2.866515718791939e-7],
    [8, 1],
  ] as const)('Φ(%f) is %f', ([x, p]) => {
    expect(normalCdf(x)).toBeCloseTo(p, 14);
  });
});

describe('initialisers', () => {
  const variance = (fill: ReturnType<typeof resolveInitializer>) =>
    fill.kind === 'uniform' ? fill.scale ** 2 / 12 : fill.scale ** 2;

  test.for([
    [{ kind: 'kaiming' }, [784, 256], 2 / 784],
    [{ kind: 'kaiming', mode: 'fan_out' }, [784, 256], 2 / 256],
    [{ kind: 'kaiming', axes: 'out-in' }, [784, 256], 2 / 256],
    [{ kind: 'kaiming', distribution: 'uniform', gain: 1 }, [784, 256], 1 / 784],
    [{ kind: 'kaiming' }, [3, 3, 16, 32], 2 / 144],
    [{ kind: 'kaiming', axes: 'out-in' }, [32, 16, 3, 3], 2 / 144],
    [{ kind: 'xavier' }, [784, 256], 2 / 1040],
    [{ kind: 'xavier', distribution: 'normal', gain: 2 }, [784, 256], 8 / 1040],
    [{ kind: 'normal', std: 0.02 }, [5], 0.0004],
    [{ kind: 'uniform', a: -1, b: 1 }, [5], 1 / 3],
  ] as const)('%j of %j has variance %f', ([init, shape, expected]) => {
    expect(variance(resolveInitializer(init, shape, 'tensor'))).toBeCloseTo(expected, 12);
  });

  test.for([
    ['gauss', [2, 2], '"gauss"; give one of "zeros"'],
    [{ kind: 'normal', std: -1 }, [2, 2], 'std is -1; give a finite number ≥ 0'],
    [{ kind: 'normal', sigma: 1 }, [2, 2], 'unknown option "sigma"'],
    [{ kind: 'uniform', a: 2, b: 1 }, [2, 2], 'a 2 is above b 1'],
    [{ kind: 'trunc_normal', a: 1, b: 1 }, [2, 2], 'a 1 is not below b 1'],
    [{ kind: 'trunc_normal', a: 6, b: 7 }, [2, 2], 'more than five standard deviations'],
    ['kaiming', [256], 'the shape [256] has no inputs and outputs'],
    [{ kind: 'xavier', axes: 'io' }, [2, 2], 'axes is "io"'],
    [{ kind: 'zeros', value: 1 }, [2, 2], 'unknown option "value"'],
    [7, [2, 2], 'init is 7'],
  ] as const)('%j of %j is refused', ([init, shape, complaint]) => {
    expect(() => resolveInitializer(init as never, shape, 'tensor "w"')).toThrow(complaint);
  });
});
