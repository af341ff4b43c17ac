import { describe, expect, test } from 'vitest';
import { type RowLayout, rowLayout, slotLayout } from '../../src/kernel/row.js';
import { adam } from '../../src/index.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { RowRing } from '../../src/stages/row-ring.js';

const row = rowLayout(layoutOf(adam()));

interface FakeBuffer {
  readonly size: number;
  readonly words: Uint32Array;
  isDestroyed: boolean;
  destroy(): void;
}

/** A device whose buffers hold what is written to them, and which has the alignment of all devices. */
function makeDevice() {
  const buffers: FakeBuffer[] = [];
  const device = {
    createBuffer: ({ size }: GPUBufferDescriptor): FakeBuffer => {
      const buffer = {
        size,
        words: new Uint32Array(size / 4),
        isDestroyed: false,
        destroy: () => (buffer.isDestroyed = true),
      };
      buffers.push(buffer);
      return buffer;
    },
    createBindGroup: ({ entries }: GPUBindGroupDescriptor) => ({ entries }),
    queue: {
      writeBuffer: (buffer: FakeBuffer, byteOffset: number, data: ArrayBuffer) => {
        expect(byteOffset % 256).toBe(0);
        expect(buffer.isDestroyed).toBe(false);
        // Throws if it ends behind the buffer.
        buffer.words.set(new Uint32Array(data), byteOffset / 4);
      },
    },
  };
  return { device: device as unknown as GPUDevice, buffers };
}

/** A ring, and steps through it. */
function makeRing({
  controlled = false,
  rowCapacity = 1,
  of = row,
}: { controlled?: boolean; rowCapacity?: number; of?: RowLayout } = {}) {
  const { device, buffers } = makeDevice();
  let watched = 0;
  const watch = <T>(make: () => T, onFine?: () => void): T => {
    const before = buffers.length;
    const made = make();
    watched += buffers.length - before;
    onFine?.();
    return made;
  };
  const ring = new RowRing(device, of, controlled, rowCapacity, {} as GPUBindGroupLayout, watch, 'test');
  let count = 0;
  /** Takes a slot and says where the numbers of the step lie, as its commands do. */
  function step(encoder?: object, rowCount = 1) {
    const value = ++count;
    ring.take(encoder, new Uint8Array(rowCount).fill(1), (view, wordOfRow) => {
      for (let k = 0; k < rowCount; k++) of.struct.write(view, wordOfRow(k), { t_count: 1000 * value + k });
    });
    const buffer = ring.slots as unknown as FakeBuffer;
    const [slot] = ring.slotOffset();
    const pages = Array.from({ length: rowCount }, (_, k) => ring.pageOffset(k)[0]!);
    const isIntact = (): boolean =>
      !buffer.isDestroyed &&
      pages.every((page, k) => {
        const byte = page + of.struct.byteLength * (k % of.rowsPerPage) + 4 * of.struct.wordOf('t_count');
        return buffer.words[byte / 4] === 1000 * value + k;
      });
    return { value, slot: slot!, pages, buffer, isIntact };
  }
  return { ring, step, buffers, watchedCount: () => watched };
}

const steps = (count: number, take: (k: number) => ReturnType<ReturnType<typeof makeRing>['step']>) =>
  Array.from({ length: count }, (_, k) => take(k));

