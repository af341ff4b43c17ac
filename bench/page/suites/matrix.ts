import { describeAdapter, describeBrowser, requestBenchDevice } from '../../../lab/measuring/page/device.js';
import { readSample } from '../../../lab/measuring/page/read-back.js';
import { createArray, createRandomTile } from '../../../lab/measuring/page/workload.js';
import { Optimizer, muon } from '../../../src/index.js';
import type { MatrixRequest } from '../../suites/matrix-work.js';
import { ceiling } from '../products/ceiling.js';
import { naive } from '../products/naive.js';
import { type SuiteContestant, suitePage } from '../suite-page.js';

const SEED = 1;

let device: GPUDevice;

async function prepareMuon({ stacks, iterations }: MatrixRequest): Promise<SuiteContestant> {
  const params = stacks.flatMap(({ rows, columns, count }, s) => {
    const elementCount = rows * columns;
    return Array.from({ length: count }, (_, k) => {
      const values = createRandomTile(elementCount, SEED + 100 * s + k);
      const [data, grad] = (['data', 'grad'] as const).map((role) =>
        createArray(device, `matrix ${s} ${k} ${role}`, elementCount, values),
      );
      return { name: `w${s}.${k}`, shape: [rows, columns], data: data!, grad: grad!, length: elementCount };
    });
  });
  const optimizer = await Optimizer.create(device, { rule: muon({ nsSteps: iterations }), params });
  const [{ data, length }] = params as [(typeof params)[number]];
  return {
    step: () => optimizer.step(),
    finish: () => device.queue.onSubmittedWorkDone(),
    weights: () => readSample(device, data, length),
    destroy: () => {
      optimizer.destroy();
      for (const parameter of params) for (const role of ['data', 'grad'] as const) parameter[role].destroy();
    },
  };
}

async function prepare(request: MatrixRequest): Promise<SuiteContestant> {
  const { contestant } = request;
  switch (contestant.kind) {
    case 'muon':
      return prepareMuon(request);
    case 'naive':
      return naive(device, request);
    case 'ceiling':
      return ceiling(device, request, contestant.chains);
    case 'tfjs':
      return (await import('../products/tfjs.js')).tfjs(request);
    default:
      return (await import('../products/jax-js.js')).jaxJs(request);
  }
}

export const bench = suitePage<MatrixRequest>(async () => {
  ({ device } = await requestBenchDevice(navigator.gpu));
  return { adapter: describeAdapter(device), browser: describeBrowser() };
}, prepare);
