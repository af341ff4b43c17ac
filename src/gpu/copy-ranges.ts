import type { ByteRange } from './readback.js';

/** A copy of bytes from one place to another of the same length. */
export interface Copy {
  readonly from: ByteRange;
  readonly to: ByteRange;
}

/**
 * Encodes copies of bytes that lie in ranges to where others are, in as few commands as the places allow.
 *
 * @param pairs lists of ranges: what is in the first is put where the second is; both are as long.
 */
export function copyRanges(
  encoder: GPUCommandEncoder,
  pairs: Iterable<readonly [from: readonly ByteRange[], to: readonly ByteRange[]]>,
): void {
  let last: Copy | undefined;
  const flush = () => {
    if (!last) return;
    const { from, to } = last;
    encoder.copyBufferToBuffer(from.buffer, from.byteOffset, to.buffer, to.byteOffset, to.byteLength);
  };
  for (const [from, to] of pairs) {
    for (const copy of splitTogether(from, to)) {
      const joined = last && join(last, copy);
      if (!joined) flush();
      last = joined ?? copy;
    }
  }
  flush();
}

/** The copies that two lists of ranges come to, each within one range of both. */
export function* splitTogether(from: readonly ByteRange[], to: readonly ByteRange[]): Generator<Copy> {
  let [i, k, doneFrom, doneTo] = [0, 0, 0, 0];
  while (i < from.length && k < to.length) {
    const [source, target] = [from[i]!, to[k]!];
    const byteLength = Math.min(source.byteLength - doneFrom, target.byteLength - doneTo);
    yield {
      from: { buffer: source.buffer, byteOffset: source.byteOffset + doneFrom, byteLength },
      to: { buffer: target.buffer, byteOffset: target.byteOffset + doneTo, byteLength },
    };
    doneFrom += byteLength;
    doneTo += byteLength;
    if (doneFrom === source.byteLength) [i, doneFrom] = [i + 1, 0];
    if (doneTo === target.byteLength) [k, doneTo] = [k + 1, 0];
  }
}

function join({ from, to }: Copy, next: Copy): Copy | undefined {
  const follows = (a: ByteRange, b: ByteRange) =>
    a.buffer === b.buffer && a.byteOffset + a.byteLength === b.byteOffset;
  if (!follows(from, next.from) || !follows(to, next.to)) return undefined;
  const byteLength = from.byteLength + next.from.byteLength;
  return { from: { ...from, byteLength }, to: { ...to, byteLength } };
}