describe('the memory of the numbers of steps', () => {
  test('steps that are submitted at once take the same slot, and no room for others', () => {
    const { step, buffers } = makeRing();
    const taken = steps(20, () => step());
    expect(new Set(taken.map(({ slot }) => slot))).toEqual(new Set([0]));
    expect(buffers.map(({ size }) => size)).toEqual([256]);
    expect(taken.at(-1)!.isIntact()).toBe(true);
  });

  test('1024 steps may be pending, each in an encoder of its own', () => {
    const { step, buffers } = makeRing();
    const taken = steps(1024, () => step({}));
    expect(taken.every(({ isIntact }) => isIntact())).toBe(true);
    // Of one row, all fit into what the first of them gets.
    expect(buffers.map(({ size }) => size / 256 - 1)).toEqual([0, 1024]);
    // The first one had no step that is pending.
    expect(buffers.map(({ isDestroyed }) => isDestroyed)).toEqual([true, false]);
  });

  test('of many rows it doubles from 8 on, so that few steps take little memory', () => {
    const rowCapacity = 1000;
    const { step, buffers } = makeRing({ rowCapacity });
    const taken = steps(1024, () => step({}));
    expect(taken.every(({ isIntact }) => isIntact())).toBe(true);
    const [slot] = buffers.map(({ size }) => size);
    expect(slot).toBeGreaterThan(2 ** 15);
    expect(buffers.map(({ size }) => size / slot! - 1)).toEqual([0, 8, 16, 32, 64, 128, 256, 512, 1024]);
  });

  test('then they rotate, and the ring stays as it is', () => {
    const { step, buffers } = makeRing();
    const first = steps(5000, () => step({}));
    expect(buffers.at(-1)!.size / 256 - 1).toBe(1024);
    expect(buffers).toHaveLength(2);
    expect(first.slice(-1024).every(({ isIntact }) => isIntact())).toBe(true);
    expect(new Set(first.slice(-1024).map(({ slot }) => slot)).size).toBe(1024);
  });

  test('steps that are submitted at once overwrite none that is pending', () => {
    const { step } = makeRing();
    const pending = steps(1024, () => step({}));
    step();
    expect(pending.every(({ isIntact }) => isIntact())).toBe(true);
  });

  test('one encoder may hold 3000 of them', () => {
    const { step, buffers } = makeRing();
    const encoder = {};
    const taken = steps(3000, () => step(encoder));
    expect(taken.every(({ isIntact }) => isIntact())).toBe(true);
    // What it outgrew is together no larger than what it has.
    const [last, ...outgrown] = buffers.map(({ size }) => size).toReversed();
    expect(outgrown.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(last!);
  });

  test('one encoder may hold 3000 of them after others have gone round', () => {
    const { step } = makeRing();
    steps(1500, () => step({}));
    const encoder = {};
    expect(steps(3000, () => step(encoder)).every(({ isIntact }) => isIntact())).toBe(true);
  });

  test('two encoders that are filled in turns hold what the ring has room for', () => {
    const { step } = makeRing();
    const encoders = [{}, {}];
    expect(steps(1024, (k) => step(encoders[k % 2])).every(({ isIntact }) => isIntact())).toBe(true);
  });

  test.for([false, true])(
    'rows grow, and steps that are pending stay as they are; with control: %s',
    (controlled) => {
      const { ring, step, buffers } = makeRing({ controlled });
      const encoder = {};
      const before = steps(5, () => step(encoder));
      const bufferCount = buffers.length;
      ring.reserve(1);
      expect(buffers).toHaveLength(bufferCount);
      ring.reserve(100);
      expect(ring.slot).toEqual(slotLayout(row, 128, controlled));
      expect(ring.slotByteLength).toBe(ring.slot.byteLength);
      const after = steps(20, () => step(encoder, 100));
      for (const each of [...before, ...after]) expect(each.isIntact()).toBe(true);
      for (const { slot, buffer, pages } of after) {
        expect(slot % 256).toBe(0);
        expect(slot + ring.slot.byteLength).toBeLessThanOrEqual(buffer.size);
        expect(pages[0]).toBe(slot + (controlled ? 256 : 0));
        // Where the last page ends, the slot does, or its rates begin.
        expect(pages[99]! + row.pageByteLength).toBeLessThanOrEqual(slot + ring.slot.rates);
      }
    },
  );

  test('rows of a rule with many scalars take a page each', () => {
    const wide = rowLayout({ scalars: Array.from({ length: 70 }, (_, k) => `s${k}`), corrections: [] });
    expect(wide.rowsPerPage).toBe(1);
    const { step } = makeRing({ of: wide, rowCapacity: 4 });
    const taken = step({}, 4);
    expect(taken.pages.map((page) => page - taken.slot)).toEqual([0, 512, 1024, 1536]);
    expect(taken.isIntact()).toBe(true);
  });

  test('binds a page at the beginning of the present buffer', () => {
    const { ring, step } = makeRing();
    const entries = () => (ring.pages as unknown as { entries: GPUBindGroupEntry[] }).entries;
    for (let k = 0; k < 9; k++) {
      step({});
      const size = row.struct.byteLength * row.rowsPerPage;
      expect(entries()).toEqual([{ binding: 0, resource: { buffer: ring.slots, size } }]);
    }
  });

  test('says which rows take part, as the last step was told', () => {
    const { ring } = makeRing({ rowCapacity: 2 });
    ring.take(undefined, Uint8Array.of(1, 0), () => {});
    expect([0, 1].map((k) => ring.isActive(k))).toEqual([true, false]);
    ring.take({}, Uint8Array.of(0, 1), () => {});
    expect([0, 1].map((k) => ring.isActive(k))).toEqual([false, true]);
  });

  test('is unsure of a buffer until it is known that it could be had', () => {
    const { device } = makeDevice();
    const known: (() => void)[] = [];
    const watch = <T>(make: () => T, onFine?: () => void): T => {
      if (onFine) known.push(onFine);
      return make();
    };
    const ring = new RowRing(device, row, false, 1, {} as GPUBindGroupLayout, watch, 'test');
    expect(ring.isUnsure).toBe(false);
    ring.reserve(9);
    expect([ring.isUnsure, known.length]).toEqual([true, 1]);
    known[0]!();
    expect(ring.isUnsure).toBe(false);
  });

  test('makes every buffer where a lack of memory is noticed, and frees all', () => {
    const { ring, step, buffers, watchedCount } = makeRing();
    steps(20, () => step({}));
    ring.reserve(9);
    // The first one is made, and watched, by the caller.
    expect(watchedCount()).toBe(buffers.length - 1);
    expect(buffers.length).toBeGreaterThan(2);
    ring.destroy();
    expect(buffers.every(({ isDestroyed }) => isDestroyed)).toBe(true);
  });
});
