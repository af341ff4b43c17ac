import { nameOfTensor, readManifest, writeMetadata } from '../../checkpoint/manifest.js';
import { joinPieces, readVerified, writeVerified } from '../../checkpoint/verify.js';
import { f32 } from '../../codecs/f32.js';
import { OptimizerError, quote } from '../../errors.js';
import { define } from '../../given.js';
import type { ReferenceStateDict } from '../../reference/saved-run.js';
import { readSafetensors } from '../../safetensors/read.js';

/** A run and its weights. */
export interface ReferenceSnapshot {
  readonly dict: ReferenceStateDict;
  readonly weights: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
}

/** Writes what `saveCheckpoint` writes of the same run on the GPU. */
export async function writeSnapshot({ dict, weights }: ReferenceSnapshot): Promise<Uint8Array<ArrayBuffer>> {
  const { state, ...rest } = dict;
  const metadata = writeMetadata({ dict: rest, frozen: [] });
  const named = [
    ...Object.entries(state).flatMap(([name, slots]) =>
      Object.entries(slots).map(([slot, values]) => [nameOfTensor(name, slot), values] as const),
    ),
    ...Array.from(weights, ([name, values]) => [nameOfTensor(name), values] as const),
  ];
  const tensors = named.map(([name, values]) => ({
    name,
    dtype: 'F32' as const,
    shape: [values.length],
    bytes: f32.encode(Float32Array.from(values)),
  }));
  return (await writeVerified(tensors, metadata)).bytes;
}

/** @throws OptimizerError as `loadCheckpoint` for what is none, is cut or changed. */
export async function readSnapshot(bytes: Uint8Array<ArrayBuffer>, call: string): Promise<ReferenceSnapshot> {
  const file = await readSafetensors(bytes);
  const { dict } = readManifest(file.metadata);
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  const refuse = (message: string): never => {
    throw new OptimizerError(
      'invalid-checkpoint',
      `${call}: the file ${message}; give what snapshot() returned.`,
    );
  };
  await readVerified(
    file,
    async (tensor, pieces) => {
      if (tensor.dtype !== 'F32') refuse(`has tensor ${quote(tensor.name)} of ${tensor.dtype}`);
      const own = await joinPieces(pieces, tensor.byteLength);
      values.set(tensor.name, new Float32Array(own.buffer));
    },
    refuse,
  );
  const state: ReferenceStateDict['state'] = {};
  const weights = new Map<string, Float32Array<ArrayBuffer>>();
  for (const name of dict.groups.flatMap(({ params }) => params)) {
    const slots: Record<string, Float32Array<ArrayBuffer>> = {};
    for (const [tensor, numbers] of values) {
      const dot = tensor.lastIndexOf('.');
      const slot = tensor.slice(dot + 1);
      if (tensor === nameOfTensor(name, slot)) define(slots, slot, numbers);
    }
    define(state, name, slots);
    const own = values.get(nameOfTensor(name));
    if (!own) return refuse(`has no weights of ${quote(name)}`);
    weights.set(name, own);
  }
  return { dict: { ...dict, state }, weights };
}
