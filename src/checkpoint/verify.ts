import type { SafetensorsFile } from '../safetensors/read.js';
import type { SafetensorsTensor } from '../safetensors/tensor.js';
import { Checksum, toHex } from './checksum.js';
import { CHECKSUM } from './manifest.js';

/**
 * Reads all tensors of a file in their order, and holds them against the file's checksum.
 *
 * @param take is given each tensor, and its bytes, of which it reads all.
 * @param refuse throws what is wrong with the file.
 * @returns the checksum, in hexadecimal.
 */
export async function readVerified(
  file: SafetensorsFile,
  take: (tensor: SafetensorsTensor, pieces: AsyncIterable<Uint8Array<ArrayBuffer>>) => Promise<void>,
  refuse: (message: string) => never,
): Promise<string> {
  const checksum = new Checksum(file.metadata);
  let saved: Uint8Array | undefined;
  for (const tensor of file.tensors.values()) {
    if (tensor.name === CHECKSUM) saved = await tensor.bytes();
    else await take(tensor, checksum.passing(tensor, tensor.data));
  }
  const got = toHex(await checksum.digest());
  const want = saved && toHex(saved);
  if (want === undefined) return refuse(`has no tensor "${CHECKSUM}", its checksum`);
  if (want !== got)
    refuse(`was changed since it was written: its checksum is ${want}, but its bytes have ${got}`);
  return got;
}

/** All bytes of pieces. */
export async function joinPieces(
  pieces: AsyncIterable<Uint8Array<ArrayBuffer>>,
  byteLength: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const all = new Uint8Array(byteLength);
  let position = 0;
  for await (const piece of pieces) {
    all.set(piece, position);
    position += piece.byteLength;
  }
  return all;
}
