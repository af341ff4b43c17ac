import { OptimizerError } from '../errors.js';
import { askLengthsFirst } from './array-lengths.js';
import { createLayout } from './bind-groups.js';

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

/** What is known of a pipeline: whether it compiles, and the pipeline, once it is there. */
interface CacheEntry {
  readonly checked: Promise<Pipeline>;
  usable?: Pipeline;
}

type PipelinesByKey = Map<string, CacheEntry>;

const pipelinesOfDevice = new WeakMap<GPUDevice, PipelinesByKey>();

/** Keys of sources, each of which is asked for by every dispatch that goes by it. */
const keys = new WeakMap<PipelineSource, string>();

/**
 * The pipeline for a source: compiled asynchronously, once per device; callers that ask while it compiles share the
 * same promise.
 *
 * @throws OptimizerError `shader` with the whole source, line and column, if the implementation rejects it.
 */
export function getPipeline(device: GPUDevice, source: PipelineSource): Promise<Pipeline> {
  const { pipelines, key } = locate(device, source);
  const known = pipelines.get(key);
  if (known) return known.checked;
  device.pushErrorScope('validation');
  const { module, layouts, descriptor } = describe(device, source);
  const compiling = device
    .createComputePipelineAsync(descriptor)
    .then((pipeline) => ({ pipeline, layouts }))
    .catch((error: unknown) => error as Error);
  return remember(pipelines, key, { checked: check(device, module, source.code, compiling) }).checked;
}

/**
 * As {@link getPipeline}, at once: a pipeline that is not there yet is compiled while the caller waits. One that the
 * implementation rejects comes back all the same, invalid; {@link getPipeline} tells.
 */
export function getPipelineSync(device: GPUDevice, source: PipelineSource): Pipeline {
  const { pipelines, key } = locate(device, source);
  const known = pipelines.get(key)?.usable;
  if (known) return known;
  device.pushErrorScope('validation');
  const { module, layouts, descriptor } = describe(device, source);
  const usable = { pipeline: device.createComputePipeline(descriptor), layouts };
  const checked = check(device, module, source.code, Promise.resolve(usable));
  remember(pipelines, key, { checked, usable });
  return usable;
}

function locate(device: GPUDevice, source: PipelineSource): { pipelines: PipelinesByKey; key: string } {
  let pipelines = pipelinesOfDevice.get(device);
  if (!pipelines) pipelinesOfDevice.set(device, (pipelines = new Map()));
  let key = keys.get(source);
  if (key === undefined) {
    key = JSON.stringify([source.constants, source.bindGroups, source.entryPoint]) + source.code;
    keys.set(source, key);
  }
  return { pipelines, key };
}

function remember(pipelines: PipelinesByKey, key: string, entry: CacheEntry): CacheEntry {
  pipelines.set(key, entry);
  entry.checked.then(
    (pipeline) => (entry.usable = pipeline),
    // A failure must not be remembered: a later call may come after the cause is gone.
    () => pipelines.get(key) === entry && pipelines.delete(key),
  );
  return entry;
}

function describe(
  device: GPUDevice,
  source: PipelineSource,
): { module: GPUShaderModule; layouts: GPUBindGroupLayout[]; descriptor: GPUComputePipelineDescriptor } {
  const { label, entryPoint, constants } = source;
  const code = askLengthsFirst(source.code, entryPoint);
  const layouts = source.bindGroups.map((buffers, group) =>
    createLayout(device, `${label} group ${group}`, buffers),
  );
  const module = device.createShaderModule({ label, code });
  const layout = device.createPipelineLayout({ label, bindGroupLayouts: layouts });
  return { module, layouts, descriptor: { label, layout, compute: { module, entryPoint, constants } } };
}

/** Closes the error scope that the caller opened, and tells what came of the pipeline. */
async function check(
  device: GPUDevice,
  module: GPUShaderModule,
  code: string,
  compiling: Promise<Pipeline | Error>,
): Promise<Pipeline> {
  // Popped before anything is awaited, so that nobody else's calls fall into our scope.
  const invalid = device.popErrorScope();
  const pipeline = await compiling;
  const error = await invalid;
  if (!(pipeline instanceof Error) && !error) return pipeline;
  throw new OptimizerError('shader', await describeFailure(module, code, pipeline, error));
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

/** Something that is planned and touches no GPU object yet: the pipelines that it needs, and how it is made. */
export interface Planned<T> {
  /** One for each dispatch; those that are alike are the same. */
  readonly sources: readonly PipelineSource[];
  /** Makes it, of pipelines that are compiled already or are compiled while the caller waits; run it in error scopes. */
  make(): T;
}

/**
 * Compiles in parallel, while others work.
 *
 * @throws OptimizerError `shader` if the implementation rejects one.
 */
export async function compileAll(device: GPUDevice, sources: readonly PipelineSource[]): Promise<void> {
  await Promise.all(Array.from(new Set(sources), (source) => getPipeline(device, source)));
}
