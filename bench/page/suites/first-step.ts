import { describeAdapter, describeBrowser, requestBenchDevice } from '../../../lab/measuring/page/device.js';
import { Optimizer, matrixRules, rules } from '../../../src/index.js';
import type { FirstStepRequest } from '../../suites/first-step.js';
import { type SuiteContestant, suitePage } from '../suite-page.js';

let device: GPUDevice;

async function prepare({ rule, elementCount, isCold }: FirstStepRequest): Promise<SuiteContestant> {
  const factory = rule === undefined ? undefined : { ...rules, ...matrixRules }[rule as 'adam'];
  const side = Math.sqrt(elementCount);
  const shape = Number.isInteger(side) ? [side, side] : [elementCount, 1];
  return {
    step: async () => {
      const used = isCold ? await requestPlainDevice() : device;
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
      const [data, grad] = ['data', 'grad'].map((role) =>
        used.createBuffer({ label: `bench ${role}`, size: 4 * elementCount, usage }),
      ) as [GPUBuffer, GPUBuffer];
      const optimizer =
        factory &&
        (await Optimizer.create(used, { rule: factory(), params: [{ name: 'w', data, grad, shape }] }));
      optimizer?.step();
      await used.queue.onSubmittedWorkDone();
      optimizer?.destroy();
      for (const buffer of [data, grad]) buffer.destroy();
      if (isCold) used.destroy();
    },
    finish: async () => {},
    destroy: () => {},
  };
}

/** A device that may be lost: it is destroyed as soon as it has served. */
async function requestPlainDevice(): Promise<GPUDevice> {
  const adapter = (await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' }))!;
  const fresh = await adapter.requestDevice({ label: 'bench cold' });
  fresh.addEventListener('uncapturederror', ({ error }) => {
    throw new Error(error.message);
  });
  return fresh;
}

export const bench = suitePage<FirstStepRequest>(async () => {
  ({ device } = await requestBenchDevice(navigator.gpu));
  return { adapter: describeAdapter(device), browser: describeBrowser() };
}, prepare);
