import { expect, test } from 'vitest';
import { unlessOutOfMemory } from '../../lab/measuring/page/out-of-memory.js';
import { OptimizerError } from '../../src/index.js';

/** A device on which whatever is done between push and pop has caused the given errors. */
function deviceWith(errors: Partial<Record<GPUErrorFilter, string>>): GPUDevice {
  const scopes: GPUErrorFilter[] = [];
  const device = {
    pushErrorScope: (filter: GPUErrorFilter) => scopes.push(filter),
    popErrorScope: () => {
      const message = errors[scopes.pop()!];
      return Promise.resolve(message === undefined ? null : { message });
    },
  };
  return device as unknown as GPUDevice;
}

const made = () => Promise.resolve('made');

test('what fits is returned', async () => {
  expect(await unlessOutOfMemory(deviceWith({}), made)).toBe('made');
});

test('what does not fit is nothing, even where using it was an error, too', async () => {
  const device = deviceWith({ 'out-of-memory': 'no memory', validation: 'the buffer is invalid' });
  expect(await unlessOutOfMemory(device, made)).toBeUndefined();
  expect(await unlessOutOfMemory(device, () => Promise.reject(new Error('later')))).toBeUndefined();
  const error = new OptimizerError('out-of-memory', 'no memory');
  expect(await unlessOutOfMemory(deviceWith({}), () => Promise.reject(error))).toBeUndefined();
});

test('any other error ends the run: a peer that is broken is not merely too large', async () => {
  await expect(unlessOutOfMemory(deviceWith({ validation: 'a bug' }), made)).rejects.toThrow('a bug');
  const error = new OptimizerError('shader', 'a bug');
  await expect(unlessOutOfMemory(deviceWith({}), () => Promise.reject(error))).rejects.toBe(error);
});
