/** The limit that rules are held to: it moves what they must, and no less. */
import { describe, expect, test } from 'vitest';
import { composeLimitKernel, composeReadKernel } from '../../lab/measuring/page/limit-kernel.js';
import { measuredArrays } from '../../lab/measuring/peers/limit.js';
import { adam, lamb, lars, novograd } from '../../src/index.js';

test('what a rule measures is read once before: gradient, weights, state', () => {
  expect(measuredArrays(adam())).toEqual([]);
  expect(measuredArrays(lars())).toEqual([0, 1]);
  expect(measuredArrays(novograd())).toEqual([0]);
  expect(measuredArrays(lamb())).toEqual([0, 1, 2, 3]);
});

describe('kernels', () => {
  const count = (wgsl: string, what: RegExp): number => wgsl.match(what)?.length ?? 0;

  test('the one that moves reads 2 + slots arrays and writes 1 + slots', () => {
    const wgsl = composeLimitKernel(2);
    expect(count(wgsl, /\b(grad|data|state\d)\[i\](?! =)/g)).toBe(4);
    expect(count(wgsl, /\b(data|state\d)\[i\] =/g)).toBe(3);
  });

  test('the one that reads reads each array', () => {
    const wgsl = composeReadKernel(3);
    expect(count(wgsl, /\barray\d\[i\]/g)).toBe(3);
    expect(count(wgsl, /\[i\] =/g)).toBe(0);
  });
});
