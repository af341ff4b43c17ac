import { OptimizerError } from '../../../src/index.js';

/**
 * The result of `make`, or nothing if the device had not the memory for it.
 *
 * @throws Error on any other error of the device, or of `make`.
 */
export async function unlessOutOfMemory<T>(
  device: GPUDevice,
  make: () => Promise<T>,
): Promise<T | undefined> {
  device.pushErrorScope('out-of-memory');
  // Using a buffer that could not be made is an error, too, and not the one to report.
  device.pushErrorScope('validation');
  const settled = await make().then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  const validationError = await device.popErrorScope();
  if (await device.popErrorScope()) return undefined;
  if (!('error' in settled)) {
    if (validationError)
      throw new Error(`WebGPU, on the device of the benchmark: ${validationError.message}`);
    return settled.value;
  }
  if (settled.error instanceof OptimizerError && settled.error.code === 'out-of-memory') return undefined;
  throw settled.error;
}
