import { f32 } from '../../codecs/f32.js';
import { OptimizerError, quote } from '../../errors.js';
import { float32 } from '../../reference/arithmetic/arithmetic.js';
import { decodeValues, resolveCompress } from './compress.js';
import { type Delta, contributorsOf, readDelta, writeDelta } from './delta.js';
import { shareOf, togetherInOrder } from './together.js';

/**
 * The mean of deltas of one round, weighted by their samples, as `apply()` takes it: for a server that has no GPU, so that each peer loads one
 * file. The same float32, operation by operation, as `apply()` of all of them gives where multiplication and addition are rounded apart.
 *
 * @param deltas of one round and one model, at least one.
 * @returns a delta of `compress: 'none'` that counts for the samples of all.
 * @throws OptimizerError `invalid-delta`.
 */
export async function averageDeltas(deltas: readonly Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> {
  const call = 'averageDeltas()';
  const all = togetherInOrder(await readDeltas(deltas, call), call);
  const [first] = all;
  const samples = all.reduce((sum, delta) => sum + delta.samples, 0);
  const values = new Map(Object.keys(first!.lengths).map((name) => [name, f32.encode(meanOf(all, name))]));
  const { round, lengths } = first!;
  const header = { round, samples, compress: 'none' as const, lengths, contributors: contributorsOf(all) };
  return (await writeDelta(header, resolveCompress('none', call), values)).bytes;
}

/** The mean of a parameter's values, summed in the order of the deltas. */
export function meanOf(deltas: readonly Delta[], name: string): Float32Array<ArrayBuffer> {
  const { add, mul } = float32;
  const samples = deltas.reduce((sum, delta) => sum + delta.samples, 0);
  const elementCount = deltas[0]!.lengths[name]!;
  const mean = new Float32Array(elementCount);
  for (const delta of deltas) {
    const share = shareOf(delta, samples);
    const own = decodeValues(delta.format, delta.values.get(name)!, elementCount);
    for (let k = 0; k < elementCount; k++) mean[k] = add(mean[k]!, mul(share, own[k]!));
  }
  return mean;
}

/** Reads deltas. @throws OptimizerError `invalid-delta`. */
export async function readDeltas(given: unknown, call: string): Promise<Delta[]> {
  const list = given instanceof Uint8Array ? [given] : given;
  if (!Array.isArray(list) || list.length === 0) {
    throw new OptimizerError(
      'invalid-delta',
      `${call}: the deltas are ${quote(given)}; give a list of what delta() returned, one at least, or one mean.`,
    );
  }
  const isOne = list.length === 1;
  return Promise.all(list.map((bytes, k) => readDelta(bytes, call, isOne ? 'the delta' : `delta ${k}`)));
}
