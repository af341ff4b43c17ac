import type { Contestant } from '../peers/peer.js';
import { takeSample } from './sample.js';

/** How much of an Adam step's size the peers' first steps may differ by: they place ε differently. */
const ADAM_TOLERANCE = 0.02;
const ADAM_LR = 1e-3;

/**
 * Makes the first step of a contestant and checks that it did its work: a peer whose commands are dropped, or not awaited,
 * would look wonderfully fast.
 *
 * @param elementCount elements of the tensor whose `weights` are read; of a large one a sample is checked.
 * @param gradientAt the gradient of an element of that tensor.
 * @throws Error naming the peer and what is wrong with its weights.
 */
export async function verifyFirstStep(
  name: string,
  rule: string,
  contestant: Contestant,
  elementCount: number,
  gradientAt: (i: number) => number,
): Promise<void> {
  if (!contestant.weights) return;
  const gradient = takeSample(elementCount, gradientAt);
  const read = async (): Promise<Float32Array> => {
    const values = await contestant.weights!();
    return values.length === gradient.length ? values : takeSample(elementCount, (i) => values[i]!);
  };
  const before = await read();
  for (let k = 0; k < (contestant.stepsToChange ?? 1); k += 1) contestant.step();
  await contestant.finish();
  const after = await read();
  const fail = (i: number, complaint: string): never => {
    throw new Error(
      `${name}, ${rule}: after the first step weight ${i} of the ${after.length} checked ${complaint} ` +
        `(before ${before[i]}, after ${after[i]}, gradient ${gradient[i]}). Its times would mean nothing.`,
    );
  };
  for (let i = 0; i < after.length; i += 1) {
    if (!Number.isFinite(after[i])) fail(i, 'is not finite');
    // A smaller gradient may leave a weight as it is by rounding: LARS begins with 1e-5 of it.
    if (Math.abs(gradient[i]!) < 0.05) continue;
    if (after[i] === before[i]) fail(i, 'has not changed');
    if (rule !== 'adam' || name === 'limit') continue;
    const expected = -ADAM_LR * Math.sign(gradient[i]!);
    const error = Math.abs(after[i]! - before[i]! - expected);
    if (error > ADAM_TOLERANCE * ADAM_LR) fail(i, `should have changed by ${expected}`);
  }
}
