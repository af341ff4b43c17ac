import { type Codec, valuesByteLength } from '../codecs/codec.js';
import { f32 } from '../codecs/f32.js';
import type { RunTensor } from '../engine/run/group-part.js';
import { OptimizerError, quote } from '../errors.js';
import * as BufferUsage from '../gpu/buffer-usage.js';
import type { SafetensorsTensor } from '../safetensors/tensor.js';
import { type Manifest, codecOfTensor } from './manifest.js';

/** A tensor of a file that fits. */
export interface AcceptedTensor {
  readonly tensor: SafetensorsTensor;
  /** How its values lie in the file. */
  readonly saved: Codec;
}

/** A tensor of a file, and how its values lie, if it is so many. @throws OptimizerError `invalid-state-dict`. */
export function acceptTensor(
  given: unknown,
  valueCount: number,
  what: string,
  { formats, lengths }: Manifest,
): AcceptedTensor {
  const tensor = given as SafetensorsTensor;
  const { dtype, byteLength } = tensor;
  const saved = codecOfTensor(tensor, formats);
  const length = dtype === 'U8' ? lengths[tensor.name] : valueCount;
  if (saved && length === valueCount && byteLength === valuesByteLength(saved, valueCount)) {
    return { tensor, saved };
  }
  const had = length === undefined || length === valueCount ? '' : `${length} elements in `;
  throw new OptimizerError(
    'invalid-state-dict',
    `${what}: the file has ${had}${byteLength} bytes of ${dtype}, but this optimizer keeps ${valueCount} values, of F32, F16 or BF16, or of ` +
      'U8 in a format that it knows; save it from a parameter of the same size.',
  );
}

/**
 * What `masterWeights` keeps is of the copies beside it: of copies that are rounded otherwise it says nothing.
 *
 * @throws OptimizerError `invalid-state-dict`.
 */
export function rejectOtherCopies({ parameter: { name, data }, part }: RunTensor, saved: Codec): void {
  const { masters } = part.layout;
  const codec = data[0]!.codec ?? f32;
  // Columns of structs are saved as float32.
  if (!masters || saved === codec || saved === f32) return;
  throw new OptimizerError(
    'invalid-state-dict',
    `weights of parameter ${quote(name)} are ${quote(saved.name)} in the file and ${quote(codec.name)} here, where its ${quote(masters.slot)} would be lost; ` +
      `use dtype ${quote(saved.name)}, or load them as they are rounded, with { strict: false }.`,
  );
}

/** @throws OptimizerError `invalid-parameter` for weights in buffers that cannot be copied to. */
export function rejectUnwritable({ parameter: { name, data } }: RunTensor): void {
  for (const { buffer, rows } of data) {
    if (rows || (buffer.usage & BufferUsage.COPY_DST) !== 0) continue;
    throw new OptimizerError(
      'invalid-parameter',
      `loadCheckpoint(): parameter ${quote(name)} lies in buffer ${quote(buffer.label)} of usage 0x${buffer.usage.toString(16)}, ` +
        'without COPY_DST; create it with GPUBufferUsage.COPY_DST to load its weights.',
    );
  }
}
