/** What a device has made that is still there. */
export interface LiveObjects {
  /** Buffers that are neither destroyed nor collected as garbage. */
  readonly buffers: number;
  /** Bytes of those. */
  readonly bufferBytes: number;
  /** Bind groups, pipelines, shaders and all else that nobody destroys, but for what was collected. */
  readonly others: number;
}

/** What makes objects of WebGPU. */
const MAKERS = [
  'createBindGroup',
  'createBindGroupLayout',
  'createCommandEncoder',
  'createComputePipeline',
  'createPipelineLayout',
  'createQuerySet',
  'createShaderModule',
] as const satisfies readonly (keyof GPUDevice)[];

/** Counts what a device makes from now on, and keeps nothing of it alive. */
export function countObjects(device: GPUDevice): LiveObjects {
  const sizes = new Map<number, number>();
  let [next, others] = [0, 0];
  const collectedBuffers = new FinalizationRegistry<number>((id) => sizes.delete(id));
  const collected = new FinalizationRegistry<undefined>(() => others--);
  const note = <T extends object>(made: T): T => {
    others++;
    collected.register(made, undefined);
    return made;
  };
  const createBuffer = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor);
    const id = next++;
    sizes.set(id, buffer.size);
    collectedBuffers.register(buffer, id);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      sizes.delete(id);
      return destroy();
    };
    return buffer;
  };
  const makers = device as unknown as Record<string, (...given: unknown[]) => object>;
  for (const name of MAKERS) {
    const make = makers[name]!.bind(device);
    makers[name] = (...given) => note(make(...given));
  }
  const createAsync = device.createComputePipelineAsync.bind(device);
  device.createComputePipelineAsync = async (descriptor) => note(await createAsync(descriptor));
  return {
    get buffers() {
      return sizes.size;
    },
    get bufferBytes() {
      return [...sizes.values()].reduce((sum, size) => sum + size, 0);
    },
    get others() {
      return others;
    },
  };
}
