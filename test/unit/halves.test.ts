/** Numbers of 2 bytes: all 65,536 of them, all middles between neighbours, and what NumPy makes of the same. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bf16 } from '../../src/codecs/bf16.js';
import { f16 } from '../../src/codecs/f16.js';
import { aroundMiddles } from '../support/halves.js';
import recorded from '../fixtures/recorded/halves.json' with { type: 'json' };

const ALL = Uint16Array.from({ length: 65_536 }, (_, half) => half);
const sha256 = (view: Uint16Array | Float32Array): string =>
  createHash('sha256')
    .update(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
    .digest('hex');
/** The numbers of 2 bytes that some values become. */
const encoded = (codec: typeof f16, values: Float32Array<ArrayBuffer>): Uint16Array =>
  new Uint16Array(codec.encode(values).buffer, 0, values.length);

describe('f16', () => {
  test('is decoded and encoded as NumPy does', () => {
    const decoded = f16.decode(ALL.slice().buffer, ALL.length);
    expect(sha256(decoded.map((value) => (Number.isNaN(value) ? 0 : value)))).toBe(recorded.decoded);
    expect(sha256(encoded(f16, aroundMiddles(f16, 0x7c00, 65536)).slice())).toBe(recorded.encoded);
    for (const [value, half] of recorded.some as [number, number][]) {
      expect(encoded(f16, Float32Array.of(value))[0], String(value)).toBe(half);
    }
  });
});

describe.for([
  ['f16', f16, 0x7c00, 65536],
  // That is no float32; the middle is.
  ['bf16', bf16, 0x7f80, 2 ** 128],
] as const)('%s', ([, codec, infinity, above]) => {
  test('gives back every number, and NaN as NaN', () => {
    const back = encoded(codec, codec.decode(ALL.slice().buffer, ALL.length));
    const isNaNHalf = (half: number) => (half & 0x7fff) > infinity;
    const wrong = ALL.filter((half) => (isNaNHalf(half) ? !isNaNHalf(back[half]!) : back[half] !== half));
    expect([...wrong]).toEqual([]);
  });

  test('rounds middles to the even neighbour, and what is beside them to the nearer one', () => {
    const values = aroundMiddles(codec, infinity, above);
    const halves = encoded(codec, values);
    const wrong = halves.filter((half, i) => {
      const low = i % infinity;
      const side = Math.floor(i / infinity) % 3;
      const want = low + (side === 0 ? 0 : side === 1 ? low % 2 : 1);
      return half !== (want | (i >= 3 * infinity ? 0x8000 : 0));
    });
    expect(wrong.length).toBe(0);
  });
});
