import { OptimizerError } from '../errors.js';

/** A compute pipeline, described. */
export interface PipelineSource {
  readonly label: string;
  readonly code: string;
  readonly entryPoint: string;
  /** Values of `override` constants. */
  readonly constants: Readonly<Record<string, number>>;
  /** Per bind group, its buffers in order of their binding numbers. */
  readonly bindGroups: readonly (readonly GPUBufferBindingLayout[])[];
}

/** A compiled pipeline with the layouts that its bind groups must follow. */
export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layouts: readonly GPUBindGroupLayout[];
}

const pipelinesOfDevice = new WeakMap<GPUDevice, Map<string, Promise<Pipeline>>>();

/**
 * The pipeline for a source: compiled asynchronously, once per device; callers that ask while it compiles share the
 * same promise.
 *
 * @throws OptimizerError `shader` with the whole source, line and column, if the implementation rejects it.
 */
export function getPipeline(device: GPUDevice, source: PipelineSource): Promise<Pipeline> {
  let pipelines = pipelinesOfDevice.get(device);
  if (!pipelines) pipelinesOfDevice.set(device, (pipelines = new Map()));
  const key = JSON.stringify([source.constants, source.bindGroups, source.entryPoint]) + source.code;
  const known = pipelines.get(key);
  if (known) return known;
  const pipeline = compile(device, source);
  pipelines.set(key, pipeline);
  // A failure must not be remembered: a later call may come after the cause is gone.
  pipeline.catch(() => pipelines.delete(key));
  return pipeline;
}

async function compile(device: GPUDevice, source: PipelineSource): Promise<Pipeline> {
  const { label, code, entryPoint, constants } = source;
  device.pushErrorScope('validation');
  const layouts = source.bindGroups.map((buffers, group) =>
    device.createBindGroupLayout({
      label: `${label} group ${group}`,
      entries: buffers.map((buffer, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer })),
    }),
  );
  const module = device.createShaderModule({ label, code });
  const pipelineOrError = device
    .createComputePipelineAsync({
      label,
      layout: device.createPipelineLayout({ label, bindGroupLayouts: layouts }),
      compute: { module, entryPoint, constants },
    })
    .catch((error: unknown) => error as Error);
  // Popped before anything is awaited, so that nobody else's calls fall into our scope.
  const invalid = device.popErrorScope();
  const pipeline = await pipelineOrError;
  const moduleError = await invalid;
  if (pipeline instanceof Error || moduleError) {
    throw new OptimizerError('shader', await describeFailure(module, code, pipeline, moduleError));
  }
  return { pipeline, layouts };
}

async function describeFailure(
  module: GPUShaderModule,
  code: string,
  pipeline: unknown,
  moduleError: GPUError | null,
): Promise<string> {
  const { messages } = await module.getCompilationInfo();
  const lines = messages.map((m) => `  ${m.type} at ${m.lineNum}:${m.linePos}: ${m.message}`);
  const source = code.split('\n').map((line, i) => `${String(i + 1).padStart(4)} ${line}`);
  const cause = moduleError?.message ?? (pipeline instanceof Error ? pipeline.message : '');
  return [
    `a kernel did not compile on this WebGPU implementation: ${cause}`,
    'Please report this with the text below and the name of the browser and adapter.',
    ...lines,
    ...source,
  ].join('\n');
}
