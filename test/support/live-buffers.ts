/** The buffers of a device that were created and not destroyed since they began to be counted. */
export interface LiveBuffers {
  /** How many there are. */
  readonly count: number;
  /** Bytes of all of them. */
  readonly byteLength: number;
  /** Their labels, in order of creation, for messages. */
  readonly labels: readonly string[];
  /** Bytes of the largest one that lived at any time so far, of those with any of these usage flags. */
  largestWith(usage: GPUBufferUsageFlags): number;
  /** Stops counting; for `track`. */
  destroy(): void;
}

/** Counts what a device creates from now on, whoever asks for it. */
export function watchBuffers(device: GPUDevice): LiveBuffers {
  const live = new Map<GPUBuffer, number>();
  const made: { readonly size: number; readonly usage: number }[] = [];
  const own = Object.getOwnPropertyDescriptor(device, 'createBuffer');
  const create = device.createBuffer.bind(device);
  const watched = (descriptor: GPUBufferDescriptor): GPUBuffer => {
    const buffer = create(descriptor);
    const { size } = descriptor;
    live.set(buffer, size);
    made.push({ size, usage: descriptor.usage });
    const destroyBuffer = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      live.delete(buffer);
      return destroyBuffer();
    };
    return buffer;
  };
  device.createBuffer = watched;
  return {
    get count() {
      return live.size;
    },
    get byteLength() {
      return [...live.values()].reduce((sum, size) => sum + size, 0);
    },
    get labels() {
      return [...live.keys()].map(({ label, size }) => `${label} (${size} bytes)`);
    },
    largestWith: (usage) =>
      made.reduce((most, each) => ((each.usage & usage) === 0 ? most : Math.max(most, each.size)), 0),
    destroy() {
      if (own) Object.defineProperty(device, 'createBuffer', own);
      else Reflect.deleteProperty(device, 'createBuffer');
    },
  };
}

/** `count` turns of the queue of microtasks: a moment that no caller of ours plans for. */
export async function microtasks(count: number): Promise<void> {
  for (let k = 0; k < count; k++) await Promise.resolve();
}
