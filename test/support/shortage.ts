/** A device whose memory has run out, as far as anybody can tell. */
export interface Shortage {
  /** Buffers that were asked for since it began. */
  readonly asked: number;
  /** Bytes of them. */
  readonly askedByteLength: number;
  /** Buffers that were withheld since it began. */
  readonly withheld: number;
  /** Ends it; for `track`. */
  destroy(): void;
}

interface Scope {
  readonly filter: GPUErrorFilter;
  error: GPUError | undefined;
}

/**
 * Has a device run out of memory for some of the buffers that are asked for, as WebGPU reports it: the buffer is invalid, and
 * a GPUOutOfMemoryError goes to the innermost scope for it that was pushed since, or to `uncapturederror`. No adapter
 * here runs out on demand, and a size that none can give is a validation error.
 *
 * @param isWithheld which ones, by descriptor and by position, 0-based, among those asked for since it began.
 */
export function runShort(
  device: GPUDevice,
  isWithheld: (descriptor: GPUBufferDescriptor, index: number) => boolean,
): Shortage {
  const create = device.createBuffer.bind(device);
  const push = device.pushErrorScope.bind(device);
  const pop = device.popErrorScope.bind(device);
  const scopes: Scope[] = [];
  let asked = 0;
  let askedByteLength = 0;
  let withheld = 0;

  function withhold({ label = '', size, mappedAtCreation }: GPUBufferDescriptor): GPUBuffer {
    withheld++;
    const message = `The buffer "${label}" of ${size} bytes could not be had.`;
    if (mappedAtCreation) throw new RangeError(message);
    const error = new GPUOutOfMemoryError(message);
    const scope = scopes.findLast(({ filter }) => filter === 'out-of-memory');
    if (scope) scope.error ??= error;
    else device.dispatchEvent(new GPUUncapturedErrorEvent('uncapturederror', { error, cancelable: true }));
    push('validation');
    const invalid = create({ label, size, usage: 0 });
    void pop();
    return invalid;
  }

  const replacements = {
    createBuffer: (descriptor: GPUBufferDescriptor): GPUBuffer => {
      askedByteLength += descriptor.size;
      return isWithheld(descriptor, asked++) ? withhold(descriptor) : create(descriptor);
    },
    pushErrorScope: (filter: GPUErrorFilter): undefined => {
      scopes.push({ filter, error: undefined });
      return push(filter);
    },
    popErrorScope: async (): Promise<GPUError | null> => {
      const scope = scopes.pop();
      return (await pop()) ?? scope?.error ?? null;
    },
  };
  const undo = Object.entries(replacements).map(([name, value]) => {
    const own = Object.getOwnPropertyDescriptor(device, name);
    Object.defineProperty(device, name, { value, configurable: true, writable: true });
    return () => {
      if (own) Object.defineProperty(device, name, own);
      else Reflect.deleteProperty(device, name);
    };
  });
  return {
    get asked() {
      return asked;
    },
    get askedByteLength() {
      return askedByteLength;
    },
    get withheld() {
      return withheld;
    },
    destroy: () => {
      for (const each of undo.splice(0)) each();
    },
  };
}
