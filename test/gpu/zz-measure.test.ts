import { expect } from 'vitest';
import { Optimizer, adam } from '../../src/index.js';
import { gpuTest } from '../support/device.js';
import { makeParameter, makeBuffer } from '../support/tensors.js';
import { vi } from 'vitest';
const stats = (list: number[]) => {
  const s = list.toSorted((a, b) => a - b);
  return `min ${s[0]!.toFixed(3)} median ${s[s.length >> 1]!.toFixed(3)}`;
};
gpuTest('measure', async ({ device, track }) => {
  const n = 1000,
    len = 1000;
  const params = Array.from({ length: n }, (_, k) =>
    makeParameter(device, track, `w${k}`, new Float32Array(len), new Float32Array(len).fill(1)),
  );
  const others = Array.from({ length: n }, () => makeBuffer(device, track, new Float32Array(len).fill(1)));
  const o = track(await Optimizer.create(device, { rule: adam(), params }));
  o.step();
  const time = (f: () => void) => {
    const t = performance.now();
    f();
    return performance.now() - t;
  };
  const one: number[] = [],
    all: number[] = [],
    step: number[] = [],
    dict: number[] = [];
  for (let r = 0; r < 30; r++) {
    one.push(time(() => o.rebind({ w500: { grad: r % 2 ? others[500]! : params[500]!.grad } })));
    const changes = Object.fromEntries(params.map((p, k) => [p.name, { grad: r % 2 ? others[k]! : p.grad }]));
    all.push(time(() => o.rebind(changes)));
    step.push(time(() => o.step()));
    await device.queue.onSubmittedWorkDone();
  }
  const submit = vi.spyOn(GPUQueue.prototype, 'submit');
  for (let r = 0; r < 3; r++) {
    const t = performance.now();
    await o.stateDict();
    dict.push(performance.now() - t);
  }
  const submits = submit.mock.calls.length / 3;
  submit.mockRestore();
  const c = track(await Optimizer.create(device, { rule: adam(), params, maxGradNorm: 1 }));
  const d = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
  c.step();
  const clip = d.mock.calls.length;
  d.mockClear();
  o.step();
  const plain = d.mock.calls.length;
  d.mockRestore();
  let live = 0;
  const created = device.createBuffer.bind(device);
  device.createBuffer = (x) => {
    live += x.size;
    const b = created(x);
    const de = b.destroy.bind(b);
    b.destroy = () => {
      live -= x.size;
      de();
    };
    return b;
  };
  const groups = Array.from({ length: 465 }, (_, k) => ({
    params: [makeParameter(device, track, `g${k}`, [1, 2, 3, 4], [1, 1, 1, 1])],
  }));
  const base = live;
  const g = track(await Optimizer.create(device, { rule: adam(), groups, maxGradNorm: 1 }));
  g.step();
  const controlled = live - base - 465 * 32;
  const p = track(await Optimizer.create(device, { rule: adam(), groups }));
  p.step();
  const bytes = live - base - controlled - 2 * 465 * 32;
  for (let k = 0; k < 50; k++)
    await p
      .addGroup({
        params: [
          makeParameter(device, ((x: GPUBuffer) => track(x)) as never, `h${k}`, [1, 2, 3, 4], [1, 1, 1, 1]),
        ],
      })
      .catch(() => 0);
  const t0 = performance.now();
  console.log(
    `MEASURED rebind one ${stats(one)} all ${stats(all)} step ${stats(step)} stateDict ${stats(dict)} submits ${submits} dispatches clip ${clip} plain ${plain} bytes465 ${bytes} controlled ${controlled} after50 ${live - base} ${t0 > 0}`,
  );
  expect(1).toBe(1);
});
