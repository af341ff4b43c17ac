import { f32 } from '../../../src/codecs/f32.js';
import { decodeValues, resolveCompress } from '../../../src/outer/compress.js';
import { readDelta, writeDelta } from '../../../src/outer/delta.js';
import type { OuterPeer } from '../../../src/outer/index.js';

const CALL = 'poison';
const FACTOR = 1000;

/** A peer that spoils what it gives to others: NaN in even rounds, and far too large in odd ones. */
export function poisonedPeer(outer: OuterPeer): OuterPeer {
  return {
    get round() {
      return outer.round;
    },
    get lengths() {
      return outer.lengths;
    },
    delta: async (options) => poisoned(await outer.delta(options)),
    apply: (deltas) => outer.apply(deltas),
    snapshot: () => outer.snapshot(),
    loadSnapshot: (snapshot, options) => outer.loadSnapshot(snapshot, options),
  };
}

async function poisoned(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const { round, samples, peer, lengths, format, values } = await readDelta(bytes, CALL);
  const spoilt = new Map(
    [...values].map(([name, packed]) => {
      const numbers = decodeValues(format, packed, lengths[name]!);
      return [name, f32.encode(numbers.map((number) => (round % 2 === 0 ? NaN : FACTOR * number)))];
    }),
  );
  const header = { round, samples, lengths, compress: 'none' as const, ...(peer !== undefined && { peer }) };
  return (await writeDelta(header, resolveCompress('none', CALL), spoilt)).bytes;
}
