/** What a test does to the GPU of a page, and counts of it: `gpuTrouble` in the page. */
export interface GpuTrouble {
  /** Buffers above this many bytes are not to be had. */
  largestBuffer: number;
  /** Whether there is a GPU, as far as the page is told. */
  hasAdapter: boolean;
  /** Submissions to queues so far. */
  submits: number;
  /** Devices opened so far. */
  devices: number;
  /** Buffers with a label that are not destroyed, nor their device; TensorFlow.js keeps many, and labels none. */
  liveBuffers(): number;
  /** Has all devices be lost, as far as the page can tell by other than the reason. */
  loseDevices(): void;
}

/** Runs in a page before its own code; refers to nothing outside itself. */
export function installGpuTrouble(): void {
  // As on about:blank, which a tab begins with.
  if (!('gpu' in navigator)) return;
  interface Scope {
    readonly filter: GPUErrorFilter;
    error: GPUError | undefined;
  }
  const scopes = new Map<GPUDevice, Scope[]>();
  const buffers = new Map<GPUBuffer, GPUDevice>();
  const [adapter, device, queue, buffer] = [
    GPUAdapter.prototype,
    GPUDevice.prototype,
    GPUQueue.prototype,
    GPUBuffer.prototype,
  ];
  const original = <P, K extends keyof P>(prototype: P, name: K): P[K] => prototype[name];
  const requestAdapter = original(GPU.prototype, 'requestAdapter');
  const requestDevice = original(adapter, 'requestDevice');
  const createBuffer = original(device, 'createBuffer');
  const pushErrorScope = original(device, 'pushErrorScope');
  const popErrorScope = original(device, 'popErrorScope');
  const destroyDevice = original(device, 'destroy');
  const destroyBuffer = original(buffer, 'destroy');
  const submit = original(queue, 'submit');
  const trouble: GpuTrouble = {
    largestBuffer: Infinity,
    hasAdapter: true,
    submits: 0,
    devices: 0,
    liveBuffers: () => buffers.size,
    loseDevices: () => {
      for (const each of scopes.keys()) each.destroy();
    },
  };

  /** A buffer that could not be had: invalid, and the shortage goes to the innermost scope for it, or to the device. */
  function withhold(from: GPUDevice, { label = '', size, mappedAtCreation }: GPUBufferDescriptor): GPUBuffer {
    const message = `The buffer "${label}" of ${size} bytes could not be had.`;
    if (mappedAtCreation) throw new RangeError(message);
    const error = new GPUOutOfMemoryError(message);
    const scope = scopes.get(from)?.findLast(({ filter }) => filter === 'out-of-memory');
    if (scope) scope.error ??= error;
    else from.dispatchEvent(new GPUUncapturedErrorEvent('uncapturederror', { error, cancelable: true }));
    pushErrorScope.call(from, 'validation');
    const invalid = createBuffer.call(from, { label, size, usage: 0 });
    void popErrorScope.call(from);
    return invalid;
  }

  GPU.prototype.requestAdapter = async function find(this: GPU, options) {
    return trouble.hasAdapter ? await requestAdapter.call(this, options) : null;
  };
  adapter.requestDevice = async function open(this: GPUAdapter, descriptor) {
    const opened = await requestDevice.call(this, descriptor);
    scopes.set(opened, []);
    trouble.devices++;
    return opened;
  };
  device.createBuffer = function create(this: GPUDevice, descriptor) {
    if (descriptor.size > trouble.largestBuffer) return withhold(this, descriptor);
    const made = createBuffer.call(this, descriptor);
    if (made.label !== '') buffers.set(made, this);
    return made;
  };
  device.pushErrorScope = function push(this: GPUDevice, filter) {
    scopes.get(this)?.push({ filter, error: undefined });
    return pushErrorScope.call(this, filter);
  };
  device.popErrorScope = async function pop(this: GPUDevice) {
    const scope = scopes.get(this)?.pop();
    return (await popErrorScope.call(this)) ?? scope?.error ?? null;
  };
  device.destroy = function destroy(this: GPUDevice) {
    for (const [each, owner] of buffers) if (owner === this) buffers.delete(each);
    scopes.delete(this);
    return destroyDevice.call(this);
  };
  buffer.destroy = function destroy(this: GPUBuffer) {
    buffers.delete(this);
    return destroyBuffer.call(this);
  };
  queue.submit = function count(this: GPUQueue, commands) {
    trouble.submits++;
    return submit.call(this, commands);
  };
  Object.assign(globalThis, { gpuTrouble: trouble });
}
