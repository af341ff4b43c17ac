/** What a device has against what was made on it, without a GPU. */
import { expect, test, vi } from 'vitest';
import { captureErrors } from '../../src/gpu/refusal.js';
import { errorOf } from '../support/error-of.js';

class GPUOutOfMemoryError {
  constructor(readonly message: string) {}
}
class GPUValidationError extends GPUOutOfMemoryError {}

/** A device that nobody knows to be lost, whose error scopes tell these in turn: of each pair, that of memory first. */
function fakeDevice(...told: readonly (readonly [memory: object | null, validation: object | null])[]) {
  const left = told.map((pair) => [...pair]);
  const createBuffer = vi.fn<() => { destroy(): void }>(() => ({ destroy: () => undefined }));
  const device = {
    lost: new Promise(() => undefined),
    createBuffer,
    pushErrorScope: () => undefined,
    popErrorScope: () => {
      const pair = left[0]!;
      const error = pair.pop()!;
      if (pair.length === 0) left.shift();
      return Promise.resolve(error);
    },
  } as unknown as GPUDevice;
  return { device, createBuffer };
}

const short = new GPUOutOfMemoryError('no memory ');
const invalid = new GPUValidationError('invalid ');

test('a shortage is one at once, and is no reason to ask whether the device is lost', async () => {
  const { device, createBuffer } = fakeDevice([short, invalid]);
  const { value, refusal } = captureErrors(device, () => 7);
  expect(value).toBe(7);
  expect(await refusal).toEqual({ message: 'no memory', isShortage: true, askedByteLength: 0 });
  expect(createBuffer).not.toHaveBeenCalled();
});

test('what is invalid is so where the device still makes buffers', async () => {
  const { device, createBuffer } = fakeDevice([null, invalid], [null, null]);
  const { refusal } = captureErrors(device, () => undefined);
  expect(await refusal).toEqual({ message: 'invalid', isShortage: false, askedByteLength: 0 });
  expect(createBuffer).toHaveBeenCalledTimes(1);
});

test('what is invalid on a device that refuses everything is lost with it', async () => {
  const { device } = fakeDevice([null, invalid], [null, invalid]);
  const { refusal } = captureErrors(device, () => undefined);
  const error = await errorOf(() => refusal);
  expect([error.code, error.message]).toEqual(['device-lost', expect.stringContaining('invalid')]);
});

test('nothing is refused where no scope tells of anything', async () => {
  const { device, createBuffer } = fakeDevice([null, null]);
  expect(await captureErrors(device, () => undefined).refusal).toBeUndefined();
  expect(createBuffer).not.toHaveBeenCalled();
});
