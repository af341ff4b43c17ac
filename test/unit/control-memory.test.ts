/** What the control stage keeps and is told: how it lies in memory. */
import { describe, expect, test } from 'vitest';
import { resolveGradientOptions } from '../../src/engine/input/options/gradient-options.js';
import { rowLayout, slotLayout } from '../../src/kernel/row.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { wordView } from '../../src/kernel/structs.js';
import { adam } from '../../src/rules/adam.js';
import { correctionWords } from '../../src/stages/control/fixed-point.js';
import { headBytes, parseHead } from '../../src/stages/control/head.js';
import { rateOffset, rateWords, writeSettings } from '../../src/stages/control/slot.js';
import { StepRecords, parseCount, recordWords } from '../../src/stages/control/step-records.js';

test('a head comes back as it was set', () => {
  const kept = { step: 1, skipped: 2, consecutiveSkips: 3, growthTracker: 4, lossScale: 0.5 };
  expect(parseHead(headBytes(kept))).toEqual({ ...kept, gradNorm: NaN, clipFactor: 1 });
});

test('the settings of a step are those of the options', () => {
  const row = rowLayout(layoutOf(adam()));
  const slot = slotLayout(row, 5, true);
  const write = (options: object) => {
    const view = wordView(new ArrayBuffer(slot.byteLength));
    writeSettings(view, 0, resolveGradientOptions(options), 0.25, slot);
    return { counts: [...view.u32.subarray(0, 3)], numbers: [...view.f32.subarray(3, 7)] };
  };
  const firstRate = (slot.rates - 256) / 4;
  expect(write({ maxGradNorm: 2, skipNonFinite: true })).toEqual({
    counts: [firstRate, 2 ** 32 - 1, 0],
    numbers: [2, 0.25, 1, 1],
  });
  const dynamic = { growthInterval: 7, growthFactor: 4, backoffFactor: 0.125 };
  expect(write({ maxConsecutiveSkips: 3, lossScale: dynamic })).toEqual({
    counts: [firstRate, 3, 7],
    numbers: [Infinity, 0.25, 4, 0.125],
  });
  expect(rateOffset(row, slot, 3)).toBe(slot.rates + 3 * 2 * 16);
  const [half, quarter] = [2 ** 31, 2 ** 30];
  expect(rateWords([{ beta: 0.5, damping: 0.25 }])).toEqual([half, 0, quarter, 0]);
});

describe('records of steps', () => {
  /** Records on a device whose buffers hold what is written to them. */
  function makeRecords() {
    const buffers: { words: Uint32Array; isDestroyed: boolean; destroy(): void }[] = [];
    const writes: number[] = [];
    const device = {
      createBuffer: ({ size }: GPUBufferDescriptor) => {
        const buffer = {
          words: new Uint32Array(size / 4),
          isDestroyed: false,
          destroy: () => void (buffer.isDestroyed = true),
        };
        buffers.push(buffer);
        return buffer;
      },
      queue: {
        writeBuffer: (buffer: (typeof buffers)[number], byteOffset: number, data: Uint32Array) => {
          writes.push(data.length);
          buffer.words.set(data, byteOffset / 4);
        },
      },
    } as unknown as GPUDevice;
    const records = new StepRecords(device, 1, 'test');
    const wordsOf = (index: number) => {
      const { buffer, byteOffset, byteLength } = records.spanOf(index);
      const { words } = buffer as unknown as (typeof buffers)[number];
      return words.subarray(byteOffset / 4, (byteOffset + byteLength) / 4);
    };
    return { records, buffers, writes, wordsOf };
  }

  test('lie in chunks that double and never move', () => {
    const { records, buffers } = makeRecords();
    const chunks = () => records.chunks.map(({ first, capacity }) => [first, capacity]);
    for (const count of [0, 1, 256]) records.reserve(count);
    expect(chunks()).toEqual([[0, 256]]);
    records.reserve(257);
    records.reserve(768);
    expect(chunks()).toEqual([
      [0, 256],
      [256, 512],
    ]);
    records.reserve(5000);
    expect(chunks().at(-1)).toEqual([768, 4232]);
    expect(buffers.map(({ words }) => words.length)).toEqual([256, 512, 4232].map((n) => n * recordWords(1)));
    records.destroy();
    expect(buffers.every(({ isDestroyed }) => isDestroyed)).toBe(true);
  });

  test('are set each in its place, neighbours in one go', () => {
    const { records, writes, wordsOf } = makeRecords();
    for (const count of [256, 300]) records.reserve(count);
    const rate = { beta: 0.5, damping: 0 };
    const counts = new Map([257, 3, 4, 255, 256, 7].map((index) => [index, index % 5]));
    records.restore(new Map([...counts].map(([index, count]) => [index, { count, rates: [rate] }])));
    for (const [index, count] of counts) {
      const words = wordsOf(index);
      expect([...words], `${index}`).toEqual([count, 0, 0, 0, ...correctionWords(rate, count)]);
      expect(parseCount(words.slice().buffer)).toBe(count);
    }
    expect([...wordsOf(5)]).toEqual(Array(recordWords(1)).fill(0));
    expect(writes.map((length) => length / recordWords(1))).toEqual([2, 1, 1, 2]);
    // Of one count, but other rates.
    records.restore(new Map([[3, { count: 1, rates: [{ beta: 0.25, damping: 0 }] }]]));
    expect([...wordsOf(3)].slice(4)).toEqual(correctionWords({ beta: 0.25, damping: 0 }, 1));
  });
});
