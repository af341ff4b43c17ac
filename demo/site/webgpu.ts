import { OptimizerError } from '../../src/errors.js';

/** WebGPU cannot be used here; `message` says which part is missing. */
export class WebGpuUnavailableError extends Error {
  override readonly name = 'WebGpuUnavailableError';
  constructor(
    message: string,
    /** What is missing: the API as a whole, or an adapter behind it. */
    readonly missing: 'secure-context' | 'api' | 'adapter',
  ) {
    super(message);
  }
}

/**
 * The adapter that all pages use.
 *
 * @throws WebGpuUnavailableError
 */
export async function requestAdapter(): Promise<GPUAdapter> {
  if (!globalThis.isSecureContext) {
    throw new WebGpuUnavailableError('This page is not a secure context.', 'secure-context');
  }
  if (!('gpu' in navigator)) {
    throw new WebGpuUnavailableError('This browser does not offer WebGPU.', 'api');
  }
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) {
    throw new WebGpuUnavailableError('This browser offers WebGPU but no GPU adapter for it.', 'adapter');
  }
  return adapter;
}

/** The GPU went away under a page: its driver was reset, its process ended, or the browser took it back. */
export class GpuLostError extends Error {
  override readonly name = 'GpuLostError';
}

/** The end of a command may be known this much earlier than the loss that ended it: Firefox looks every 100 ms. */
const LOSS_IS_KNOWN_MS = 250;

/** Settles when a device that has been lost by now has said so. */
export function lossIsKnown(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LOSS_IS_KNOWN_MS));
}

/**
 * A device with all that the adapter can bind, and what goes wrong on it. When its page is left, the browser frees it: where
 * the page does, while its canvas is on show, Firefox shows no frame of that tab after it is loaded again.
 */
export class DemoDevice {
  /** What the adapter calls itself, for example `nvidia ampere` or `google swiftshader`. */
  readonly adapterName: string;
  #failure: Error | undefined;
  #isClosed = false;

  /** @param onFailure gets what the device reports outside any error scope, and its loss. */
  constructor(
    readonly adapter: GPUAdapter,
    readonly device: GPUDevice,
    private readonly onFailure: (error: Error) => void,
  ) {
    this.adapterName = describeAdapter(adapter.info);
    device.addEventListener('uncapturederror', ({ error }) => this.#fail(describeError(error)));
    void this.#watchForLoss();
  }

  /** The first thing that the device reported outside any error scope, or its loss. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Whether it is of no use any more. */
  get isLost(): boolean {
    return this.#isClosed || this.#failure instanceof GpuLostError;
  }

  /** What an error on this device comes from: its failure if it has one, be it known a moment later; else itself. */
  async causeOf(symptom: unknown): Promise<unknown> {
    if (this.#failure === undefined && !this.#isClosed) {
      await Promise.race([this.device.lost, lossIsKnown()]);
      if (isAborted(symptom)) this.#fail(new GpuLostError(symptom.message));
    }
    return this.#failure ?? (isShortage(symptom) ? outOfMemory(symptom.message) : symptom);
  }

  /** Frees the GPU's memory. What is reported from now on is nobody's business. */
  close(): void {
    this.#isClosed = true;
    this.device.destroy();
  }

  async #watchForLoss(): Promise<void> {
    const { message, reason } = await this.device.lost;
    this.#fail(new GpuLostError(message || `reason: ${reason}`));
  }

  #fail(error: Error): void {
    if (this.isLost) return;
    if (this.#failure === undefined || error instanceof GpuLostError) this.#failure = error;
    this.onFailure(error);
  }
}

/**
 * A device with the adapter's largest limits for buffers, and its timestamps if it has them.
 *
 * @param onFailure see {@link DemoDevice}.
 * @throws WebGpuUnavailableError
 */
export async function openDevice(label: string, onFailure: (error: Error) => void): Promise<DemoDevice> {
  const adapter = await requestAdapter();
  const { limits } = adapter;
  const device = await adapter.requestDevice({
    label,
    requiredFeatures: adapter.features.has('timestamp-query') ? ['timestamp-query'] : [],
    requiredLimits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      // tfjs stacks tensors; the more it may bind, the fewer passes.
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    },
  });
  return new DemoDevice(adapter, device, onFailure);
}

function describeError(error: GPUError): Error {
  return error instanceof GPUOutOfMemoryError
    ? outOfMemory(error.message)
    : new Error(`The GPU reported an error: ${error.message}`);
}

/**
 * Whether a read was aborted on a device that nobody here has closed, which its loss alone does: Chrome finishes what was
 * submitted before it tells of the loss.
 */
export function isAborted(error: unknown): error is DOMException {
  return error instanceof DOMException && ['AbortError', 'OperationError'].includes(error.name);
}

/** A RangeError is what createBuffer throws where it is to map memory that it could not get. */
function isShortage(error: unknown): error is Error {
  return error instanceof RangeError || (error instanceof OptimizerError && error.code === 'out-of-memory');
}

function outOfMemory(message: string): Error {
  return new Error(
    `The GPU is out of memory: ${message} Choose something smaller, or close what else uses the GPU.`,
  );
}

/** What the adapter calls itself. */
export function describeAdapter(info: GPUAdapterInfo): string {
  const name = [info.vendor, info.architecture].filter(Boolean).join(' ');
  return [name, info.description].filter(Boolean).join(', ') || 'unnamed adapter';
}

/** Whether an adapter is a program on the CPU. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  return info.isFallbackAdapter || /swiftshader|llvmpipe|software/iu.test(describeAdapter(info));
}

/**
 * Runs `make` with errors caught: without, a buffer that could not be had would only show as a later failure.
 *
 * @throws Error saying what could not be had; what `make` has made so far is the caller's to free.
 */
export async function allocate<T>(device: GPUDevice, make: () => T): Promise<T> {
  const scopes = ['validation', 'out-of-memory'] as const;
  for (const scope of scopes) device.pushErrorScope(scope);
  let made: T;
  let popped: Promise<(GPUError | null)[]>;
  try {
    made = make();
  } finally {
    popped = Promise.all(scopes.map(() => device.popErrorScope()));
  }
  // The innermost first: the shortage rather than what it made invalid.
  const error = (await popped).find((found) => found !== null);
  if (error) throw describeError(error);
  return made;
}
