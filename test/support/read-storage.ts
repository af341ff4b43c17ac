import { readBuffer } from '../../proof/read-buffer.js';

const CODE = `@group(0) @binding(0) var<storage, read_write> source: array<u32>;
@group(0) @binding(1) var<storage, read_write> goal: array<u32>;
@compute @workgroup_size(64)
fn copy(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&goal)) {
    goal[id.x] = source[id.x];
  }
}`;

/** Encodes a copy of a buffer that has no usage but STORAGE into one that {@link readBuffer} reads. */
export async function copyStorage(device: GPUDevice, byteLength: number) {
  const module = device.createShaderModule({ label: 'test', code: CODE });
  const compute = { module };
  const pipeline = await device.createComputePipelineAsync({ label: 'test', layout: 'auto', compute });
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
  const goal = device.createBuffer({ label: 'test', size: byteLength, usage });
  return {
    encode(encoder: GPUCommandEncoder, buffer: GPUBuffer, offset = 0): void {
      const resources = [{ buffer, offset, size: byteLength }, { buffer: goal }];
      const entries = resources.map((resource, binding) => ({ binding, resource }));
      const layout = pipeline.getBindGroupLayout(0);
      const pass = encoder.beginComputePass({ label: 'test' });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, device.createBindGroup({ label: 'test', layout, entries }));
      pass.dispatchWorkgroups(Math.ceil(byteLength / 256));
      pass.end();
    },
    async read(): Promise<Uint32Array<ArrayBuffer>> {
      const words = await readBuffer(device, goal);
      goal.destroy();
      return words;
    },
  };
}
