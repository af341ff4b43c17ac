import { describeAdapter, describeBrowser, requestBenchDevice } from '../../../lab/measuring/page/device.js';
import { createLimitKernel } from '../../../lab/measuring/page/limit-kernel.js';
import { readSample } from '../../../lab/measuring/page/read-back.js';
import { createArray, createRandomTile } from '../../../lab/measuring/page/workload.js';
import { Optimizer, rules } from '../../../src/index.js';
import { layoutOf } from '../../../src/kernel/rule-layout.js';
import type { ShapeRequest } from '../../suites/shapes.js';
import { type SuiteContestant, suitePage } from '../suite-page.js';

const SEED = 1;

let device: GPUDevice;
/** Of all contestants of a heat; a large tensor would not fit into memory for each. */
let arrays: GPUBuffer[] = [];
let users = 0;

/** Gradient and weights, with state behind them for the limit; made for the first contestant of a heat. */
function shareArrays({ rule, elementCount }: ShapeRequest): GPUBuffer[] {
  if (users++ > 0) return arrays;
  const values = createRandomTile(elementCount, SEED);
  const names = ['grad', 'data', ...layoutOf(rules[rule as 'adam']()).elementSlots];
  arrays = names.map((name) => createArray(device, `shapes ${name}`, elementCount, values));
  return arrays;
}

function releaseArrays(): void {
  users -= 1;
  if (users === 0) for (const buffer of arrays) buffer.destroy();
}

async function prepareOurs(request: ShapeRequest): Promise<SuiteContestant> {
  const { rule, elementCount, shape: kernel } = request;
  const [grad, data] = shareArrays(request) as [GPUBuffer, GPUBuffer];
  const params = [{ name: 'w', data, grad, length: elementCount }];
  const optimizer = await Optimizer.create(device, { rule: rules[rule as 'adam'](), params, kernel });
  return {
    step: () => optimizer.step(),
    finish: () => device.queue.onSubmittedWorkDone(),
    weights: () => readSample(device, data, elementCount),
    destroy: () => {
      optimizer.destroy();
      releaseArrays();
    },
  };
}

async function prepareLimit(request: ShapeRequest): Promise<SuiteContestant> {
  const own = shareArrays(request);
  const kernel = await createLimitKernel(device, [{ arrays: own }], request.shape);
  return {
    step: () => {
      const encoder = device.createCommandEncoder({ label: 'bench limit' });
      const pass = encoder.beginComputePass({ label: 'bench limit' });
      kernel.encode(pass);
      pass.end();
      device.queue.submit([encoder.finish()]);
    },
    finish: () => device.queue.onSubmittedWorkDone(),
    destroy: () => {
      kernel.destroy();
      releaseArrays();
    },
  };
}

export const bench = suitePage<ShapeRequest>(
  async () => {
    ({ device } = await requestBenchDevice(navigator.gpu));
    return { adapter: describeAdapter(device), browser: describeBrowser() };
  },
  (request) => (request.source === 'ours' ? prepareOurs(request) : prepareLimit(request)),
);
