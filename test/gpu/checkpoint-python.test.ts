/** Checkpoints that go from here to PyTorch and back; see test/fixtures/recorded/checkpoint/record.py. */
import { expect } from 'vitest';
import { Optimizer, adam, conventions, loadCheckpoint, saveCheckpoint } from '../../src/index.js';
import type { Track } from '../../proof/track.js';
import recorded from '../fixtures/recorded/checkpoint/recorded.json' with { type: 'json' };
import { gpuTest } from '../support/device.js';
import { makeParameter } from '../support/tensors.js';

type Values = Readonly<Record<string, readonly number[]>>;
type Step = Readonly<Record<'grads' | 'weights', Values>>;

const NAMES = ['table', 'bias'];
const PYTORCH = `PyTorch ${recorded.versions.torch}`;

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** An optimizer whose own weights and options must all go. */
async function make(device: GPUDevice, track: Track, ours: boolean) {
  const params = [6, 5].map((length, k) => ({
    ...makeParameter(device, track, NAMES[k]!, new Float32Array(length).fill(9), new Float32Array(length)),
    ...(ours && k === 0 && { rowLength: 3 }),
  }));
  const optimizer = track(await Optimizer.create(device, { rule: adam(conventions.torch.adam), params }));
  return { optimizer, grads: params.map(({ grad }) => grad) };
}

/**
 * What one step of float32 is off at most, PyTorch's or ours, in its number k from 1 on. Weights of the recording are below 4, gradients
 * with decay and first moments at most 2.1, second moments at least 0.5 × 0.99⁶ > 0.47: their quotient is at most 2.1 / √0.47 < 3.1,
 * and a step a tenth of that. Numerator and denominator gather 3 roundings a step each; corrections, root and division of WebGPU are 20
 * more. The sum is rounded once, and what it was off before comes back through the decay, a thousandth of it.
 */
const errorOfStep = (k: number): number => (0.1 * 3.1 * (6 * k + 20) + 2 * 4) * 2 ** -24;

/** What both may be off behind so many steps. */
function toleranceOf(stepCount: number): number {
  let sum = 0;
  for (let k = 1; k <= stepCount; k += 1) sum += 2 * errorOfStep(k);
  return sum;
}

for (const [title, { file, steps }] of Object.entries({
  [`${PYTORCH} went on from a checkpoint of ours as we do`]: recorded.ours,
  [`we go on from a file of ${PYTORCH}'s as it did`]: recorded.theirs,
}) as [string, { file: string; steps: readonly Step[] }][]) {
  gpuTest(title, async ({ device, track }) => {
    const { optimizer, grads } = await make(device, track, file === recorded.ours.file);
    expect(await loadCheckpoint(optimizer, bytesOf(file))).toMatchObject({ loaded: NAMES, missing: [] });
    for (const [s, step] of steps.entries()) {
      for (const [i, name] of NAMES.entries())
        device.queue.writeBuffer(grads[i]!, 0, Float32Array.from(step.grads[name]!));
      optimizer.step();
      for (const name of NAMES) {
        const got = await optimizer.readParam(name);
        step.weights[name]!.forEach((want, i) =>
          expect(Math.abs(got[i]! - want), `step ${s + 1}, ${name}[${i}]`).toBeLessThanOrEqual(
            toleranceOf(s + 1),
          ),
        );
      }
    }
  });
}

gpuTest('what Python has read is what an optimizer saves', async ({ device, track }) => {
  const { optimizer } = await make(device, track, true);
  const ours = bytesOf(recorded.ours.file);
  await loadCheckpoint(optimizer, ours);
  expect((await saveCheckpoint(optimizer, 'bytes')).bytes).toEqual(ours);
});
