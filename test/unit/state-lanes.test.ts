/** Where state begins, and is cut, that keeps several elements in a word or with one scale. */
import { expect, test } from 'vitest';
import { bf16 } from '../../src/codecs/bf16.js';
import { int4, int8Positive } from '../../src/codecs/blocks.js';
import { type Codec, stateFormOf } from '../../src/codecs/codec.js';
import { f32 } from '../../src/codecs/f32.js';
import { placeState, planStep } from '../../src/plan/plan.js';
import { stateAlignment, stateRange } from '../../src/plan/stretch.js';

const limits = {
  maxStorageBufferBindingSize: 2 ** 27,
  minStorageBufferOffsetAlignment: 256,
  maxBufferSize: 2 ** 28,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupsPerDimension: 65_535,
};
const at = (element: number) => ({ slab: 0, element, elementCount: 6, isPadded: true });
const formOf = (...codecs: Codec[]) => stateFormOf([f32, ...codecs]);

test('a binding begins at a multiple of 256 bytes of every slot', () => {
  expect(stateAlignment({ limits })).toBe(64);
  expect(stateAlignment({ limits, stateForm: formOf(bf16) })).toBe(128);
  // 64 blocks of 68 bytes, or of 36.
  expect(stateAlignment({ limits, stateForm: formOf(int8Positive) })).toBe(4096);
  expect(stateAlignment({ limits, stateForm: formOf(int4) })).toBe(4096);
  expect(stateRange(at(204), { limits })).toEqual({
    state: { slab: 0, element: 192, elementCount: 20 },
    stateStart: 12,
  });
  expect(stateRange(at(204), { limits, stateForm: formOf(bf16) })).toEqual({
    state: { slab: 0, element: 128, elementCount: 84 },
    stateStart: 76,
  });
  expect(stateRange(at(8256), { limits, stateForm: formOf(int4) })).toEqual({
    state: { slab: 0, element: 8192, elementCount: 128 },
    stateStart: 64,
  });
});

/** Tensors one behind the other in a buffer, with some elements of a third party between them. */
function neighbours(lengths: readonly number[], gap: number, rowLength?: number) {
  let end = 0;
  return lengths.map((elementCount, index) => {
    const byteOffset = 4 * end;
    end += elementCount + gap;
    const piece = { byteOffset, elementCount };
    const rows =
      rowLength === undefined ? {} : { rowLength, columns: Array.from({ length: rowLength }, () => 1) };
    return { index, row: 0, data: [{ buffer: 'd', ...piece }], grad: [{ buffer: 'g', ...piece }], ...rows };
  });
}

function planOf(tensors: ReturnType<typeof neighbours>, codec: Codec, maxStorageBufferBindingSize = 2 ** 27) {
  const own = { ...limits, maxStorageBufferBindingSize };
  const facts = { paddingOf: () => 256, limits: own, stateForm: formOf(codec) };
  const { stateOfTensor } = placeState(tensors, facts, true);
  const placed = tensors.map((tensor) => ({ ...tensor, state: stateOfTensor.get(tensor.index)! }));
  return { stateOfTensor, ...planStep(placed, 2, facts, true) };
}

test('each tensor begins with a block of its own, and is joined with others where these do', () => {
  const of = (codec: Codec, lengths: readonly number[], gap = 0) => {
    const { runs, stateOfTensor } = planOf(neighbours(lengths, gap), codec);
    return [runs.length, ...[...stateOfTensor.values()].map(([piece]) => piece!.element)];
  };
  expect(of(f32, [62, 64, 65, 3])).toEqual([1, 0, 62, 126, 191]);
  expect(of(bf16, [62, 64, 65, 3])).toEqual([3, 0, 64, 128, 196]);
  expect(of(int4, [62, 64, 65, 3])).toEqual([3, 0, 64, 128, 256]);
  // What is between two of them would be rounded with them.
  expect(of(bf16, [60, 60, 60], 4)[0]).toBe(1);
  expect(of(int4, [60, 60, 60], 4)[0]).toBe(3);
});

test('a tensor that no binding reaches whole is cut between blocks, and between rows', () => {
  const cutsOf = (codec: Codec, rowLength?: number): number[] => {
    const { runs } = planOf(neighbours([12_000 - (12_000 % (rowLength ?? 1))], 0, rowLength), codec, 20_480);
    return runs.flatMap(({ stretches }) => stretches.map(({ elementCount }) => elementCount)).slice(0, -1);
  };
  for (const [codec, length] of [
    [bf16, 4],
    [int8Positive, 64],
    [int4, 64],
  ] as const) {
    for (const rowLength of [undefined, 3, 7, 96]) {
      const cuts = cutsOf(codec, rowLength);
      expect(cuts.length).toBeGreaterThan(1);
      for (const cut of cuts) expect(cut % length, `${codec.name} ${rowLength}`).toBe(0);
      for (const cut of cuts) expect(cut % (rowLength ?? 1)).toBe(0);
    }
  }
  expect(() => cutsOf(int8Positive, 101)).toThrow('too few for a row of 101');
});
