import type { SafetensorsDType } from '../safetensors/format/dtypes.js';
import type { SafetensorsFile } from '../safetensors/read.js';
import type { SafetensorsTensor } from '../safetensors/tensor.js';
import { writeSafetensors } from '../safetensors/write.js';
import { Checksum, type HashedTensor, toHex } from './checksum.js';
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

/** A file of tensors that are there, with a checksum that {@link readVerified} holds them against. @returns it, and the checksum in hexadecimal. */
export async function writeVerified(
  tensors: readonly (HashedTensor & {
    readonly dtype: SafetensorsDType;
    readonly bytes: Uint8Array<ArrayBuffer>;
  })[],
  metadata: Readonly<Record<string, string>>,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly checksum: string }> {
  const sum = new Checksum(metadata);
  let checksum = '';
  const hashed = tensors.map(({ bytes, ...tensor }) => ({
    ...tensor,
    data: sum.passing(tensor, once(bytes)),
  }));
  const digest = async function* () {
    const found = await sum.digest();
    checksum = toHex(found);
    yield found;
  };
  const last = { name: CHECKSUM, dtype: 'U8' as const, shape: [32], data: digest() };
  const bytes = await writeSafetensors('bytes', [...hashed, last], metadata);
  return { bytes, checksum };
}

async function* once(bytes: Uint8Array<ArrayBuffer>): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  yield bytes;
}
