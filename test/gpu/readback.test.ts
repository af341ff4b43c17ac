/** Reading back: what was there at the call, in one submit, or one error. */
import { expect, test, vi } from 'vitest';
import { OptimizerError } from '../../src/errors.js';
import { noticeLostDevice } from '../../src/gpu/device.js';
import { captureErrors } from '../../src/gpu/refusal.js';
import { Reader } from '../../src/gpu/copies/readback.js';
import type { ByteRange } from '../../src/gpu/copies/byte-range.js';
import { getTestAdapter, gpuTest } from '../support/device.js';
import { watchBuffers } from '../support/live-buffers.js';
import { unhandledIn } from '../support/unhandled.js';

const { COPY_SRC, COPY_DST, STORAGE } = GPUBufferUsage;

function makeBuffer(device: GPUDevice, values: ArrayLike<number>, usage = COPY_SRC | COPY_DST): GPUBuffer {
  const buffer = device.createBuffer({ label: 'source', size: 4 * values.length, usage: usage | COPY_DST });
  const words =
    values instanceof Uint32Array ? (values as Uint32Array<ArrayBuffer>) : Uint32Array.from(values);
  device.queue.writeBuffer(buffer, 0, words);
  return buffer;
}

const whole = (buffer: GPUBuffer): ByteRange => ({ buffer, byteOffset: 0, byteLength: buffer.size });

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof OptimizerError) return error.code;
    throw error;
  }
  return 'none';
}

gpuTest('reads are what was there at the call, each in one submit', async ({ device, track }) => {
  const reader = track(new Reader(device, 'test'));
  const buffer = track(makeBuffer(device, [1, 2, 3, 4]));
  const submit = vi.spyOn(device.queue, 'submit');
  const reads: Promise<ArrayBuffer[]>[] = [];
  for (let k = 0; k < 9; k++) {
    device.queue.writeBuffer(buffer, 0, Uint32Array.of(k));
    const last = { buffer, byteOffset: 12, byteLength: 4 };
    reads.push(reader.read([[last, whole(buffer)], [], [last]], 'values'));
  }
  expect(submit).toHaveBeenCalledTimes(9);
  submit.mockRestore();
  for (const [k, read] of reads.entries()) {
    const got = (await read).map((bytes) => [...new Uint32Array(bytes)]);
    expect(got).toEqual([[4, k, 2, 3, 4], [], [4]]);
  }
});

gpuTest('what lies behind one another in two buffers is read from both', async ({ device, track }) => {
  const reader = track(new Reader(device, 'test'));
  const [one, two] = [track(makeBuffer(device, [1, 2])), track(makeBuffer(device, [3, 4]))];
  const [first, second] = await reader.read(
    [[{ buffer: one, byteOffset: 0, byteLength: 4 }], [{ buffer: two, byteOffset: 4, byteLength: 4 }]],
    'values',
  );
  expect([new Uint32Array(first!)[0], new Uint32Array(second!)[0]]).toEqual([1, 4]);
});

gpuTest('small reads one after the other make no new buffer', async ({ device, track }) => {
  const reader = track(new Reader(device, 'test'));
  const buffer = track(makeBuffer(device, [7, 8]));
  const live = track(watchBuffers(device));
  await reader.read([[whole(buffer)]], 'values');
  const create = vi.spyOn(device, 'createBuffer');
  for (let k = 0; k < 5; k++) await reader.read([[whole(buffer)]], 'values');
  expect(create).not.toHaveBeenCalled();
  create.mockRestore();
  // Of many at once, some are kept.
  await Promise.all(Array.from({ length: 9 }, () => reader.read([[whole(buffer)]], 'values')));
  expect(live.count).toBe(4);
});

