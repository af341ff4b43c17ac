/** What commands that are pending may refer to is the garbage collector's: an optimizer that is destroyed keeps none of it. */
import { expect } from 'vitest';
import { Optimizer, adam } from '../../src/index.js';
import { gpuTest } from '../support/device.js';
import { makeBuffer } from '../support/tensors.js';
import { collectGarbage, watchBuffers } from './world/live.js';

gpuTest('an optimizer that was destroyed keeps no buffer that norms() bound', async ({ device, track }) => {
  const live = watchBuffers(device);
  const own: GPUBuffer[] = [];
  const make = (length: number) => {
    const buffer = makeBuffer(device, track, new Float32Array(length).fill(1));
    own.push(buffer);
    return buffer;
  };
  const grad = { indices: make(3), values: make(9) };
  const optimizer = await Optimizer.create(device, {
    rule: adam(),
    params: [
      { name: 'table', data: make(12), grad, rowLength: 3 },
      { name: 'w', data: make(4), grad: make(4) },
    ],
  });
  optimizer.step();
  await optimizer.norms();
  // It may be submitted yet, so that nothing that it refers to is destroyed.
  optimizer.encode(device.createCommandEncoder());
  optimizer.remove(['table']);
  await device.queue.onSubmittedWorkDone();
  // What is left behind is garbage by then, and nobody's to destroy.
  for (let k = 0; k < 3; k++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collectGarbage();
  }
  optimizer.destroy();
  for (const buffer of own) buffer.destroy();
  expect(await live.left(true)).toEqual([]);
  expect(optimizer.groups).toBeDefined();
  live.stop();
});
