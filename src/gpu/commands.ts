import { OptimizerError, quote } from '../errors.js';

/** What of an encoder is used; that it is there tells an encoder of whatever realm from anything else. */
const METHODS = ['beginComputePass', 'copyBufferToBuffer', 'clearBuffer'] as const;

/**
 * Checks what a caller wants commands to be encoded into.
 *
 * @param call the call, for errors: `'encode()'`.
 * @param remedy what to give.
 * @throws OptimizerError `invalid-config` unless a command encoder.
 */
export function checkEncoder(
  encoder: unknown,
  call: string,
  remedy = 'device.createCommandEncoder()',
): asserts encoder is GPUCommandEncoder {
  if (typeof encoder === 'object' && encoder !== null) {
    const given = encoder as Partial<GPUCommandEncoder>;
    if (METHODS.every((method) => typeof given[method] === 'function')) return;
  }
  throw new OptimizerError('invalid-config', `${call}: encoder is ${quote(encoder)}; give ${remedy}.`);
}

/** What of a compute pass is used. */
const PASS_METHODS = ['setPipeline', 'setBindGroup', 'dispatchWorkgroups'] as const;

/** Whether a caller gave a compute pass, of whatever realm. */
export function isComputePass(target: unknown): target is GPUComputePassEncoder {
  if (typeof target !== 'object' || target === null) return false;
  return PASS_METHODS.every(
    (method) => typeof (target as Partial<GPUComputePassEncoder>)[method] === 'function',
  );
}

/** Where the dispatches of a step go: a compute pass, begun and ended for them, or a caller's own. */
export interface PassTarget {
  begin(label: string): GPUComputePassEncoder;
  end(pass: GPUComputePassEncoder): void;
}

/** A pass of its own. */
export function passIn(
  encoder: GPUCommandEncoder,
  timestampWrites?: GPUComputePassTimestampWrites,
): PassTarget {
  return {
    begin: (label) => encoder.beginComputePass({ label, ...(timestampWrites && { timestampWrites }) }),
    end: (pass) => pass.end(),
  };
}

/** The caller's, which others go on with. */
export function callersPass(pass: GPUComputePassEncoder): PassTarget {
  return { begin: () => pass, end: () => undefined };
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
