import { readSample } from '../page/read-back.js';
import { createArray } from '../page/workload.js';
import type { Peer } from './peer.js';

/** The largest of WebGPU's guaranteed sizes, as most code uses: 65,535 of them cover 16.7 million elements. */
const WORKGROUP_SIZE = 256;
const UNIFORM_BYTE_LENGTH = 32;

/** Adam as everyone first writes it: scalar, one element per invocation. */
const WGSL = `
struct Params { lr: f32, beta1: f32, beta2: f32, eps: f32, bias1: f32, bias2: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> weights: array<f32>;
@group(0) @binding(2) var<storage, read> grads: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;

@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i >= arrayLength(&weights)) {
    return;
  }
  let g = grads[i];
  m[i] = params.beta1 * m[i] + (1.0 - params.beta1) * g;
  v[i] = params.beta2 * v[i] + (1.0 - params.beta2) * g * g;
  let m_hat = m[i] / params.bias1;
  let v_hat = v[i] / params.bias2;
  weights[i] = weights[i] - params.lr * m_hat / (sqrt(v_hat) + params.eps);
}`;

/** Plain hand-written WGSL Adam: one scalar kernel, one dispatch per tensor, bind groups made once, one submit. */
export const naive: Peer = async ({ device, rule, workload, benchCase }) => {
  const { elementsPerTensor } = benchCase;
  const workgroupCount = Math.ceil(elementsPerTensor / WORKGROUP_SIZE);
  if (rule.name !== 'adam' || workgroupCount > device.limits.maxComputeWorkgroupsPerDimension)
    return undefined;
  const uniform = device.createBuffer({
    label: 'bench naive params',
    size: UNIFORM_BYTE_LENGTH,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  const pipeline = await device.createComputePipelineAsync({
    label: 'bench naive',
    layout: 'auto',
    compute: { module: device.createShaderModule({ label: 'bench naive', code: WGSL }) },
  });
  const states = workload.data.flatMap((_, k) =>
    ['m', 'v'].map((name) => createArray(device, `naive ${name}${k}`, elementsPerTensor)),
  );
  const bindGroups = workload.data.map((data, k) =>
    device.createBindGroup({
      label: `bench naive ${k}`,
      layout: pipeline.getBindGroupLayout(0),
      entries: [uniform, data, workload.grad[k]!, states[2 * k]!, states[2 * k + 1]!].map(
        (buffer, binding) => ({ binding, resource: { buffer } }),
      ),
    }),
  );
  const [lr, beta1, beta2, eps] = [1e-3, 0.9, 0.999, 1e-8];
  let t = 0;
  return {
    step: () => {
      t += 1;
      const params = new Float32Array([lr, beta1, beta2, eps, 1 - beta1 ** t, 1 - beta2 ** t]);
      device.queue.writeBuffer(uniform, 0, params);
      const encoder = device.createCommandEncoder({ label: 'bench naive' });
      const pass = encoder.beginComputePass({ label: 'bench naive' });
      pass.setPipeline(pipeline);
      for (const bindGroup of bindGroups) {
        pass.setBindGroup(0, bindGroup);
        pass.dispatchWorkgroups(workgroupCount);
      }
      pass.end();
      device.queue.submit([encoder.finish()]);
    },
    finish: () => device.queue.onSubmittedWorkDone(),
    weights: () => readSample(device, workload.data.at(-1)!, elementsPerTensor),
    destroy: () => {
      for (const buffer of [uniform, ...states]) buffer.destroy();
    },
  };
};