gpuTest('what is larger than a staging buffer is cut and put together', async ({ device, track }) => {
  const reader = track(new Reader(device, 'test'));
  const elementCount = 2 ** 24 + 5;
  const values = new Uint32Array(elementCount);
  for (let k = 0; k < elementCount; k++) values[k] = Math.imul(k, 0x9e3779b1);
  const [large, small] = [track(makeBuffer(device, values)), track(makeBuffer(device, [1, 2, 3]))];
  const live = track(watchBuffers(device));
  const create = vi.spyOn(device, 'createBuffer');
  const submit = vi.spyOn(device.queue, 'submit');
  const mapAsync = Reflect.get(GPUBuffer.prototype, 'mapAsync');
  const held: number[] = [];
  const map = vi.spyOn(GPUBuffer.prototype, 'mapAsync').mockImplementation(function mapped(
    this: GPUBuffer,
    ...args
  ) {
    held.push(live.byteLength);
    return mapAsync.apply(this, args);
  });
  const [one, two, three] = await reader.read(
    [[whole(small)], [whole(large), whole(small)], [{ buffer: large, byteOffset: 8, byteLength: 16 }]],
    'values',
  );
  const sizes = create.mock.calls.map(([{ size }]) => size);
  expect(submit).toHaveBeenCalledTimes(1);
  create.mockRestore();
  submit.mockRestore();
  expect(Math.max(...sizes)).toBe(64 * 2 ** 20);
  expect(sizes.length).toBe(2);
  // The first is freed before the second is mapped.
  map.mockRestore();
  expect(held[1]).toBeLessThanOrEqual(1024);
  expect(live.byteLength).toBeLessThanOrEqual(1024);
  expect([...new Uint32Array(one!)]).toEqual([1, 2, 3]);
  const got = new Uint32Array(two!);
  expect(got.subarray(0, elementCount).every((value, k) => value === values[k])).toBe(true);
  expect([...got.subarray(elementCount)]).toEqual([1, 2, 3]);
  expect([...new Uint32Array(three!)]).toEqual([...values.subarray(2, 6)]);
});

gpuTest(
  'a reader that is destroyed leaves nothing, and gives what was asked for',
  async ({ device, track }) => {
    const buffer = track(makeBuffer(device, [5]));
    const reader = new Reader(device, 'test');
    await reader.read([[whole(buffer)]], 'values');
    const made = new Set<GPUBuffer>();
    const create = vi.spyOn(device, 'createBuffer');
    const reads = [1, 2, 3].map(() => reader.read([[whole(buffer)]], 'values'));
    for (const { value } of create.mock.results) made.add(value as GPUBuffer);
    create.mockRestore();
    const destroy = vi.spyOn(GPUBuffer.prototype, 'destroy');
    reader.destroy();
    for (const read of reads) expect([...new Uint32Array((await read)[0]!)]).toEqual([5]);
    const freed = new Set(destroy.mock.instances as unknown as GPUBuffer[]);
    destroy.mockRestore();
    expect([...made].filter((staging) => !freed.has(staging))).toEqual([]);
    // Two that were made, and the one that was kept.
    expect(freed.size).toBe(3);
  },
);

gpuTest('what cannot be read is one error, and nothing is submitted', async ({ device, track }) => {
  const reader = track(new Reader(device, 'test'));
  const closed = track(device.createBuffer({ label: 'closed', size: 4, usage: STORAGE }));
  const submit = vi.spyOn(device.queue, 'submit');
  await expect(reader.read([[whole(closed)]], 'weights')).rejects.toThrow('weights: buffer "closed"');
  expect(submit).not.toHaveBeenCalled();
  submit.mockRestore();
  const gone = makeBuffer(device, [1]);
  gone.destroy();
  const error = await reader.read([[whole(gone)]], 'weights').catch((failure: unknown) => failure);
  expect((error as OptimizerError).code).toBe('invalid-parameter');
  expect((error as OptimizerError).message).toContain('weights: the device rejects it');
});

test('a lost device rejects every pending promise with device-lost, and nothing else', async () => {
  const unhandled = await unhandledIn(async () => {
    for (const wait of [0, 1, 2, 5]) {
      const device = await (await getTestAdapter()).requestDevice({ label: 'to be lost' });
      const reader = new Reader(device, 'test');
      const buffer = makeBuffer(
        device,
        Array.from({ length: 2 ** 20 }, () => 1),
      );
      const reads = [0, 1, 2].map((k) =>
        reader.read([[{ buffer, byteOffset: 4 * k, byteLength: 2048 }]], 'values'),
      );
      const { refusal } = captureErrors(device, () => device.createBuffer({ size: 4, usage: STORAGE }));
      for (let turn = 0; turn < wait; turn++) await Promise.resolve();
      device.destroy();
      const late = reader.read([[whole(buffer)]], 'values');
      for (const read of [...reads, late]) expect(['device-lost', 'none']).toContain(await codeOf(read));
      expect(['device-lost', 'none']).toContain(await codeOf(refusal));
      expect(await codeOf(late)).toBe('device-lost');
      expect(await codeOf(noticeLostDevice(device))).toBe('device-lost');
      reader.destroy();
    }
  });
  expect(unhandled).toEqual([]);
});

test('a loss that nobody has noticed yet is noticed', async () => {
  const device = await (await getTestAdapter()).requestDevice({ label: 'to be lost' });
  await noticeLostDevice(device);
  const other = await (await getTestAdapter()).requestDevice({ label: 'to be lost unwatched' });
  other.destroy();
  await other.lost;
  expect(await codeOf(noticeLostDevice(other))).toBe('device-lost');
  device.destroy();
});
