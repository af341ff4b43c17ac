/** What tests of a shortage of memory share. */
import { expect, inject } from 'vitest';
import { OptimizerError } from '../../src/index.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { type Shortage, runShort } from './shortage.js';
import { makeParameter } from './tensors.js';

/** Parameters of random numbers. */
export function makeParams(device: GPUDevice, track: Track, names: readonly string[]) {
  const random = new Random(inject('seed'));
  return names.map((name) => makeParameter(device, track, name, random.weights(9), random.gradients(9)));
}

/** Says that memory was short, with the bytes that were asked for and the limit of a buffer. */
export function expectShortage(error: unknown, device: GPUDevice, what: string, shortage?: Shortage): void {
  expect(error, what).toBeInstanceOf(OptimizerError);
  const { code, message } = error as OptimizerError;
  expect([code, message], what).toEqual(['out-of-memory', expect.stringMatching(SHORTAGE)]);
  const { asked, limit } = SHORTAGE.exec(message)!.groups!;
  expect(Number(asked), what).toBeGreaterThan(0);
  if (shortage) expect(Number(asked), what).toBeLessThanOrEqual(shortage.askedByteLength);
  expect(Number(limit), what).toBe(device.limits.maxBufferSize);
}

const SHORTAGE =
  /all of the (?<asked>\d+) bytes that were asked for, in buffers of at most (?<limit>\d+) bytes/;

/** Runs a call with the buffer of one position withheld, for each position that there is. */
export async function forEachBuffer(
  device: GPUDevice,
  track: Track,
  call: (index: number, shortage: Shortage) => Promise<void>,
  mostBuffers = 200,
): Promise<number> {
  for (let index = 0; index < mostBuffers; index++) {
    const shortage = track(runShort(device, (_, k) => k === index));
    await call(index, shortage);
    const { withheld } = shortage;
    shortage.destroy();
    if (withheld === 0) return index;
  }
  throw new Error(`more than ${mostBuffers} buffers`);
}
