import { expect, test } from 'vitest';
import { encodeCopies } from '../../src/gpu/copies/copy-ranges.js';

const MIB = 2 ** 20;

/** Copies as they are encoded, buffers by name. */
function encode(copies: readonly (readonly [from: string, to: string])[]) {
  const buffers = new Map<string, GPUBuffer>();
  const bufferOf = (label: string) => {
    if (!buffers.has(label)) buffers.set(label, { label } as GPUBuffer);
    return buffers.get(label)!;
  };
  /** `a 0+8, b 4+4`: ranges of buffers by byte and length. */
  const ranges = (text: string) =>
    text.split(', ').map((one) => {
      const [label, range] = one.split(' ');
      const [byteOffset, byteLength] = range!.split('+').map(Number);
      return { buffer: bufferOf(label!), byteOffset: byteOffset!, byteLength: byteLength! };
    });
  const encoded: string[] = [];
  const made: { size: number; isFreed: boolean }[] = [];
  const device = {
    createBuffer: ({ size }: GPUBufferDescriptor) => {
      const state = { size, isFreed: false };
      made.push(state);
      return { label: 'via', size, destroy: () => (state.isFreed = true) };
    },
  } as unknown as GPUDevice;
  const encoder = {
    copyBufferToBuffer: (from: GPUBuffer, at: number, to: GPUBuffer, toAt: number, size: number) =>
      encoded.push(`${from.label} ${at} > ${to.label} ${toAt} ${size}`),
  } as unknown as GPUCommandEncoder;
  const given = copies.map(([from, to]) => ({ from: ranges(from), to: ranges(to) }));
  const free = encodeCopies(device, encoder, given, 'test');
  return { encoded, made, free };
}

test('ranges are cut where either side is', () => {
  const { encoded, made } = encode([
    ['a 0+8, b 16+12', 'c 4+4, c 20+16'],
    ['a 0+4, b 0+12', 'c 40+8, d 0+8'],
  ]);
  expect(encoded).toEqual([
    'a 0 > c 4 4',
    'a 4 > c 20 4',
    'b 16 > c 24 12',
    'a 0 > c 40 4',
    'b 0 > c 44 4',
    'b 4 > d 0 8',
  ]);
  expect(made).toEqual([]);
});

test('within one buffer they go by way of another, in parts', () => {
  const { encoded, made, free } = encode([
    ['a 0+8', 'a 64+8'],
    [`a 0+${20 * MIB}`, `a ${32 * MIB}+${20 * MIB}`],
  ]);
  expect(encoded).toEqual([
    'a 0 > via 0 8',
    'via 0 > a 64 8',
    `a 0 > via 0 ${16 * MIB}`,
    `via 0 > a ${32 * MIB} ${16 * MIB}`,
    `a ${16 * MIB} > via 0 ${4 * MIB}`,
    `via 0 > a ${48 * MIB} ${4 * MIB}`,
  ]);
  expect(made).toEqual([{ size: 16 * MIB, isFreed: false }]);
  free();
  expect(made[0]!.isFreed).toBe(true);
});
