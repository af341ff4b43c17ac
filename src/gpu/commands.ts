import { OptimizerError, quote } from '../errors.js';

/** What of an encoder is used; that it is there tells an encoder of whatever realm from anything else. */
const METHODS = ['beginComputePass', 'copyBufferToBuffer', 'clearBuffer'] as const;

/**
 * Checks what a caller wants commands to be encoded into.
 *
 * @param call the call, for errors: `'encode()'`.
 * @throws OptimizerError `invalid-config` unless a command encoder.
 */
export function checkEncoder(encoder: unknown, call: string): asserts encoder is GPUCommandEncoder {
  if (typeof encoder === 'object' && encoder !== null) {
    const given = encoder as Partial<GPUCommandEncoder>;
    if (METHODS.every((method) => typeof given[method] === 'function')) return;
  }
  throw new OptimizerError(
    'invalid-config',
    `${call}: encoder is ${quote(encoder)}; give device.createCommandEncoder().`,
  );
}

/**
 * Encodes into the caller's encoder, or into one of its own that is submitted.
 *
 * @param label of the own encoder.
 * @param call the call, for errors.
 * @throws OptimizerError `invalid-config` if the caller's is no command encoder.
 */
export function encodeOrSubmit(
  device: GPUDevice,
  encoder: GPUCommandEncoder | undefined,
  label: string,
  call: string,
  encode: (commands: GPUCommandEncoder) => void,
): void {
  if (encoder !== undefined) {
    checkEncoder(encoder, call);
    encode(encoder);
    return;
  }
  const own = device.createCommandEncoder({ label });
  encode(own);
  device.queue.submit([own.finish()]);
}
