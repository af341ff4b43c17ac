/** Bytes of a tensor that are hashed at once. */
const BLOCK_BYTE_LENGTH = 8 * 2 ** 20;

/** What the checksum is of, beside the tensors' bytes. */
export interface HashedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/**
 * The checksum of a checkpoint: SHA-256 of the JSON text of `[metadata, [[name, dtype, shape, blocks], …]]`, with the tensors in the order
 * of their bytes, and of each the SHA-256 of every 8 MiB of them, in hexadecimal. So the platform's own SHA-256, which takes no
 * pieces, hashes files of any length, and ten lines of Python check it.
 */
export class Checksum {
  readonly #tensors: unknown[] = [];

  constructor(private readonly metadata: Readonly<Record<string, string>>) {}

  /** Hashes a tensor's bytes on their way. */
  async *passing(
    { name, dtype, shape }: HashedTensor,
    pieces: AsyncIterable<Uint8Array<ArrayBuffer>>,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    const blocks: string[] = [];
    for await (const piece of piecesOf(pieces, BLOCK_BYTE_LENGTH)) {
      blocks.push(toHex(await sha256(piece)));
      yield piece;
    }
    this.#tensors.push([name, dtype, shape, blocks]);
  }

  /** The 32 bytes, once all tensors have passed. */
  async digest(): Promise<Uint8Array<ArrayBuffer>> {
    return sha256(new TextEncoder().encode(JSON.stringify([this.metadata, this.#tensors])));
  }
}

/** The same bytes in pieces of so many, but for the last one. */
export async function* piecesOf(
  pieces: AsyncIterable<Uint8Array<ArrayBuffer>>,
  byteLength: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  let block = new Uint8Array(0);
  for await (const piece of pieces) {
    for (let done = 0; done < piece.byteLength;) {
      const room = byteLength - block.byteLength;
      const part = piece.subarray(done, done + room);
      block = block.byteLength === 0 ? part : join(block, part);
      done += part.byteLength;
      if (block.byteLength < byteLength) continue;
      yield block;
      block = new Uint8Array(0);
    }
  }
  if (block.byteLength > 0) yield block;
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.byteLength + b.byteLength);
  joined.set(a);
  joined.set(b, a.byteLength);
  return joined;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
