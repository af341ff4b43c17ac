import { OptimizerError, quote } from '../errors.js';

/** @throws OptimizerError `invalid-config` unless a command encoder. */
export function checkEncoder(encoder: unknown, what: string): asserts encoder is GPUCommandEncoder {
  if (encoder instanceof GPUCommandEncoder) return;
  throw new OptimizerError(
    'invalid-config',
    `${what}(): encoder is ${quote(encoder)}; give device.createCommandEncoder().`,
  );
}

/**
 * Encodes into the caller's encoder, or into one of its own that is submitted.
 *
 * @param what the method that the caller called, for errors and, behind `label`, for the own encoder.
 * @throws OptimizerError `invalid-config` if the caller's is no command encoder.
 */
export function encodeOrSubmit(
  device: GPUDevice,
  encoder: GPUCommandEncoder | undefined,
  label: string,
  what: string,
  encode: (commands: GPUCommandEncoder) => void,
): void {
  if (encoder !== undefined) {
    checkEncoder(encoder, what);
    encode(encoder);
    return;
  }
  const own = device.createCommandEncoder({ label: `${label} ${what}` });
  encode(own);
  device.queue.submit([own.finish()]);
}
