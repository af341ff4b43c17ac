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
  const { entryCount, room = entryCount } = request;
  const indices = room === undefined ? undefined : nameRows(rowCount, room);
  const count = room === entryCount ? undefined : makeWords('bench count', Uint32Array.of(entryCount!));
  const sparse = indices && {
    rowLength,
    grad: { indices, values: { buffer: dense, size: indices.size * rowLength }, ...(count && { count }) },
  };
  const rowMask = request.mask && maskRows(rowCount, request.mask);
  const optimizer = await Optimizer.create(device, {
    rule: rules[request.rule as 'adam'](),
    params: [
      {
        name: 'table',
        data,
        length: elementCount,
        ...(sparse ?? { grad: dense }),
        ...(rowMask && { rowLength, rowMask }),
      },
    ],
  });
  return {
    step: () => optimizer.step(),
    finish: () => device.queue.onSubmittedWorkDone(),
    weights: () => readSample(device, data, elementCount),
    destroy: () => {
      optimizer.destroy();
      workload.destroy();
      indices?.destroy();
      count?.destroy();
      rowMask?.destroy();
    },
  };
}

/** Random rows of a table, as a sparse gradient names them. */
function nameRows(rowCount: number, entryCount: number): GPUBuffer {
  const uniform = createRandom(SEED);
  return makeWords(
    'bench indices',
    Uint32Array.from({ length: entryCount }, () => Math.floor(uniform() * rowCount)),
  );
}

/** A mask that lets so many rows of a table through: the first ones, or ones at equal distances. */
function maskRows(rowCount: number, mask: NonNullable<TableRequest['mask']>): GPUBuffer {
  const distance = mask.isScattered ? Math.floor(rowCount / mask.rowCount) : 1;
  const words = new Uint32Array(rowCount);
  for (let k = 0; k < mask.rowCount; k++) words[k * distance] = 1;
  return makeWords('bench mask', words);
}

function makeWords(label: string, words: Uint32Array<ArrayBuffer>): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ label, size: words.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, words);
  return buffer;
}

export const bench = suitePage<TableRequest>(async () => {
  ({ device } = await requestBenchDevice(navigator.gpu));
  return { adapter: describeAdapter(device), browser: describeBrowser() };
}, prepare);
