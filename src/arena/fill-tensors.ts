import { makeBuffer } from '../gpu/make-buffer.js';
import initializeWgsl from '../../shaders/initialize.wgsl?raw';
import philoxWgsl from '../../shaders/philox.wgsl?raw';
import wordsWgsl from '../../shaders/words.wgsl?raw';
import { type Codec, PLACE_WGSL } from '../codecs/codec.js';
import { alignUp } from '../kernel/alignment.js';
import * as BufferUsage from '../gpu/buffer-usage.js';
import { type PipelineSource, type Planned, getPipelineSync } from '../gpu/pipelines.js';
import type { Fill } from './initializer.js';
import { streamOf } from '../random-stream.js';

/** A tensor to be filled. */
export interface FillTask {
  readonly name: string;
  readonly fill: Fill;
  readonly codec: Codec;
  readonly elementCount: number;
  readonly view: Required<GPUBufferBinding>;
}

const KINDS: readonly Fill['kind'][] = ['constant', 'uniform', 'normal', 'symmetric_normal'];
const FILL_BYTE_LENGTH = 48;
/** Invocations × elements of each, and the most workgroups: more elements are looped over. */
const ELEMENTS_PER_WORKGROUP = 256;
const MAX_WORKGROUPS = 1024;

const sourceOf = (codec: Codec): PipelineSource => ({
  label: `webgpu-optim initialize ${codec.name}`,
  code: `${wordsWgsl}
${philoxWgsl}
${codec.wgsl}
${PLACE_WGSL}
@group(0) @binding(1) var<storage, read_write> data: array<${codec.arrayType('gather')}>;

fn store_data(at: Place, value: vec4<f32>) {
${codec.store({ array: 'data', base: '0u', access: 'gather' })}
}

${initializeWgsl}`,
  entryPoint: 'initialize',
  constants: {},
  bindGroups: [
    [
      { type: 'uniform', minBindingSize: FILL_BYTE_LENGTH },
      { type: 'storage', minBindingSize: codec.itemByteLength('gather') },
    ],
  ],
});

/**
 * The filling of tensors on the GPU.
 *
 * @param seed an integer in [0, 2⁵³).
 */
export function planFill(
  device: GPUDevice,
  tasks: readonly FillTask[],
  seed: number,
  label: string,
): Planned<void> {
  if (tasks.length === 0) return { sources: [], make: () => undefined };
  const codecs = new Set(tasks.map(({ codec }) => codec));
  return { sources: [...codecs].map(sourceOf), make: () => fillTensors(device, tasks, seed, label) };
}

function fillTensors(device: GPUDevice, tasks: readonly FillTask[], seed: number, label: string): void {
  const stride = alignUp(FILL_BYTE_LENGTH, device.limits.minUniformBufferOffsetAlignment);
  const uniforms = makeBuffer(
    device,
    `${label} fills`,
    stride * tasks.length,
    BufferUsage.UNIFORM | BufferUsage.COPY_DST,
  );
  const words = new Uint32Array((stride / 4) * tasks.length);
  const encoder = device.createCommandEncoder({ label: `${label} initialize` });
  const pass = encoder.beginComputePass({ label: `${label} initialize` });
  tasks.forEach(({ name, fill, codec, elementCount, view }, k) => {
    const { pipeline, layouts } = getPipelineSync(device, sourceOf(codec));
    pass.setPipeline(pipeline);
    words.set(
      [elementCount, KINDS.indexOf(fill.kind), seed >>> 0, Math.floor(seed / 2 ** 32), ...streamOf(name)],
      (stride / 4) * k,
    );
    const { scale, shift, pLow, pHigh, least, greatest } = fill;
    new Float32Array(words.buffer, stride * k + 24).set([scale, shift, pLow, pHigh, least, greatest]);
    const bindGroup = device.createBindGroup({
      label: `${label} initialize ${name}`,
      layout: layouts[0]!,
      entries: [
        { binding: 0, resource: { buffer: uniforms, offset: stride * k, size: FILL_BYTE_LENGTH } },
        { binding: 1, resource: view },
      ],
    });
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(Math.min(Math.ceil(elementCount / ELEMENTS_PER_WORKGROUP), MAX_WORKGROUPS));
  });
  pass.end();
  device.queue.writeBuffer(uniforms, 0, words);
  device.queue.submit([encoder.finish()]);
  // Freed once the submitted commands are done.
  uniforms.destroy();
}
