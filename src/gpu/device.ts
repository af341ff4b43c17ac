import { OptimizerError, quote } from '../errors.js';
import { adapterInfoOf } from './adapter-info.js';

type LossListener = (error: OptimizerError) => void;

/** What is known of a device. */
interface DeviceStatus {
  lost?: GPUDeviceLostInfo;
  /** Called once, when it is lost. */
  readonly listeners: Set<LossListener>;
}

const statusOfDevice = new WeakMap<GPUDevice, DeviceStatus>();

/** What of a device is used; that it is there tells a device of whatever realm from anything else. */
const METHODS = ['createBuffer', 'createBindGroup', 'createCommandEncoder', 'pushErrorScope'] as const;

/** Watches a device; one small record per device, so that nothing else is kept alive by `device.lost`. */
function watch(device: GPUDevice): DeviceStatus {
  const known = statusOfDevice.get(device);
  if (known) return known;
  const status: DeviceStatus = { listeners: new Set() };
  statusOfDevice.set(device, status);
  void noteLoss(device.lost, status);
  return status;
}

/** @param lost never rejects. */
async function noteLoss(lost: Promise<GPUDeviceLostInfo>, status: DeviceStatus): Promise<void> {
  const info = await lost;
  status.lost = info;
  for (const listener of status.listeners) listener(lostError(info));
  status.listeners.clear();
}

/**
 * Throws if the value is no GPUDevice or one that is known to be lost.
 *
 * @throws OptimizerError `invalid-config` or `device-lost`.
 */
export function checkDevice(device: unknown): asserts device is GPUDevice {
  if (!isDevice(device)) {
    throw new OptimizerError(
      'invalid-config',
      `device is ${quote(device)}; give a GPUDevice, e.g. await (await navigator.gpu.requestAdapter()).requestDevice().`,
    );
  }
  rejectLostDevice(device);
  // At the first moment there is: see there.
  adapterInfoOf(device);
}

function isDevice(value: unknown): value is GPUDevice {
  if (typeof value !== 'object' || value === null) return false;
  const device = value as Partial<GPUDevice>;
  return (
    METHODS.every((method) => typeof device[method] === 'function') &&
    typeof device.queue?.submit === 'function' &&
    typeof device.lost?.then === 'function'
  );
}

/**
 * As {@link rejectLostDevice}, for callers that can wait: a loss that nobody has noticed yet counts as well.
 *
 * @throws OptimizerError `device-lost`.
 */
export async function noticeLostDevice(device: GPUDevice): Promise<void> {
  watch(device);
  // The promise of a device that is lost already is settled, so the watching has its turn before this goes on.
  await Promise.resolve();
  rejectLostDevice(device);
}

/** Whether the device is known to be lost. */
export function isDeviceLost(device: GPUDevice): boolean {
  return watch(device).lost !== undefined;
}

/** Throws if the device is known to be lost; cheap enough for every step. */
export function rejectLostDevice(device: GPUDevice): void {
  const { lost } = watch(device);
  if (lost) throw lostError(lost);
}

/** Milliseconds in which a device that failed may say that it is lost, and in which one that is lost may still answer. */
const LOSS_GRACE_MS = 200;

/**
 * A promise as it settles, but for a device that is lost meanwhile: then with `device-lost`, at once, for not every
 * implementation settles what it owes. What the implementation rejects without a reason of ours counts as a loss, too.
 *
 * @returns a promise that rejects with nothing but what `pending` rejects with as an OptimizerError, or `device-lost`.
 */
export function settleOrLose<T>(device: GPUDevice, pending: Promise<T>): Promise<T> {
  const status = watch(device);
  return new Promise<T>((resolve, reject) => {
    status.listeners.add(reject);
    // A value that is there counts, even if the loss was noticed first.
    if (status.lost) setTimeout(reject, LOSS_GRACE_MS, lostError(status.lost));
    void explain(pending, status)
      .finally(() => status.listeners.delete(reject))
      .then(resolve, reject);
  });
}

async function explain<T>(pending: Promise<T>, status: DeviceStatus): Promise<T> {
  try {
    return await pending;
  } catch (error) {
    if (error instanceof OptimizerError) throw error;
    // Mapping is given up before the device says that it is lost.
    await awaitLoss(status);
    throw lostError(status.lost ?? { reason: 'unknown', message: messageOf(error) });
  }
}

/** Gives a device that failed the time to say that it is lost. @throws OptimizerError `device-lost` if it does. */
export async function rejectIfLostSoon(device: GPUDevice): Promise<void> {
  await awaitLoss(watch(device));
  rejectLostDevice(device);
}

async function awaitLoss(status: DeviceStatus): Promise<void> {
  if (!status.lost) await new Promise((resolve) => setTimeout(resolve, LOSS_GRACE_MS));
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : quote(error));

/** The error for a lost device. */
export function lostError(info: Pick<GPUDeviceLostInfo, 'reason' | 'message'>): OptimizerError {
  return new OptimizerError(
    'device-lost',
    `the GPUDevice is lost (${info.reason}: ${info.message}); request a new device, make the buffers anew and ` +
      'create the optimizer from a state dict.',
  );
}
