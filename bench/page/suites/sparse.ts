import { describeAdapter, describeBrowser, requestBenchDevice } from '../../../lab/measuring/page/device.js';
import { readSample } from '../../../lab/measuring/page/read-back.js';
import { createWorkload } from '../../../lab/measuring/page/workload.js';
import { createRandom } from '../../../lab/random.js';
import { Optimizer, rules } from '../../../src/index.js';
import type { TableRequest } from '../../suites/sparse.js';
import { type SuiteContestant, suitePage } from '../suite-page.js';

const SEED = 1;

let device: GPUDevice;

async function prepare(request: TableRequest): Promise<SuiteContestant> {
  const { rowCount, rowLength } = request;
  const elementCount = rowCount * rowLength;
  const text = String(elementCount);
  const workload = createWorkload(device, { text, tensorCount: 1, elementsPerTensor: elementCount }, SEED);
  const [data, dense] = [workload.data[0]!, workload.grad[0]!];
  const indices = request.entryCount === undefined ? undefined : nameRows(rowCount, request.entryCount);
  const sparse = indices && {
    rowLength,
    grad: { indices, values: { buffer: dense, size: indices.size * rowLength } },
  };
  const optimizer = await Optimizer.create(device, {
    rule: rules[request.rule as 'adam'](),
    params: [{ name: 'table', data, length: elementCount, ...(sparse ?? { grad: dense }) }],
  });
  return {
    step: () => optimizer.step(),
    finish: () => device.queue.onSubmittedWorkDone(),
    weights: () => readSample(device, data, elementCount),
    destroy: () => {
      optimizer.destroy();
      workload.destroy();
      indices?.destroy();
    },
  };
}

/** Random rows of a table, as a sparse gradient names them. */
function nameRows(rowCount: number, entryCount: number): GPUBuffer {
  const uniform = createRandom(SEED);
  const rows = Uint32Array.from({ length: entryCount }, () => Math.floor(uniform() * rowCount));
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const indices = device.createBuffer({ label: 'bench indices', size: rows.byteLength, usage });
  device.queue.writeBuffer(indices, 0, rows);
  return indices;
}

export const bench = suitePage<TableRequest>(async () => {
  ({ device } = await requestBenchDevice(navigator.gpu));
  return { adapter: describeAdapter(device), browser: describeBrowser() };
}, prepare);
