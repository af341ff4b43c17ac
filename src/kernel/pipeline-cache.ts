import { OptimizerError } from '../errors.js';
import type { Rule } from '../rules/rule.js';
import { composeKernel, declareBindings } from './compose.js';
import { scalarsByteLength } from './scalars.js';
import type { KernelShape } from './shape.js';
import { type AccessVariant, switchConstants } from './variant.js';

/** A compiled kernel with the layouts that its bind groups must follow. */
export interface Kernel {
  readonly pipeline: GPUComputePipeline;
  /** Group 0: segment, data, grad, state. */
  readonly buffersLayout: GPUBindGroupLayout;
  /** Group 1: the scalars. */
  readonly scalarsLayout: GPUBindGroupLayout;
}

const kernelsOfDevice = new WeakMap<GPUDevice, Map<string, Promise<Kernel>>>();

/**
 * The kernel for a rule and variant: compiled asynchronously, once per device; callers that ask while it
 * compiles share the same promise.
 *
 * @throws OptimizerError `shader` with the whole source, line and column, if the implementation rejects it.
 */
export function getKernel(
  device: GPUDevice,
  rule: Rule,
  access: AccessVariant,
  shape: KernelShape,
): Promise<Kernel> {
  const constants: Record<string, number> = {
    WORKGROUP_SIZE: shape.workgroupSize,
    LANES_PER_INVOCATION: shape.lanesPerInvocation,
    CONSECUTIVE: Number(shape.consecutive),
  };
  for (const [name, on] of Object.entries(switchConstants(rule))) constants[name] = Number(on);
  const code = composeKernel(rule, access);
  let kernels = kernelsOfDevice.get(device);
  if (!kernels) kernelsOfDevice.set(device, (kernels = new Map()));
  const key = JSON.stringify(constants) + code;
  const known = kernels.get(key);
  if (known) return known;
  const kernel = compile(device, rule, access, code, constants);
  kernels.set(key, kernel);
  // A failure must not be remembered: a later call may come after the cause is gone.
  kernel.catch(() => kernels.delete(key));
  return kernel;
}

async function compile(
  device: GPUDevice,
  rule: Rule,
  access: AccessVariant,
  code: string,
  constants: Record<string, number>,
): Promise<Kernel> {
  const label = `webgpu-optim ${rule.name} ${access.laneWidth === 4 ? 'body' : 'edge'}`;
  const buffersLayout = device.createBindGroupLayout({
    label: `${label} buffers`,
    entries: declareBindings(rule, access).map(({ type, minBindingSize }, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type, minBindingSize },
    })),
  });
  const minBindingSize = scalarsByteLength(rule);
  const scalarsLayout = device.createBindGroupLayout({
    label: `${label} scalars`,
    entries: [
      {
        binding: 0,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize },
      },
    ],
  });
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label, code });
  const pipelineOrError = device
    .createComputePipelineAsync({
      label,
      layout: device.createPipelineLayout({ label, bindGroupLayouts: [buffersLayout, scalarsLayout] }),
      compute: { module, entryPoint: 'step', constants },
    })
    .catch((error: unknown) => error as Error);
  // Popped before anything is awaited, so that nobody else's calls fall into our scope.
  const invalid = device.popErrorScope();
  const pipeline = await pipelineOrError;
  const moduleError = await invalid;
  if (pipeline instanceof Error || moduleError) {
    throw new OptimizerError('shader', await describeFailure(module, code, pipeline, moduleError));
  }
  return { pipeline, buffersLayout, scalarsLayout };
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
