import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { fetchDigits } from '../../lab/tasks/digits.js';
import { GpuSession } from '../../demo/train/gpu-session.js';
import { createParameter } from '../../demo/train/parameter.js';
import { trainShortly } from './training.js';

test('TensorFlow.js reads and the queue writes the same bytes', async () => {
  const session = await GpuSession.open();
  try {
    const parameter = createParameter(session, 'p', [2, 2], new Float32Array([1, 2, 3, 4]));
    expect(session.bufferOf(parameter.variable)).toBe(parameter.buffer);
    const doubled = tf.mul(parameter.variable, 2);
    session.flush();
    session.device.queue.writeBuffer(parameter.buffer, 0, new Float32Array([5, 6, 7, 8]));
    const doubledLater = tf.mul(parameter.variable, 2);
    expect([...(await doubled.data())]).toEqual([2, 4, 6, 8]);
    expect([...(await doubledLater.data())]).toEqual([10, 12, 14, 16]);
    session.assertHealthy();
  } finally {
    session.close();
  }
});

test('closing destroys the device, and the next session gets a new one', async () => {
  const first = await GpuSession.open();
  createParameter(first, 'same name', [1], new Float32Array([1]));
  first.close();
  expect((await first.device.lost).reason).toBe('destroyed');
  // Closing is no failure, and closing twice is none either.
  first.assertHealthy();
  first.close();

  const second = await GpuSession.open();
  try {
    expect(second.device).not.toBe(first.device);
    const { variable } = createParameter(second, 'same name', [1], new Float32Array([2]));
    expect([...(await variable.data())]).toEqual([2]);
  } finally {
    second.close();
  }
});

test('an error that the device reports outside any scope fails the run with its text', async () => {
  const session = await GpuSession.open();
  try {
    // Mapping for reading and storage exclude each other; both are asked for.
    session.device.createBuffer({
      label: 'impossible',
      size: 16,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE,
    });
    const digits = await fetchDigits();
    await expect(
      trainShortly(session, digits, { source: 'webgpu-optim', rule: 'sgd' }, { maxSteps: 1 }),
    ).rejects.toThrow(/reported an error: .*map/is);
  } finally {
    session.close();
  }
});
