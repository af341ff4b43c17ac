/** Checkpoints that take more than one piece, and what they take in memory meanwhile. */
import { expect, inject } from 'vitest';
import { Optimizer, loadCheckpoint, momentum, saveCheckpoint } from '../../src/index.js';
import { Random } from '../../proof/random.js';
import { bitDifference } from '../../proof/compare.js';
import { gpuTest } from '../support/device.js';
import { watchBuffers } from '../support/live-buffers.js';
import { makeBuffer } from '../support/tensors.js';

gpuTest('a state of many pieces, through little memory, and nothing is left', async ({ device, track }) => {
  // No multiples of a piece, and copies that end within a tensor: 23 MB in all.
  const lengths = { large: 2 ** 21 + 3, middle: 2 ** 18 + 1, small: 3, other: 2 ** 19 + 1 };
  const random = new Random(inject('seed'));
  const grad = makeBuffer(device, track, new Float32Array(lengths.large));
  const states = Object.fromEntries(
    Object.entries(lengths).map(([name, length]) => {
      const first = random.integer(1000);
      return [name, new Float32Array(length).map((_, k) => first + k)];
    }),
  );
  const make = async () => {
    const params = Object.entries(lengths).map(([name, length]) => ({
      name,
      data: makeBuffer(device, track, new Float32Array(length)),
      grad: { buffer: grad, size: 4 * length },
    }));
    return track(await Optimizer.create(device, { rule: momentum(), params }));
  };
  const [optimizer, resumed] = [await make(), await make()];
  for (const [name, state] of Object.entries(states)) optimizer.writeState(name, 'momentum_buffer', state);
  const live = track(watchBuffers(device));
  const sizes: number[] = [];
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    if (descriptor.usage & GPUBufferUsage.MAP_READ) sizes.push(descriptor.size);
    return create(descriptor);
  };
  const liveAt: number[] = [];
  const onProgress = () => liveAt.push(live.byteLength);
  const { bytes, byteLength } = await saveCheckpoint(optimizer, 'bytes', { onProgress }).finally(() => {
    device.createBuffer = create;
  });
  // Copies that are read are freed on the way: the last one is left, and what the pieces go through.
  expect(liveAt.at(-1)).toBeLessThanOrEqual(2 * 2 ** 24);
  expect(byteLength).toBe(8 * Object.values(lengths).reduce((sum, length) => sum + length));
  // Two for the pieces, however many there are; none is larger.
  expect(sizes.filter((size) => size > 1024)).toEqual([2 ** 23, 2 ** 23]);
  expect(live.labels).toEqual([]);
  await loadCheckpoint(resumed, bytes);
  expect(live.labels).toEqual([]);
  for (const [name, state] of Object.entries(states)) {
    expect(bitDifference(await resumed.readState(name, 'momentum_buffer'), state), name).toBeUndefined();
  }
});
