import { bindBuffers } from './bind-groups.js';
import { type Refusal, captureErrors } from './refusal.js';
import { getPipelineSync } from './pipelines.js';

/** A part of the caller's buffers, by what it is called. */
export interface NamedBuffer {
  readonly buffer: GPUBuffer;
  /** The parameter that it is a part of. */
  readonly owner: string;
}

/** Binds one buffer and does nothing with it. */
const PROBE_WGSL = `@group(0) @binding(0) var<storage, read_write> words: array<u32>;

@compute @workgroup_size(1)
fn probe() {
  // What is bound has at least one word.
  if (arrayLength(&words) == 0u) {
    words[0] = 0u;
  }
}
`;

/**
 * The first of some buffers that a device rejects by itself: a foreign, destroyed or mapped one. Each is submitted to a pass
 * that does nothing.
 */
export async function findRejected(
  device: GPUDevice,
  buffers: Iterable<NamedBuffer>,
): Promise<{ owner: string; message: string } | undefined> {
  const seen = new Map<GPUBuffer, Promise<Refusal | undefined>>();
  for (const { buffer, owner } of buffers) {
    let refusal = seen.get(buffer);
    if (!refusal) seen.set(buffer, (refusal = submitAlone(device, buffer)));
    const message = (await refusal)?.message;
    if (message !== undefined) return { owner, message };
  }
  return undefined;
}

function submitAlone(device: GPUDevice, buffer: GPUBuffer): Promise<Refusal | undefined> {
  const label = 'webgpu-optim probe';
  return captureErrors(device, () => {
    const { pipeline, layouts } = getPipelineSync(device, {
      label,
      code: PROBE_WGSL,
      entryPoint: 'probe',
      constants: {},
      bindGroups: [[{ type: 'storage' }]],
    });
    const encoder = device.createCommandEncoder({ label });
    const pass = encoder.beginComputePass({ label });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindBuffers(device, label, layouts[0]!, [{ buffer, size: 4 }]));
    pass.dispatchWorkgroups(1);
    pass.end();
    device.queue.submit([encoder.finish()]);
  }).refusal;
}
