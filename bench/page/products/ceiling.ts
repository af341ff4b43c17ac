import { createArray } from '../../../lab/measuring/page/workload.js';
import { readSample } from '../../../lab/measuring/page/read-back.js';
import { type MatrixRequest, multiplyAdds } from '../../suites/matrix-work.js';
import type { SuiteContestant } from '../suite-page.js';

const THREADS = 64;
const WORKGROUPS = 256;
const LANES = 4;

const list = (count: number, of: (k: number) => string, by: string): string =>
  Array.from({ length: count }, (_, k) => of(k)).join(by);

/**
 * Multiplications and additions of what is in registers: sums of four that do not wait for each other. They are written apart, as the
 * library's are, and contracted where the compiler does so.
 */
const compose = (chains: number): string => `
@group(0) @binding(0) var<uniform> rounds: vec4<u32>;
@group(0) @binding(1) var<storage, read_write> values: array<vec4<f32>>;

@compute @workgroup_size(${THREADS})
fn multiply(@builtin(global_invocation_id) id: vec3<u32>) {
  let start = values[id.x];
  let factor = start * 0.001 + 0.5;
  ${list(chains, (k) => `var s${k} = start + ${k}.0;`, '\n  ')}
  for (var k = 0u; k < rounds.x; k++) {
    ${list(chains, (k) => `s${k} = s${k} * factor + start;`, '\n    ')}
  }
  values[id.x] = 0.1 * (${list(chains, (k) => `s${k}`, ' + ')});
}`;

/** As many multiplications with their additions as a request takes, and next to no memory. */
export async function ceiling(
  device: GPUDevice,
  request: MatrixRequest,
  chains: number,
): Promise<SuiteContestant> {
  const label = `bench ceiling of ${chains} chains`;
  const pipeline = await device.createComputePipelineAsync({
    label,
    layout: 'auto',
    compute: { module: device.createShaderModule({ label, code: compose(chains) }) },
  });
  const laneCount = THREADS * WORKGROUPS;
  const rounds = Math.max(1, Math.round(multiplyAdds(request) / (laneCount * LANES * chains)));
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const uniform = device.createBuffer({ label, size: 16, usage });
  device.queue.writeBuffer(uniform, 0, new Uint32Array([rounds]));
  const elementCount = LANES * laneCount;
  const first = Float32Array.from({ length: elementCount }, (_, i) => i / elementCount);
  const values = createArray(device, label, elementCount, first);
  const bindGroup = device.createBindGroup({
    label,
    layout: pipeline.getBindGroupLayout(0),
    entries: [uniform, values].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  return {
    step: () => {
      const encoder = device.createCommandEncoder({ label });
      const pass = encoder.beginComputePass({ label });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(WORKGROUPS);
      pass.end();
      device.queue.submit([encoder.finish()]);
    },
    finish: () => device.queue.onSubmittedWorkDone(),
    weights: () => readSample(device, values, elementCount),
    destroy: () => {
      uniform.destroy();
      values.destroy();
    },
  };
}
