import { expect, test, vi } from 'vitest';
import { sampleBlocks, takeSample } from '../../lab/measuring/page/sample.js';
import { createArrays, createRandomTile } from '../../lab/measuring/page/workload.js';

const MIB = 2 ** 20;
const STORAGE = 0x80;

/** A device that says how far its storage buffers were filled, stretch by stretch, each from the start of the tile. */
function recordingDevice(maxBufferSize: number, maxStorageBufferBindingSize: number) {
  const buffers: { size: number; end: number; destroy(): void }[] = [];
  const append = (buffer: (typeof buffers)[number], offset: number, start: number, bytes: number) => {
    expect(start).toBe(0);
    expect(offset).toBe(buffer.end);
    buffer.end += bytes;
  };
  const device = {
    limits: { maxBufferSize, maxStorageBufferBindingSize },
    createBuffer: ({ size, usage }: GPUBufferDescriptor) => {
      const buffer = { size, end: 0, destroy: () => undefined };
      if (usage & STORAGE) buffers.push(buffer);
      return buffer;
    },
    createCommandEncoder: () => ({
      copyBufferToBuffer: (
        _source: GPUBuffer,
        start: number,
        target: (typeof buffers)[number],
        offset: number,
        bytes: number,
      ) => append(target, offset, start, bytes),
      finish: () => undefined,
    }),
    queue: {
      writeBuffer: (
        buffer: (typeof buffers)[number],
        offset: number,
        _tile: Float32Array,
        start: number,
        count: number,
      ) => append(buffer, offset, start, 4 * count),
      submit: () => undefined,
    },
  };
  return { device: device as unknown as GPUDevice, buffers };
}

test.each([
  { elements: 36_900_000, bufferLimit: 1024 * MIB, bindingLimit: 128 * MIB, parts: 2 },
  { elements: 36_900_000, bufferLimit: 128 * MIB, bindingLimit: 1024 * MIB, parts: 2 },
  // Limits that are no whole number of tiles.
  { elements: 1_100_000_000, bufferLimit: 4096 * MIB, bindingLimit: 2048 * MIB - 4, parts: 3 },
  { elements: 1001, bufferLimit: 256 * MIB, bindingLimit: 128 * MIB, parts: 1 },
])(
  '$elements elements lie in $parts buffers within the limits',
  ({ elements, bufferLimit, bindingLimit, parts }) => {
    // The numbers of the WebGPU specification; nothing here reads them.
    vi.stubGlobal('GPUBufferUsage', { STORAGE, COPY_SRC: 0x04, COPY_DST: 0x08 });
    const { device, buffers } = recordingDevice(bufferLimit, bindingLimit);
    const tile = createRandomTile(elements, 1);
    createArrays(device, 'data', elements, tile);
    vi.unstubAllGlobals();

    expect(buffers).toHaveLength(parts);
    for (const { size } of buffers) {
      expect(size).toBeLessThanOrEqual(Math.min(bufferLimit, bindingLimit));
      expect(size % 16).toBe(0);
    }
    expect(buffers.reduce((sum, { end }) => sum + end, 0)).toBe(4 * elements);
    // All but the last are full, and of whole tiles, so that values go on as they do in one array.
    for (const { size, end } of buffers.slice(0, -1)) {
      expect(end).toBe(size);
      expect(size % tile.byteLength).toBe(0);
    }
    const sizes = buffers.map(({ size }) => size);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(parts * tile.byteLength);
  },
);

test.each([10, 2 ** 22, 2 ** 22 + 1, 100_000_007])(
  'of %i elements the first and the last are checked',
  (count) => {
    const sample = takeSample(count, (i) => i % 2 ** 24);
    expect(sample[0]).toBe(0);
    expect(sample.at(-1)).toBe((count - 1) % 2 ** 24);
    expect(sample).toHaveLength(Math.min(count, 2 ** 22));
    for (const [k, { start, count: length }] of sampleBlocks(count).entries()) {
      expect(start).toBeGreaterThanOrEqual(k === 0 ? 0 : sampleBlocks(count)[k - 1]!.start + length);
    }
  },
);
