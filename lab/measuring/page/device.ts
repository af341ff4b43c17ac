/** A device of the benchmark, and what its adapter offers. */
export interface BenchDevice {
  readonly device: GPUDevice;
  /** The adapter's `maxStorageBufferBindingSize` in bytes; the device's may be less. */
  readonly adapterLimit: number;
}

/**
 * A device with the adapter's own storage limits, so that `--sizes 1e8` fits where it can.
 *
 * @param gpu as `navigator.gpu`.
 * @param maxBinding bytes that storage bindings are restricted to.
 * @param raised further limits to raise to the adapter's.
 * @throws Error if there is no adapter.
 */
export async function requestBenchDevice(
  gpu: GPU | undefined,
  maxBinding = Infinity,
  raised: readonly 'maxStorageBuffersPerShaderStage'[] = [],
): Promise<BenchDevice> {
  const adapter = await gpu?.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new Error('There is no WebGPU adapter here.');
  const { maxBufferSize, maxStorageBufferBindingSize: adapterLimit } = adapter.limits;
  const device = await adapter.requestDevice({
    label: 'bench',
    requiredFeatures: adapter.features.has('timestamp-query') ? ['timestamp-query'] : [],
    requiredLimits: {
      maxBufferSize,
      maxStorageBufferBindingSize: Math.min(adapterLimit, maxBinding),
      ...Object.fromEntries(raised.map((limit) => [limit, adapter.limits[limit]])),
    },
  });
  watchErrors(device, 'the benchmark');
  return { device, adapterLimit };
}

/** What a device of the benchmark reports while it is measured. */
export class BenchDeviceError extends Error {
  override readonly name = 'BenchDeviceError';
  constructor(
    message: string,
    readonly isLoss: boolean,
  ) {
    super(message);
  }
}

const watched = new WeakSet<GPUDevice>();

/** Ends the run when a device reports an error or is lost: commands that it drops take no time. */
export function watchErrors(device: GPUDevice, owner: string): void {
  if (watched.has(device)) return;
  watched.add(device);
  // Thrown outside any promise that somebody awaits, so that it reaches the run as a page error, or ends Node.
  device.addEventListener('uncapturederror', ({ error }) => {
    throw new BenchDeviceError(`WebGPU, on the device of ${owner}: ${error.message}`, false);
  });
  void device.lost.then(({ reason, message }) => {
    throw new BenchDeviceError(`The device of ${owner} was lost (${reason}): ${message}`, true);
  });
}

/** The adapter's name for results. */
export function describeAdapter(device: GPUDevice): string {
  const { vendor, architecture, device: name, description } = device.adapterInfo;
  return [vendor, architecture, name, description].filter(Boolean).join(' ') || 'unnamed';
}

/** The browser's name and version for results. */
export function describeBrowser(): string {
  const version = /(?:Chrome|Firefox)\/[\d.]+/.exec(navigator.userAgent)?.[0] ?? navigator.userAgent;
  return version.replace('/', ' ');
}
