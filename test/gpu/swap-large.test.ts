/** Exchanging weights with their average: many bytes, and buffers that allow little. */
import { expect } from 'vitest';
import { Optimizer, OptimizerError, sgd } from '../../src/index.js';
import { gpuTest } from '../support/device.js';
import { makeBuffer } from '../support/tensors.js';

gpuTest('more than 16 MiB are exchanged, to the last element', async ({ device, track }) => {
  const length = 2 ** 22 + 70_001;
  const weights = Float32Array.from({ length }, (_, i) => i % 1021);
  const data = makeBuffer(device, track, weights);
  const grad = makeBuffer(device, track, new Float32Array(length).fill(2));
  const config = { rule: sgd({ lr: 1 }), params: [{ name: 'w', data, grad }], ema: { decay: 0.5 } };
  const optimizer = track(await Optimizer.create(device, config));
  optimizer.step();
  for (const [there, back] of [
    [() => optimizer.swapEma(), () => optimizer.swapEma()],
    [() => optimizer.eval(), () => optimizer.train()],
  ] as const) {
    there();
    const evaluated = await optimizer.readParam('w');
    back();
    const trained = await optimizer.readParam('w');
    // The average of w and w − 2, halfway.
    const wrong = weights.findIndex((w, i) => evaluated[i] !== w - 1 || trained[i] !== w - 2);
    expect(wrong, `${evaluated[wrong]}, ${trained[wrong]} of ${weights[wrong]}`).toBe(-1);
  }
});

gpuTest('buffers that may only be stored to: exchanged, or refused as a whole', async ({ device, track }) => {
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  for (const usage of [STORAGE | COPY_SRC, STORAGE | COPY_DST, STORAGE]) {
    const lacking = {
      name: 'b',
      data: makeBuffer(device, track, [4, 4], usage),
      grad: makeBuffer(device, track, [2, 2]),
    };
    const full = { name: 'a', data: makeBuffer(device, track, [8]), grad: makeBuffer(device, track, [2]) };
    const params = [full, lacking];
    const optimizer = track(
      await Optimizer.create(device, { rule: sgd({ lr: 1 }), params, ema: { decay: 0.5 } }),
    );
    optimizer.step();
    let isExchanged = true;
    try {
      optimizer.eval();
    } catch (error) {
      expect(error).toBeInstanceOf(OptimizerError);
      expect((error as Error).message).toContain('"b"');
      isExchanged = false;
    }
    expect([...(await optimizer.readParam('a'))]).toEqual([isExchanged ? 7 : 6]);
    if ((usage & COPY_SRC) !== 0) {
      const want = isExchanged ? [3, 3] : [2, 2];
      expect([...(await optimizer.readParam('b'))]).toEqual(want);
    }
    if (isExchanged) optimizer.train();
    optimizer.step();
    expect([...(await optimizer.readParam('a'))]).toEqual([4]);
  }
});
