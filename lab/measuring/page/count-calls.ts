import type { CallCounts } from '../protocol.js';

type Methods = Record<string, (...args: unknown[]) => unknown>;

/** Methods of GPUDevice that make an object which costs memory or compilation. Encoders are not among them. */
const CREATORS = [
  'createBuffer',
  'createTexture',
  'createSampler',
  'createBindGroup',
  'createBindGroupLayout',
  'createPipelineLayout',
  'createShaderModule',
  'createComputePipeline',
  'createComputePipelineAsync',
  'createRenderPipeline',
  'createRenderPipelineAsync',
  'createQuerySet',
];

/** Runs `action` with WebGPU's prototypes wrapped, and says how often it called what. Never time such a run. */
export async function countCalls(action: () => Promise<void>): Promise<CallCounts> {
  const counts = { dispatches: 0, submits: 0, newObjects: 0 };
  const restore: (() => void)[] = [];
  const wrap = (prototype: object, method: string, counter: keyof typeof counts): void => {
    const methods = prototype as Methods;
    const original = methods[method]!;
    methods[method] = function wrapped(this: unknown, ...args: unknown[]) {
      counts[counter] += 1;
      return original.apply(this, args);
    };
    restore.push(() => (methods[method] = original));
  };
  wrap(GPUComputePassEncoder.prototype, 'dispatchWorkgroups', 'dispatches');
  wrap(GPUComputePassEncoder.prototype, 'dispatchWorkgroupsIndirect', 'dispatches');
  wrap(GPUQueue.prototype, 'submit', 'submits');
  for (const method of CREATORS) wrap(GPUDevice.prototype, method, 'newObjects');
  try {
    await action();
  } finally {
    for (const undo of restore) undo();
  }
  return counts;
}
