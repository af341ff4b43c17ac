/** GPU devices for tests, and the promise that no test passes while its device reported an error. */
import { test } from 'vitest';
import type { Destroyable } from '../../proof/track.js';

export interface TestDeviceOptions {
  /** `default`: what WebGPU guarantees everywhere; `adapter`: all that this adapter can. */
  limits?: 'default' | 'adapter';
}

const SCOPES = ['validation', 'out-of-memory', 'internal'] as const satisfies readonly GPUErrorFilter[];
const devices = new Map<string, Promise<GPUDevice>>();

/** The adapter that tests run on. */
export async function getTestAdapter(): Promise<GPUAdapter> {
  const adapter = await navigator.gpu?.requestAdapter();
  if (adapter) return adapter;
  throw new Error(
    navigator.gpu
      ? 'requestAdapter() gave null: this browser found no usable GPU and no software adapter.'
      : `navigator.gpu is undefined: ${location.origin} is no secure origin, or this browser has no WebGPU.`,
  );
}

/**
 * The device that all tests of a file share, for a start-up per file and not per test. Do not destroy it. If it was
 * lost, the next call requests a new one.
 */
export async function getTestDevice(options: TestDeviceOptions = {}): Promise<GPUDevice> {
  const key = options.limits ?? 'default';
  const known = devices.get(key);
  if (known) return await known;
  const requested = requestDevice(key === 'adapter');
  devices.set(key, requested);
  const device = await requested;
  void device.lost.then(() => devices.delete(key));
  return device;
}

/**
 * Runs `fn` inside error scopes and throws if the device reported a validation, out-of-memory or internal error, which
 * WebGPU otherwise only logs. Scopes are one stack per device, so calls on one device must not overlap in time.
 */
export async function withErrorScopes<T>(device: GPUDevice, fn: () => T | Promise<T>): Promise<T> {
  pushScopes(device);
  let outcome: { value: T } | { thrown: unknown };
  try {
    outcome = { value: await fn() };
  } catch (thrown) {
    outcome = { thrown };
  }
  const problems = await popScopes(device);
  if (problems.length > 0) {
    const cause = 'thrown' in outcome ? { cause: outcome.thrown } : {};
    throw new Error(`The GPU reported:\n${problems.join('\n')}`, cause);
  }
  if ('thrown' in outcome) throw outcome.thrown;
  return outcome.value;
}

/**
 * `test` with `{ device, track }`. It fails when the device reports any error, or is lost, while the test runs.
 * `track(resource)` returns the resource and destroys it after the test. Not for `test.concurrent`.
 */
export const gpuTest = test
  // Automatic: a test that asks for no device may still use the shared one through a helper.
  .extend('device', { auto: true }, async ({ task }, { onCleanup }) => {
    const device = await getTestDevice();
    onCleanup(watch(device, task.name));
    return device;
  })
  // It depends on the device to be cleaned up first: destroying is part of what is watched.
  .extend('track', ({ device: _device }, { onCleanup }) => {
    const resources: Destroyable[] = [];
    onCleanup(() => {
      for (const resource of resources) resource.destroy();
    });
    return <T extends Destroyable>(resource: T): T => {
      resources.push(resource);
      return resource;
    };
  });

/**
 * Watches the device from now until the returned function is called, which throws if anything went wrong. Error scopes
 * see what is issued inside them; the two events see all else.
 */
function watch(device: GPUDevice, name: string): () => Promise<void> {
  const problems: string[] = [];
  const onError = (event: GPUUncapturedErrorEvent): void => {
    event.preventDefault();
    problems.push(`uncaptured ${describe(event.error)}`);
  };
  device.addEventListener('uncapturederror', onError);
  const lost = device.lost.then(
    ({ reason, message }) => void problems.push(`device lost (${reason}): ${message}`),
  );
  pushScopes(device);
  return async () => {
    // What the test left running must fail this test, not the next. It costs 100 ms in Firefox, which polls that
    // seldom, but without it a lost device goes unnoticed there and later tests pass on it.
    await Promise.race([device.queue.onSubmittedWorkDone(), lost]);
    problems.push(...(await popScopes(device)));
    device.removeEventListener('uncapturederror', onError);
    if (problems.length > 0)
      throw new Error(`While "${name}" ran, the GPU reported:\n${problems.join('\n')}`);
  };
}

function pushScopes(device: GPUDevice): void {
  for (const scope of SCOPES) device.pushErrorScope(scope);
}

async function popScopes(device: GPUDevice): Promise<string[]> {
  const errors = await Promise.all(SCOPES.map(() => device.popErrorScope()));
  return errors.filter((error) => error !== null).map(describe);
}

function describe(error: GPUError): string {
  return `${error.constructor.name}: ${error.message}`;
}

async function requestDevice(allLimits: boolean): Promise<GPUDevice> {
  const adapter = await getTestAdapter();
  const descriptor: GPUDeviceDescriptor = { label: 'test' };
  if (allLimits) descriptor.requiredLimits = numericLimits(adapter.limits);
  return await adapter.requestDevice(descriptor);
}

function numericLimits(limits: GPUSupportedLimits): Record<string, number> {
  const all: Record<string, number> = {};
  // The limits are getters on the prototype, which Object.keys does not see.
  for (const name in limits) {
    const value: unknown = Reflect.get(limits, name);
    if (typeof value === 'number') all[name] = value;
  }
  return all;
}
