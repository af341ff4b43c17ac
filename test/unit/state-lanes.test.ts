/** Where state begins that keeps several elements in a word. */
import { expect, test } from 'vitest';
import { stateAlignment, stateRange } from '../../src/plan/stretch.js';

const limits = {
  maxStorageBufferBindingSize: 2 ** 27,
  minStorageBufferOffsetAlignment: 256,
  maxBufferSize: 2 ** 28,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupsPerDimension: 65_535,
};
const at = (element: number) => ({ slab: 0, element, elementCount: 6, isPadded: true });

test('a binding of two bytes an element begins at a multiple of twice as many, and so do those of four beside it', () => {
  expect(stateAlignment({ limits })).toBe(64);
  expect(stateAlignment({ limits, leastStateByteLength: 2 })).toBe(128);
  expect(stateRange(at(204), { limits })).toEqual({
    state: { slab: 0, element: 192, elementCount: 20 },
    stateStart: 12,
  });
  expect(stateRange(at(204), { limits, leastStateByteLength: 2 })).toEqual({
    state: { slab: 0, element: 128, elementCount: 84 },
    stateStart: 76,
  });
});

test('what would begin within a lane is refused where elements share a word', () => {
  expect(stateRange(at(205), { limits }).stateStart).toBe(13);
  for (const element of [205, 206, 207]) {
    expect(() => stateRange(at(element), { limits, leastStateByteLength: 2 })).toThrow(
      'the device binds 134217728 bytes at most, so that a tensor is cut within 4 elements',
    );
  }
});
