import { describeAdapter, describeBrowser, requestBenchDevice } from '../../../lab/measuring/page/device.js';
import { createRandom } from '../../../lab/random.js';
import { f32 } from '../../../src/codecs/f32.js';
import { resolveCodec } from '../../../src/codecs/weight-dtype.js';
import { Optimizer, rules } from '../../../src/index.js';
import type { DtypesRequest } from '../../suites/dtypes.js';
import { type SuiteContestant, suitePage } from '../suite-page.js';

const SEED = 1;
/** Weights that are read to see that they have changed. */
const SAMPLE = 64;

let device: GPUDevice;

async function prepare(request: DtypesRequest): Promise<SuiteContestant> {
  const { elementCount, dtype, settings } = request;
  const uniform = createRandom(SEED);
  const values = Float32Array.from({ length: elementCount }, () => 2 * uniform() - 1);
  const codec = resolveCodec(dtype, 'dtype', 'bench') ?? f32;
  const make = (role: 'data' | 'grad'): GPUBuffer => {
    const bytes = codec.encode(values.slice());
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = device.createBuffer({ label: `bench ${role}`, size: bytes.byteLength, usage });
    device.queue.writeBuffer(buffer, 0, bytes);
    return buffer;
  };
  const [data, grad] = [make('data'), make('grad')];
  const optimizer = await Optimizer.create(device, {
    rule: rules[request.rule as 'adam'](),
    params: [{ name: 'w', data, grad, length: elementCount, dtype, gradDtype: dtype }],
    ...settings,
  });
  return {
    step: () => optimizer.step(),
    finish: () => device.queue.onSubmittedWorkDone(),
    weights: async () => (await optimizer.readParam('w')).slice(0, SAMPLE),
    destroy: () => {
      optimizer.destroy();
      data.destroy();
      grad.destroy();
    },
  };
}

export const bench = suitePage<DtypesRequest>(async () => {
  ({ device } = await requestBenchDevice(navigator.gpu));
  return { adapter: describeAdapter(device), browser: describeBrowser() };
}, prepare);
