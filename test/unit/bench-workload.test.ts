import { expect, test, vi } from 'vitest';
import { createArrays, createRandomTile } from '../../bench/page/workload.js';

const MIB = 2 ** 20;

/** A device that says what its buffers were filled with, as stretches of the tile. */
function recordingDevice(maxBufferSize: number, maxStorageBufferBindingSize: number) {
  const buffers: { size: number; end: number; tileOffsets: number[] }[] = [];
  const device = {
    limits: { maxBufferSize, maxStorageBufferBindingSize },
    createBuffer: ({ size }: GPUBufferDescriptor) => {
      buffers.push({ size, end: 0, tileOffsets: [] });
      return buffers.at(-1);
    },
    queue: {
      writeBuffer: (
        buffer: (typeof buffers)[number],
        offset: number,
        _tile: Float32Array,
        start: number,
        count: number,
      ) => {
        expect(offset).toBe(buffer.end);
        buffer.tileOffsets.push(start);
        buffer.end += 4 * count;
      },
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
    vi.stubGlobal('GPUBufferUsage', { STORAGE: 0x80, COPY_SRC: 0x04, COPY_DST: 0x08 });
    const { device, buffers } = recordingDevice(bufferLimit, bindingLimit);
    const tile = createRandomTile(elements, 1);
    createArrays(device, 'data', elements, tile);
    vi.unstubAllGlobals();

    expect(buffers).toHaveLength(parts);
    for (const { size, tileOffsets } of buffers) {
      expect(size).toBeLessThanOrEqual(Math.min(bufferLimit, bindingLimit));
      expect(size % 16).toBe(0);
      expect(new Set(tileOffsets)).toEqual(new Set([0]));
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
