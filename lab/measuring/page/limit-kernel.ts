import { askLengthsFirst } from '../../../src/gpu/array-lengths.js';
import { type KernelShape, chooseGrid } from '../../../src/kernel/shape.js';

/**
 * A kernel that reads weight, gradient and `slotCount` state arrays and writes all but the gradient, and computes
 * next to nothing: the values move round by one array, and one addition keeps every load alive. No optimizer step
 * with the same arrays can be faster.
 */
export function composeLimitKernel(slotCount: number): string {
  const names = ['data', ...Array.from({ length: slotCount }, (_, k) => `state${k}`)];
  const rotated = [...names.slice(1), names[0]!];
  return composeLoop(
    `@group(0) @binding(0) var<storage, read> grad: array<vec4<f32>>;
${names.map((name, k) => `@group(0) @binding(${k + 1}) var<storage, read_write> ${name}: array<vec4<f32>>;`).join('\n')}`,
    'data',
    `${names.map((name) => `    let ${name}_value = ${name}[i]${name === 'data' ? ' + grad[i]' : ''};`).join('\n')}
${names.map((name, k) => `    ${name}[i] = ${rotated[k]}_value;`).join('\n')}`,
  );
}

/** A kernel that reads arrays and adds up all that it reads. It stores the sum in a case that never comes. */
export function composeReadKernel(arrayCount: number): string {
  const names = Array.from({ length: arrayCount }, (_, k) => `array${k}`);
  return composeLoop(
    `@group(0) @binding(0) var<storage, read_write> sink: array<vec4<f32>>;
${names.map((name, k) => `@group(0) @binding(${k + 1}) var<storage, read> ${name}: array<vec4<f32>>;`).join('\n')}`,
    'array0',
    `    sum += ${names.map((name) => `${name}[i]`).join(' + ')};`,
    `
  // Compilers do not know that it is never so.
  if (all(sum == vec4<f32>(1e38, -1e38, 1e37, -1e37))) {
    sink[0] = sum;
  }`,
  );
}

/** A kernel in any shape over arrays that are as long as `counted`: `body` for each index i, and what follows the loop. */
const composeLoop = (variables: string, counted: string, body: string, behind = ''): string => `
override WORKGROUP_SIZE: u32 = 256u;
override LANES_PER_INVOCATION: u32 = 1u;
override CONSECUTIVE: bool = false;

${variables}

@compute @workgroup_size(WORKGROUP_SIZE)
fn step(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let lane_count = arrayLength(&${counted});
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
  var sum = vec4<f32>(0.0);
  for (; i < end; i += stride) {
${body}
  }${behind}
}`;

/** A limit kernel of some shape, bound to its arrays. */
export interface LimitKernel {
  encode(pass: GPUComputePassEncoder): void;
  /** Frees what is its own; the arrays are the caller's. */
  destroy(): void;
}

/** Where a part of the arrays lies. */
export interface LimitPart {
  /** Gradient, weight and state, equally long, of whole vec4s. */
  readonly arrays: readonly GPUBuffer[];
  /** Those of them that are read once before. */
  readonly read?: readonly GPUBuffer[];
}

/** Compiles the limit kernel in a shape and binds it, part by part where one binding cannot hold an array; in front of it, the one that reads. */
export async function createLimitKernel(
  device: GPUDevice,
  parts: readonly LimitPart[],
  shape: KernelShape,
): Promise<LimitKernel> {
  const { arrays, read = [] } = parts[0]!;
  const moving = await createDispatches(device, {
    code: composeLimitKernel(arrays.length - 2),
    parts: parts.map((part) => part.arrays),
    shape,
  });
  if (read.length === 0) return moving;
  const sink = device.createBuffer({ label: 'bench limit sink', size: 16, usage: GPUBufferUsage.STORAGE });
  const reading = await createDispatches(device, {
    code: composeReadKernel(read.length),
    parts: parts.map((part) => [sink, ...part.read!]),
    shape,
  });
  return {
    encode: (pass) => {
      reading.encode(pass);
      moving.encode(pass);
    },
    destroy: () => sink.destroy(),
  };
}

interface Dispatches {
  readonly code: string;
  /** What is bound; the last one has an element per lane. */
  readonly parts: readonly (readonly GPUBuffer[])[];
  readonly shape: KernelShape;
}

async function createDispatches(device: GPUDevice, { code, parts, shape }: Dispatches): Promise<LimitKernel> {
  const label = 'bench limit';
  const pipeline = await device.createComputePipelineAsync({
    label,
    layout: 'auto',
    compute: {
      module: device.createShaderModule({ label, code: askLengthsFirst(code, 'step') }),
      constants: {
        WORKGROUP_SIZE: shape.workgroupSize,
        LANES_PER_INVOCATION: shape.lanesPerInvocation,
        CONSECUTIVE: Number(shape.consecutive),
      },
    },
  });
  const dispatches = parts.map((buffers) => ({
    bindGroup: device.createBindGroup({
      label,
      layout: pipeline.getBindGroupLayout(0),
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    }),
    grid: chooseGrid(buffers.at(-1)!.size / 16, shape, device.limits.maxComputeWorkgroupsPerDimension),
  }));
  return {
    encode: (pass) => {
      pass.setPipeline(pipeline);
      for (const { bindGroup, grid } of dispatches) {
        pass.setBindGroup(0, bindGroup);
        pass.dispatchWorkgroups(...grid);
      }
    },
    destroy: () => undefined,
  };
}
