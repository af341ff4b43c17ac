import { type KernelShape, chooseGrid } from '../../../src/kernel/shape.js';

/**
 * A kernel that reads weight, gradient and `slotCount` state arrays and writes all but the gradient, and computes
 * next to nothing: the values move round by one array, and one addition keeps every load alive. No optimizer step
 * with the same arrays can be faster.
 */
export function composeLimitKernel(slotCount: number): string {
  const names = ['data', ...Array.from({ length: slotCount }, (_, k) => `state${k}`)];
  const rotated = [...names.slice(1), names[0]!];
  return `
override WORKGROUP_SIZE: u32 = 256u;
override LANES_PER_INVOCATION: u32 = 1u;
override CONSECUTIVE: bool = false;

@group(0) @binding(0) var<storage, read> grad: array<vec4<f32>>;
${names.map((name, k) => `@group(0) @binding(${k + 1}) var<storage, read_write> ${name}: array<vec4<f32>>;`).join('\n')}

@compute @workgroup_size(WORKGROUP_SIZE)
fn step(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let lane_count = arrayLength(&data);
  let workgroup = workgroup_id.y * workgroup_count.x + workgroup_id.x;
  let start = workgroup * WORKGROUP_SIZE * LANES_PER_INVOCATION;
  var i = start + local_index;
  var stride = WORKGROUP_SIZE;
  var end = start + WORKGROUP_SIZE * LANES_PER_INVOCATION;
  if (CONSECUTIVE) {
    i = start + local_index * LANES_PER_INVOCATION;
    stride = 1u;
    end = i + LANES_PER_INVOCATION;
  }
  end = min(end, lane_count);
  for (; i < end; i += stride) {
${names.map((name) => `    let ${name}_value = ${name}[i]${name === 'data' ? ' + grad[i]' : ''};`).join('\n')}
${names.map((name, k) => `    ${name}[i] = ${rotated[k]}_value;`).join('\n')}
  }
}`;
}

/** A limit kernel of some shape, bound to its arrays. */
export interface LimitKernel {
  encode(pass: GPUComputePassEncoder): void;
}

/**
 * Compiles the limit kernel in a shape and binds it, part by part where one binding cannot hold an array.
 *
 * @param parts per part gradient, weight and state, equally long, of whole vec4s.
 */
export async function createLimitKernel(
  device: GPUDevice,
  parts: readonly (readonly GPUBuffer[])[],
  shape: KernelShape,
): Promise<LimitKernel> {
  const label = 'bench limit';
  const pipeline = await device.createComputePipelineAsync({
    label,
    layout: 'auto',
    compute: {
      module: device.createShaderModule({ label, code: composeLimitKernel(parts[0]!.length - 2) }),
      constants: {
        WORKGROUP_SIZE: shape.workgroupSize,
        LANES_PER_INVOCATION: shape.lanesPerInvocation,
        CONSECUTIVE: Number(shape.consecutive),
      },
    },
  });
  const dispatches = parts.map((arrays) => ({
    bindGroup: device.createBindGroup({
      label,
      layout: pipeline.getBindGroupLayout(0),
      entries: arrays.map((buffer, binding) => ({ binding, resource: { buffer } })),
    }),
    grid: chooseGrid(arrays[0]!.size / 16, shape, device.limits.maxComputeWorkgroupsPerDimension),
  }));
  return {
    encode: (pass) => {
      pass.setPipeline(pipeline);
      for (const { bindGroup, grid } of dispatches) {
        pass.setBindGroup(0, bindGroup);
        pass.dispatchWorkgroups(...grid);
      }
    },
  };
}
