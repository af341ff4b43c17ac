import { f32 } from '../../../src/codecs/f32.js';
import { decodeValues, resolveCompress } from '../../../src/outer/deltas/compress.js';
import { readDelta, writeDelta } from '../../../src/outer/deltas/delta.js';
import type { FleetTransport } from '../../../src/outer/index.js';

const CALL = 'poison';
const FACTOR = 1000;
const LOOK_MS = 50;

/**
 * A transport that spoils what its peer gives to others: NaN in even rounds, and far too large in odd ones. Others close the rounds: this
 * peer takes its own deltas for sound ones.
 */
export function poisonedTransport(transport: FleetTransport): FleetTransport {
  return {
    async join(peer, listener) {
      const seat = await transport.join(peer, listener);
      return {
        members: () => seat.members(),
        posted: (round) => seat.posted(round),
        closed: (round) => seat.closed(round),
        snapshot: () => seat.snapshot(),
        post: async (round, bytes) => seat.post(round, await poisoned(bytes)),
        fetch: (id) => seat.fetch(id),
        async close({ round }) {
          for (;;) {
            const close = seat.closed(round);
            if (close) return close;
            await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
          }
        },
        putSnapshot: (facts, bytes) => seat.putSnapshot(facts, bytes),
        leave: () => seat.leave(),
      };
    },
  };
}

async function poisoned(bytes: Uint8Array): Promise<Uint8Array> {
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
