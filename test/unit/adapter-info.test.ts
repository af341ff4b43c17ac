import { expect, test } from 'vitest';
import { adapterInfoOf } from '../../src/gpu/adapter-info.js';

test('a device is asked for its adapter once, and its words are copied', () => {
  let asked = 0;
  const words = { vendor: 'mesa', architecture: 'llvmpipe', device: '', description: 'llvmpipe' };
  const device = {
    get adapterInfo(): GPUAdapterInfo {
      asked++;
      return words as GPUAdapterInfo;
    },
  };
  const first = adapterInfoOf(device);
  words.architecture = 'another';
  expect(adapterInfoOf(device)).toBe(first);
  expect(first).toMatchObject({ vendor: 'mesa', architecture: 'llvmpipe', description: 'llvmpipe' });
  expect(asked).toBe(1);
});
