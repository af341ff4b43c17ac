import { quote } from '../../errors.js';
import { type Delta, contributorsOf, refuseDelta } from './delta.js';

/**
 * Deltas that make one mean, in an order that does not depend on how they came: that of their checksums.
 *
 * @throws OptimizerError `invalid-delta` if they are of several rounds or models, or if two are of one peer, or hold the same.
 */
export function togetherInOrder(deltas: readonly Delta[], call: string): Delta[] {
  const [first] = deltas;
  for (const delta of deltas) {
    if (delta.round !== first!.round) {
      refuseDelta(call, `deltas are of rounds ${first!.round} and ${delta.round}; give those of one round.`);
    }
    rejectOtherModel(delta, first!.lengths, call);
  }
  const known = new Set<string>();
  const peers = new Set<string>();
  for (const { checksum, peer } of contributorsOf(deltas)) {
    if (known.has(checksum)) refuseDelta(call, `two deltas hold the same, ${checksum}; give each once.`);
    known.add(checksum);
    if (peer === undefined) continue;
    if (peers.has(peer)) {
      refuseDelta(
        call,
        `two deltas are of peer ${quote(peer)}; give one of each peer, and each peer another name.`,
      );
    }
    peers.add(peer);
  }
  return deltas.toSorted((a, b) => (a.checksum < b.checksum ? -1 : 1));
}

/** @throws OptimizerError `invalid-delta` unless a delta is of parameters of these names and lengths. */
function rejectOtherModel(delta: Delta, lengths: Delta['lengths'], call: string): void {
  const what = nameOf(delta);
  const missing = Object.keys(lengths).filter((name) => !Object.hasOwn(delta.lengths, name));
  const unknown = Object.keys(delta.lengths).filter((name) => !Object.hasOwn(lengths, name));
  if (missing.length > 0 || unknown.length > 0) {
    refuseDelta(
      call,
      `${what} is of another model: it lacks ${quote(missing)} and has ${quote(unknown)}; peers train the same parameters.`,
    );
  }
  for (const [name, elementCount] of Object.entries(lengths)) {
    const given = delta.lengths[name];
    if (given === elementCount) continue;
    refuseDelta(
      call,
      `${what} is of another model: parameter ${quote(name)} has ${given} elements there, and ${elementCount} here; peers train the same parameters.`,
    );
  }
}

/** Where a peer is: the round that is under way, and its parameters. */
type Place = Pick<Delta, 'round' | 'lengths'>;

/** @throws OptimizerError `invalid-delta` unless deltas are of a peer's parameters and of the round that it is in. */
export function rejectUnfit(deltas: readonly Delta[], { round, lengths }: Place, call: string): void {
  for (const delta of deltas) {
    rejectOtherModel(delta, lengths, call);
    if (delta.round === round) continue;
    const what = `${nameOf(delta)} is of round ${delta.round}`;
    refuseDelta(
      call,
      delta.round > round
        ? `${what}, from the future: this peer is in round ${round}; apply the rounds before it, or load a snapshot.`
        : `${what}, from the past: this peer is in round ${round}; leave it out.`,
    );
  }
}

const nameOf = ({ peer }: Delta): string => (peer === undefined ? 'a delta' : `the delta of ${quote(peer)}`);

/** What of the mean a delta is, as float32. */
export const shareOf = ({ samples }: Pick<Delta, 'samples'>, all: number): number =>
  Math.fround(samples / all);
