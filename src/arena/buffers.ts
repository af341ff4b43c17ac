import { type OptimizerError } from '../errors.js';
import { type ArenaBuffer, registerArenaBuffer } from '../gpu/arena-buffers.js';
import { makeBuffer } from '../gpu/make-buffer.js';
import { captureErrors, type Refusal, refusalError } from '../gpu/refusal.js';
import { alignUp } from '../kernel/alignment.js';
import { type TensorKind, numberByteLength } from './dtypes.js';
import type { ResolvedArena, ResolvedTensor } from './spec.js';

export type Role = 'data' | 'grad';

/** Bytes of a word. */
const WORD = 4;

/** Makes the buffers of weights, or those of gradients; run it in error scopes. */
export function makeBuffers(
  device: GPUDevice,
  { tensors, buffers, usage, label }: ResolvedArena,
  role: Role,
  about: ArenaBuffer,
): GPUBuffer[] {
  const ends = buffers.map(() => new Set<number>());
  for (const { kind, place, elementCount } of tensors.values()) {
    const end = numberByteLength(kind[role]) * (place.element + elementCount);
    ends[place.bufferIndex]!.add(end).add(alignUp(end, WORD));
  }
  return buffers.map(({ kind, elementCount, alignment }, k) => {
    const size = numberByteLength(kind[role]);
    const buffer = makeBuffer(device, `${label} ${role}[${k}]`, size * elementCount, usage);
    registerArenaBuffer(buffer, about, { padding: size * alignment, ends: ends[k]! });
    return buffer;
  });
}

/** Whether the last word of a tensor's weights or gradients is not all its own. */
export const hasPaddedWord = ({ data, grad }: TensorKind, elementCount: number): boolean =>
  [data, grad].some((codec) => (numberByteLength(codec) * elementCount) % WORD !== 0);

/** Where a tensor lies: whole words. */
export function bindingOf(
  { kind, place, elementCount }: ResolvedTensor,
  role: Role,
  buffers: readonly GPUBuffer[],
): Required<GPUBufferBinding> {
  const size = numberByteLength(kind[role]);
  return {
    buffer: buffers[place.bufferIndex]!,
    offset: size * place.element,
    size: alignUp(size * elementCount, WORD),
  };
}

const REMEDY = 'Use fewer or smaller tensors.';
export const REMEDIES = { shortage: REMEDY, rejection: REMEDY };

/** Says how much could be had: buffers are allocated again, one by one, until one fails, and freed. */
export async function allocationError(
  device: GPUDevice,
  { buffers, usage, label }: ResolvedArena,
  met: Refusal,
): Promise<OptimizerError> {
  const held: GPUBuffer[] = [];
  let available = 0;
  const sizes = (['data', 'grad'] as const).flatMap((role) =>
    buffers.map(({ kind, elementCount }) => numberByteLength(kind[role]) * elementCount),
  );
  for (const size of sizes) {
    const { value: buffer, refusal } = captureErrors(device, () =>
      makeBuffer(device, `${label} probe`, size, usage),
    );
    held.push(buffer);
    if (await refusal) break;
    available += size;
  }
  for (const buffer of held) buffer.destroy();
  const needed = sizes.reduce((sum, size) => sum + size, 0);
  const what = `the arena, whose weights and gradients take ${needed} bytes, of which ${available} could be had`;
  return refusalError(device, { ...met, isShortage: true }, what, REMEDIES);
}
