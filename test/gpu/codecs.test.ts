/** How numbers lie in memory, on the GPU: each codec by itself, against its twin, wherever its elements may lie. */
import { expect, inject } from 'vitest';
import { isSwiftShader } from '../../proof/adapter.js';
import { Random } from '../../proof/random.js';
import { type KeptInput, keepings, runCodecKernel, wholeLength } from '../support/codec-kernel.js';
import { gpuTest } from '../support/device.js';
import { checkKeeping, checkLoading, numbersFor } from '../support/kept-numbers.js';

const LENGTHS = [1, 3, 4, 5, 63, 64, 65, 255, 256, 257, 1023, 4096];

gpuTest.for(keepings())('$title: is kept and loaded as the twin does', async (keeping, { device, track }) => {
  const random = new Random(inject('seed'));
  const isExact = isSwiftShader(device);
  const run = (input: KeptInput) => runCodecKernel(device, track, keeping, input);
  const lengths = LENGTHS.filter((length) => length % wholeLength(keeping) === 0);
  const outcomes = await Promise.all(
    lengths.flatMap((length) => {
      const values = numbersFor(keeping, random, length);
      return [
        checkKeeping(run, keeping, values, random, isExact),
        checkLoading(run, keeping, length, random, isExact),
      ];
    }),
  );
  expect(outcomes.filter((wrong) => wrong !== undefined)).toEqual([]);
});
