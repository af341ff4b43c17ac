/** A compute pipeline, and what it takes to bind and dispatch it. */
export interface Kernel {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
}

/** A prepared dispatch. */
export interface Command {
  readonly pipeline: GPUComputePipeline;
  readonly buffers: GPUBindGroup;
  /** Workgroups. */
  readonly grid: readonly [number, number];
}

/** Invocations per workgroup of every kernel that has one per element. */
export const WORKGROUP_SIZE = 64;

/** Compiles an entry point of the joined sources; its label is the page's name and the entry point's. */
export type Compile = (
  device: GPUDevice,
  entryPoint: string,
  sources: readonly string[],
  constants?: Readonly<Record<string, number>>,
) => Promise<Kernel>;

/** The compiler of a page's kernels. */
export function compilerFor(page: string): Compile {
  return async (device, entryPoint, sources, constants = {}) => {
    const label = `${page} ${entryPoint}`;
    const module = device.createShaderModule({ label, code: sources.join('\n') });
    const pipeline = await device.createComputePipelineAsync({
      label,
      layout: 'auto',
      compute: { module, entryPoint, constants },
    });
    return { label, pipeline };
  };
}

/** Binds resources by the numbers of their bindings. */
export function command(
  device: GPUDevice,
  { label, pipeline }: Kernel,
  resources: Readonly<Record<number, GPUBindingResource>>,
  grid: readonly [number, number],
): Command {
  const buffers = device.createBindGroup({
    label,
    layout: pipeline.getBindGroupLayout(0),
    entries: Object.entries(resources).map(([binding, resource]) => ({ binding: Number(binding), resource })),
  });
  return { pipeline, buffers, grid };
}

/** Workgroups for a number of invocations. */
export function gridFor(invocations: number): readonly [number, number] {
  return [Math.ceil(invocations / WORKGROUP_SIZE), 1];
}

/** Encodes commands in order; each sees what those before it wrote. */
export function dispatch(pass: GPUComputePassEncoder, commands: readonly Command[]): void {
  for (const { pipeline, buffers, grid } of commands) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, buffers);
    pass.dispatchWorkgroups(grid[0], grid[1]);
  }
}
