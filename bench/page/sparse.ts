import { Optimizer, rules } from '../../src/index.js';
import type { SparsePage } from '../sparse-protocol.js';
import { createRandom } from '../../lab/random.js';
import { describeAdapter, describeBrowser, requestBenchDevice } from './device.js';
import { createWorkload } from './workload.js';

const SEED = 1;

let device: GPUDevice;
const optimizers: Optimizer[] = [];

const bench: SparsePage = {
  open: async () => {
    ({ device } = await requestBenchDevice(navigator.gpu));
    return { adapter: describeAdapter(device), browser: describeBrowser() };
  },
  add: async ({ rule, rowCount, rowLength, entryCount }) => {
    const elementCount = rowCount * rowLength;
    const text = String(elementCount);
    const workload = createWorkload(device, { text, tensorCount: 1, elementsPerTensor: elementCount }, SEED);
    const [data, grad] = [workload.data[0]!, workload.grad[0]!];
    const parameter = { name: 'table', data, length: elementCount };
    if (entryCount === undefined) {
      const params = [{ ...parameter, grad }];
      return optimizers.push(await Optimizer.create(device, { rule: rules[rule as 'adam'](), params })) - 1;
    }
    const uniform = createRandom(SEED);
    const rows = Uint32Array.from({ length: entryCount }, () => Math.floor(uniform() * rowCount));
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
    const indices = device.createBuffer({ label: 'bench indices', size: rows.byteLength, usage });
    device.queue.writeBuffer(indices, 0, rows);
    const values = { buffer: grad, size: 4 * entryCount * rowLength };
    const params = [{ ...parameter, rowLength, grad: { indices, values } }];
    return optimizers.push(await Optimizer.create(device, { rule: rules[rule as 'adam'](), params })) - 1;
  },
  measure: async (table, steps) => {
    await device.queue.onSubmittedWorkDone();
    const start = performance.now();
    for (let k = 0; k < steps; k += 1) optimizers[table]!.step();
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  },
};

Object.assign(globalThis, { bench });
