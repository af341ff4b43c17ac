import { OptimizerError } from '../errors.js';
import { COPY_DST } from './buffer-usage.js';
import { lostError, rejectIfLostSoon, rejectLostDevice, settleOrLose } from './device.js';
import { askedByteLength, makeBuffer } from './make-buffer.js';

/** What a device had against something that was made on it. */
export interface Refusal {
  /** The device's own words. */
  readonly message: string;
  /** Whether memory was short. */
  readonly isShortage: boolean;
  /** Bytes of the buffers that were asked for, of which some could be had. */
  readonly askedByteLength: number;
}

/** A value made at once, and what the device had against it. */
export interface Captured<T> {
  readonly value: T;
  /** The first thing, if there was one; rejects with `device-lost`, which nobody need handle. */
  readonly refusal: Promise<Refusal | undefined>;
}

/**
 * Runs `make` with out-of-memory and validation errors caught. The scopes are closed before anything is awaited, so that
 * other code's errors do not fall into them.
 */
export function captureErrors<T>(device: GPUDevice, make: () => T): Captured<T> {
  const { value, scopes, asked } = inScopes(device, make);
  const check = async (): Promise<Refusal | undefined> => {
    const error = await scopes;
    if (!error) return undefined;
    const refusal = describe(error, asked);
    if (!refusal.isShortage) await rejectIfLost(device);
    return refusal;
  };
  const refusal = settleOrLose(device, check());
  refusal.catch(() => undefined);
  return { value, refusal };
}

/** Runs `make` in error scopes. @returns its value, the first error, and the bytes of the buffers that it asked for. */
function inScopes<T>(
  device: GPUDevice,
  make: () => T,
): { value: T; scopes: Promise<GPUError | undefined>; asked: number } {
  const before = askedByteLength();
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
  let value: T;
  let popped: Promise<(GPUError | null)[]>;
  try {
    value = make();
  } finally {
    const validation = device.popErrorScope();
    const outOfMemory = device.popErrorScope();
    popped = Promise.all([outOfMemory, validation]);
    // If make() throws, nobody awaits the scopes.
    popped.catch(() => undefined);
  }
  const scopes = popped.then((errors) => errors.find((error) => error !== null) ?? undefined);
  return { value, scopes, asked: askedByteLength() - before };
}

/**
 * Firefox says of what belongs to a lost device that it is invalid before it says that the device is lost, and lets the device
 * refuse everything until then.
 *
 * @throws OptimizerError `device-lost` if that is the reason.
 */
async function rejectIfLost(device: GPUDevice): Promise<void> {
  await rejectIfLostSoon(device);
  const probe = inScopes(device, () => makeBuffer(device, 'webgpu-optim probe', 4, COPY_DST).destroy());
  const error = await probe.scopes;
  if (!error) return;
  // It may have said so meanwhile.
  rejectLostDevice(device);
  throw lostError({ reason: 'unknown', message: error.message });
}

function describe(error: GPUError, asked: number): Refusal {
  // By name: it may be of another realm, or of an implementation without globals.
  const isShortage = error.constructor.name === 'GPUOutOfMemoryError';
  return { message: error.message.trim(), isShortage, askedByteLength: asked };
}

/** What whoever meets a refusal can do; ends in a full stop. */
export interface Remedies {
  /** Where memory was short. */
  readonly shortage: string;
  /** Where buffers cannot be used. */
  readonly rejection: string;
}

/** Of whoever reads. */
export const READ_REMEDIES: Remedies = {
  shortage: 'Free memory, or read less at a time.',
  rejection: 'Give buffers that are neither destroyed nor mapped.',
};

/**
 * The error of a call that a device refused: `out-of-memory` with the bytes that were asked for and the limit of one buffer,
 * or `invalid-parameter`.
 *
 * @param what the call, or what was being made.
 */
export function refusalError(
  device: GPUDevice,
  { message, isShortage, askedByteLength: asked }: Refusal,
  what: string,
  remedies: Remedies,
): OptimizerError {
  return isShortage
    ? new OptimizerError(
        'out-of-memory',
        `${what}: the device could not allocate all of the ${asked} bytes that were asked for, in buffers of at most ` +
          `${device.limits.maxBufferSize} bytes (maxBufferSize): ${message} ${remedies.shortage}`,
      )
    : new OptimizerError(
        'invalid-parameter',
        `${what}: the device rejects it: ${message} ${remedies.rejection}`,
      );
}
