import { askLengthsFirst } from '../../../src/gpu/array-lengths.js';
import type { KernelShape } from '../../../src/kernel/shape.js';
import { readSample } from '../../../lab/measuring/page/read-back.js';
import { findFastest } from '../../../lab/measuring/page/tune.js';
import { createArray } from '../../../lab/measuring/page/workload.js';
import type { Peer } from '../../../lab/measuring/peers/peer.js';

/** Workgroups of 4 fill SwiftShader's vectors just so; the others are what GPUs like. */
const WORKGROUP_SIZES = [4, 32, 64, 128, 256];
const LANES_PER_INVOCATION = [1, 2, 4, 8, 16, 64, 256];

/** Consecutive lanes as CPU adapters like them, and a few lanes a workgroup apart as GPUs do. */
const CANDIDATES: readonly KernelShape[] = WORKGROUP_SIZES.flatMap((workgroupSize) =>
  LANES_PER_INVOCATION.flatMap((lanesPerInvocation) =>
    [true, false]
      .filter((consecutive) => (consecutive ? lanesPerInvocation > 1 : lanesPerInvocation <= 4))
      .map((consecutive) => ({
        workgroupSize,
        lanesPerInvocation,
        consecutive,
      })),
  ),
);

/**
 * Adam over vec4s with everything that is the same for all elements, or for all steps, taken out of the loop: moments
 * in lerp form, bias corrections folded into two factors, the tensor's length a constant.
 */
const WGSL = `
override WORKGROUP_SIZE: u32;
override LANES_PER_INVOCATION: u32;
override CONSECUTIVE: bool;
override LANE_COUNT: u32;

struct Params { alpha1: f32, alpha2: f32, step_size: f32, v_scale: f32, eps: f32 }

@group(0) @binding(0) var<uniform> uniform_params: Params;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4f>;
@group(0) @binding(2) var<storage, read> grads: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> v: array<vec4f>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let params = uniform_params;
  let start = workgroup_id.x * WORKGROUP_SIZE * LANES_PER_INVOCATION;
  var i = start + local_index;
  var stride = WORKGROUP_SIZE;
  var end = start + WORKGROUP_SIZE * LANES_PER_INVOCATION;
  if (CONSECUTIVE) {
    i = start + local_index * LANES_PER_INVOCATION;
    stride = 1u;
    end = i + LANES_PER_INVOCATION;
  }
  end = min(end, LANE_COUNT);
  for (; i < end; i += stride) {
    let g = grads[i];
    let m_new = m[i] + (g - m[i]) * params.alpha1;
    let v_new = v[i] + (g * g - v[i]) * params.alpha2;
    m[i] = m_new;
    v[i] = v_new;
    weights[i] -= params.step_size * m_new / (sqrt(v_new * params.v_scale) + params.eps);
  }
}`;

/**
 * What can be had by hand, Adam only: one dispatch per tensor, all that WebGPU lets one keep is kept, one uniform write
 * and one submit a step, in the fastest of all shapes for these very tensors.
 */
export const hand: Peer = async ({ device, rule, workload, benchCase }) => {
  if (rule.name !== 'adam') return undefined;
  const { elementsPerTensor } = benchCase;
  const laneCount = Math.ceil(elementsPerTensor / 4);
  const label = 'bench hand';
  const uniform = device.createBuffer({
    label,
    size: 32,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  const types: GPUBufferBindingType[] = ['uniform', 'storage', 'read-only-storage', 'storage', 'storage'];
  const bindGroupLayout = device.createBindGroupLayout({
    label,
    entries: types.map((type, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type },
    })),
  });
  const states = workload.data.map(() =>
    ['m', 'v'].map((name) => createArray(device, `hand ${name}`, elementsPerTensor)),
  );
  const bindGroups = workload.data.map((data, k) =>
    device.createBindGroup({
      label,
      layout: bindGroupLayout,
      entries: [uniform, data, workload.grad[k]!, ...states[k]!].map((buffer, binding) => ({
        binding,
        resource: { buffer },
      })),
    }),
  );
  const module = device.createShaderModule({ label, code: askLengthsFirst(WGSL, 'main') });
  const layout = device.createPipelineLayout({ label, bindGroupLayouts: [bindGroupLayout] });
  const compile = (shape: KernelShape): Promise<GPUComputePipeline> =>
    device.createComputePipelineAsync({
      label,
      layout,
      compute: {
        module,
        constants: {
          WORKGROUP_SIZE: shape.workgroupSize,
          LANES_PER_INVOCATION: shape.lanesPerInvocation,
          CONSECUTIVE: Number(shape.consecutive),
          LANE_COUNT: laneCount,
        },
      },
    });
  let t = 0;
  const makeStep = (shape: KernelShape, pipeline: GPUComputePipeline) => {
    const workgroupCount = countWorkgroups(laneCount, shape);
    return (lr: number) => {
      t += 1;
      const [beta1, beta2, eps] = [0.9, 0.999, 1e-8];
      const params = [1 - beta1, 1 - beta2, lr / (1 - beta1 ** t), 1 / (1 - beta2 ** t), eps];
      device.queue.writeBuffer(uniform, 0, new Float32Array(params));
      const encoder = device.createCommandEncoder({ label });
      const pass = encoder.beginComputePass({ label });
      pass.setPipeline(pipeline);
      for (const bindGroup of bindGroups) {
        pass.setBindGroup(0, bindGroup);
        pass.dispatchWorkgroups(workgroupCount);
      }
      pass.end();
      device.queue.submit([encoder.finish()]);
    };
  };
  const shapes = CANDIDATES.filter(
    (shape) => countWorkgroups(laneCount, shape) <= device.limits.maxComputeWorkgroupsPerDimension,
  );
  const pipelines = await Promise.all(shapes.map(compile));
  const steps = shapes.map((shape, k) => makeStep(shape, pipelines[k]!));
  // With a learning rate of 0 the tuning leaves the weights, which are shared, as they are.
  const best = await findFastest(
    device,
    steps.map((step) => () => step(0)),
  );
  return {
    shape: shapes[best]!,
    step: () => steps[best]!(1e-3),
    finish: () => device.queue.onSubmittedWorkDone(),
    weights: () => readSample(device, workload.data.at(-1)!, elementsPerTensor),
    destroy: () => {
      for (const buffer of [uniform, ...states.flat()]) buffer.destroy();
    },
  };
};

function countWorkgroups(laneCount: number, { workgroupSize, lanesPerInvocation }: KernelShape): number {
  return Math.ceil(laneCount / (workgroupSize * lanesPerInvocation));
}
